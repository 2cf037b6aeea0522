import type { BatchOptions, BatchSource, Dataset } from './dataset.js';

/**
 * Cuts one pass over a dataset into batches. Without `shuffle` and `augment` nothing is random, as evaluation wants it.
 *
 * Batch i is a function of (key, epoch, i) and the dataset, and a row's augmentation of (key, epoch, row): a resumed or
 * otherwise batched run sees the same rows, whatever the number of workers.
 *
 * @throws ShallowsError for options out of range, or randomness without a key
 */
export function batches(dataset: Dataset, options: BatchOptions): BatchSource {
  return dataset.batches(options);
}
