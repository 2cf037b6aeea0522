import type { Tensor } from './tensor.js';

/** The operator of this package that normalises by the statistics of a batch. */
export interface BatchNormOperators {
  /**
   * y = weight · (x − μ) / √(σ² + eps) + bias, with the mean μ and the biased variance σ² of each channel over the batch, and
   * y = max(y, 0) with `relu`. `x`: `[B, C, …]`; `weight`, `bias` and the running statistics: `[C]`, the latter both or
   * neither: r ← (1 − momentum) · r + momentum · batch, of the unbiased variance.
   *
   * As `aten::batch_norm` in training, followed by `relu`. On row-major float32 and float64 batches of the CPU a channel is
   * normalised while it is in the cache, the relu costs no pass of its own, and the backward pass keeps `x` alone; sums are
   * then formed in another order than libtorch's. TorchError for a single value a channel, and for shapes that do not fit.
   */
  batch_norm(
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    runningMean: Tensor | null,
    runningVar: Tensor | null,
    momentum: number,
    eps: number,
    options?: { readonly relu?: boolean },
  ): Tensor;
}
