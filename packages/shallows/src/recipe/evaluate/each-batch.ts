import { noGrad, scope } from '@shallows/torch';
import type { Batch, Dataset } from '../../data/index.js';

/** Runs something on each batch of a set in its order, without gradients; its tensors are freed after each. */
export async function eachBatch(
  dataset: Dataset,
  batchSize: number,
  run: (batch: Batch) => void,
  rows = dataset.size,
): Promise<void> {
  const source = dataset.batches({ batchSize, rows });
  try {
    for (let i = 0; i < source.length; i++) {
      await source.prepare?.(i);
      noGrad(() => scope(() => run(source.at(i))));
    }
  } finally {
    await source.close?.();
  }
}
