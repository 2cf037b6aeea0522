import { autocast, autocastDType } from './autocast.js';
import { enableGrad, noGrad } from './autograd.js';
import type { Device } from './dtype.js';
import { TorchError } from './errors.js';
import { native } from './native.js';
import { scope } from './scope.js';
import { attempt, isTensor, live, Tensor } from './tensor.js';

/** A computation that can be run twice: with its inputs, and whether this is the second time. */
export type CheckpointFunction = (inputs: readonly Tensor[], recomputing: boolean) => Tensor;

/**
 * Runs `fn(inputs, false)` without keeping what the backward pass needs of it; the backward pass runs `fn(inputs, true)` again
 * for that. The result and all gradients are those of `fn(inputs)`, bit for bit, for about a third more time and the memory
 * of the inputs alone.
 *
 * `fn` must do the same both times: no randomness of its own, no other tensors that are changed or freed in between. State
 * such as running statistics must move only where `recomputing` is false. The tensors it makes are freed, both times. Where
 * nothing needs a gradient, `fn` simply runs.
 *
 * @param inputs what `fn` computes from, also tensors without gradients: they are kept until the backward pass
 * @param parameters other tensors that `fn` uses and that need gradients, such as the weights of its modules
 * @throws TorchError where `fn` returns no floating point tensor; in the backward pass where `fn` throws, returns another shape
 *   or dtype, or uses a tensor that needs a gradient and is not listed, and under `createGraph`
 * @see Chen et al., "Training deep nets with sublinear memory cost", 2016
 */
export function checkpoint(fn: CheckpointFunction, inputs: readonly Tensor[], parameters: readonly Tensor[]): Tensor {
  if (typeof fn !== 'function')
    throw new TorchError(`checkpoint: expected a function, got a ${typeof fn} - pass (inputs, recomputing) => …`);
  const given = handles('inputs', inputs);
  const used = handles('parameters', parameters);
  if (!recording() || ![...inputs, ...parameters].some((each) => each.requiresGrad)) {
    return scope(() => result(fn(inputs, false)));
  }
  return scope(() => {
    const out = result(noGrad(() => fn(inputs, false)));
    return new Tensor(attempt(() => native().checkpoint(live(out), given, used, again(fn, out.device))));
  });
}

/** What the backward pass calls. Made apart from the rest, so that it keeps no tensor alive. */
function again(fn: CheckpointFunction, device: Device): (inputs: Float64Array) => void {
  // The backward pass runs outside of the autocast of the forward pass.
  const dtype = autocastDType(device);
  const run =
    dtype === null ? fn : (...args: Parameters<CheckpointFunction>) => autocast({ dtype, device }, () => fn(...args));
  return (inputs) => {
    try {
      scope(() => {
        const tensors = Array.from(inputs, (handle) => new Tensor(handle));
        native().recomputed(live(result(enableGrad(() => run(tensors, true)))));
      });
    } catch (error) {
      if (error instanceof TorchError) throw error;
      const got = error instanceof Error ? error.message : String(error);
      throw new TorchError(
        `checkpoint: expected the function to run again, got an error - make it do the same both times\n  ${got}`,
        { cause: error },
      );
    }
  };
}

function recording(): boolean {
  const before = native().setGradEnabled(false);
  native().setGradEnabled(before);
  return before;
}

function result(value: unknown): Tensor {
  if (isTensor(value)) return value;
  const got = typeof value === 'object' ? 'another object' : `a ${typeof value}`;
  throw new TorchError(`checkpoint: expected the function to return a tensor, got ${got} - return one`);
}

const mostTensors = 1_000_000;

function handles(name: string, tensors: readonly Tensor[]): Float64Array {
  if (!Array.isArray(tensors) || tensors.length > mostTensors) {
    throw new TorchError(
      `checkpoint: expected '${name}' to be an array of at most ${mostTensors} tensors, got a ${typeof tensors} - put brackets around it`,
    );
  }
  return Float64Array.from(tensors, live);
}
