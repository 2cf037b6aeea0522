import { TorchError } from '../errors.js';
import { isTensor, live, type Tensor } from '../tensor.js';

const mostTensors = 1_000_000;

/** The handles of a tensor or a list of them. */
export function handlesOf(fn: string, tensors: Tensor | readonly Tensor[]): Float64Array {
  if (isTensor(tensors)) return Float64Array.of(live(tensors));
  if (Array.isArray(tensors) && tensors.length <= mostTensors) {
    return Float64Array.from(tensors, (each: Tensor) => live(each));
  }
  const got = Array.isArray(tensors) ? `a list of ${tensors.length}` : `a ${typeof tensors}`;
  throw new TorchError(`${fn}: expected a tensor or a list of at most ${mostTensors} tensors, got ${got} - give those`);
}
