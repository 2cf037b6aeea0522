import { Operator, type Tensor } from '@shallows/torch';

const foreachNorm = new Operator('aten::_foreach_norm', 'Scalar');
const stack = new Operator('aten::stack');
const vectorNorm = new Operator('aten::linalg_vector_norm');

/** @internal The norm over all elements of several tensors, of order `type`: a scalar on their device. */
export function globalNorm(tensors: readonly Tensor[], type = 2): Tensor {
  const norms = foreachNorm.call([tensors, type]) as Tensor[];
  return vectorNorm.call([stack.call([norms]), type]) as Tensor;
}
