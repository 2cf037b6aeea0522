import { Operator } from '../operator.js';
import type { Tensor } from '../tensor.js';
import type { ProcessGroup } from './process-group.js';

const operator = new Operator('shallows::sync_batch_norm');

/** What {@link syncBatchNorm} needs beside its input. All tensors `[C]`. */
export interface SyncBatchNormOptions {
  readonly group: ProcessGroup;
  readonly weight: Tensor;
  readonly bias: Tensor;
  /** Moved by the batch's mean, in place; null: nothing is. */
  readonly runningMean: Tensor | null;
  /** Moved by the batch's unbiased variance, in place. */
  readonly runningVar: Tensor | null;
  readonly momentum: number;
  readonly eps: number;
  /** A whole number that stands for the layer on all ranks. Ranks that run different layers at once get an error. */
  readonly layer?: number;
}

/**
 * Batch normalisation with the statistics of all ranks: y = γ · (x − μ)/√(σ² + ε) + β, where μ and σ² are those of the rows of
 * all ranks together. Its gradient is that of one process that has all rows. Input and output `[B, C, …]`; ranks may have
 * different numbers of rows.
 *
 * Blocks until all ranks are there, forward and backward: every rank must run the same layers in the same order.
 *
 * @throws TorchError for shapes that do not fit, fewer than 2 values a channel over all ranks, ranks that run different
 *   layers, and where a rank is missing
 */
export function syncBatchNorm(
  x: Tensor,
  { group, weight, bias, runningMean, runningVar, momentum, eps, layer = 0 }: SyncBatchNormOptions,
): Tensor {
  return operator.call([x, weight, bias, runningMean, runningVar, momentum, eps, group.id, layer]) as Tensor;
}
