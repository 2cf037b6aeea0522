import { type DType, grad, type Tensor, tensor } from '../../packages/torch/src/index.js';

/** Values without structure from −1 to 1. */
export function values(shape: readonly number[], dtype: DType = 'float64', seed = 1): Tensor {
  const count = shape.reduce((a, b) => a * b, 1);
  return tensor(
    Array.from({ length: count }, (_, i) => Math.sin(12.9898 * (i + 1) + 78.233 * seed)),
    { dtype, shape },
  );
}

/** The same, to be differentiated. */
export const leaf = (...args: Parameters<typeof values>): Tensor => values(...args).requiresGrad_();

/** What a tensor holds, to the last bit. */
export const bits = (x: Tensor): string => Buffer.from(x.toBytes()).toString('hex');

/** Σ weights · out, to reach every element of a gradient. */
export const weigh = (out: Tensor): Tensor => out.mul(values(out.shape, out.dtype, 9)).sum();

/** The gradients of Σ weights · fn(inputs). */
export function gradients(fn: (...inputs: Tensor[]) => Tensor, inputs: readonly Tensor[]): (Tensor | null)[] {
  return grad(weigh(fn(...inputs)), inputs, { allowUnused: true });
}
