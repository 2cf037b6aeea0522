import type { Tensor } from './tensor.js';

/** The operator of this package that multiplies by the weights of a layer. */
export interface LinearOperators {
  /**
   * y = x·Wᵀ + b. `x`: `[…, K]`, `weight`: `[N, K]`, `bias`: `[N]`; y: `[…, N]`.
   *
   * As `aten::linear`. For float32 on the CPU libtorch has two libraries, and multiplies by MKL, whose fast loops are for
   * Intel's processors alone: on others the product and its gradients are those of oneDNN from 16,384 weights on, which is
   * faster there. TorchError for shapes that do not fit.
   */
  linear(x: Tensor, weight: Tensor, bias?: Tensor | null): Tensor;
}
