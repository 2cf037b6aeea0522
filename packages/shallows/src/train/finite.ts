import { fromTypedArray, gradsOf, noGrad, Operator, ops, scope, type Tensor } from '@shallows/torch';
import type { Parameter } from '../nn/index.js';

const foreachNorm = new Operator('aten::_foreach_norm', 'Scalar');
const stack = new Operator('aten::stack');
const isfinite = new Operator('aten::isfinite');
const all = new Operator('aten::all');
const vectorNorm = new Operator('aten::linalg_vector_norm');

/** Bool scalar: whether every element of some tensors is finite. Nothing waits for the device. */
export function allFinite(tensors: readonly Tensor[]): Tensor {
  if (tensors.length === 0) return fromTypedArray(Uint8Array.of(1), []).bool();
  // The largest absolute value of each: it cannot overflow, and NaN stays NaN.
  const largest = foreachNorm.call([tensors, Number.POSITIVE_INFINITY]) as Tensor[];
  return all.call([isfinite.call([stack.call([largest])])]) as Tensor;
}

/** √(Σ g²) over the gradients of all parameters: a scalar; 0 without gradients. Nothing waits for the device. */
export function gradientNorm(parameters: readonly Parameter[]): Tensor {
  return noGrad(() =>
    scope(() => {
      const grads = gradsOf(parameters).filter((each) => each !== null);
      if (grads.length === 0) return fromTypedArray(Float32Array.of(0), []);
      const norms = foreachNorm.call([grads, 2]) as Tensor[];
      return vectorNorm.call([stack.call([norms])]) as Tensor;
    }),
  );
}

/** Whether the loss of a step and its gradients are finite: waits for the device, once. */
export function readFinite(
  loss: Tensor,
  parameters: readonly Parameter[],
  overflowed: Tensor | null,
): { readonly loss: boolean; readonly gradients: boolean } {
  return noGrad(() =>
    scope(() => {
      const gradients =
        overflowed === null
          ? allFinite(gradsOf(parameters).filter((each) => each !== null))
          : ops.aten.eq.Scalar(overflowed.reshape([]), 0);
      const both = stack.call([[ops.aten.isfinite.default(loss), gradients]]) as Tensor;
      const [one, other] = both.toArray();
      return { loss: Number(one) === 1, gradients: Number(other) === 1 };
    }),
  );
}
