import { fromTypedArray, scope } from '@shallows/torch';
import { batchPlan, refusePictureOptions } from '../batch-plan.js';
import type { BatchOptions, BatchSource, Dataset } from '../dataset.js';
import type { Block, BlockRequest, ReadBlock } from './block.js';
import { ChunkOrder, type ChunkRow } from './chunk-order.js';
import { ReadAhead } from './read-ahead.js';
import type { Threads } from './threads.js';

/** Rows of a set that are read chunk by chunk. */
export interface ChunkedRows {
  readonly dataset: Dataset;
  /** Rows of each chunk. */
  readonly counts: readonly number[];
  /** How many chunks are mixed when rows are shuffled. */
  readonly window: number;
  readonly threads: Threads;
  readonly readHere: ReadBlock;
}

/** The batches of a table that stays on disk. Held at a time: the window that is read from and the next one, or a chunk and one a worker. */
export function tableBatches(
  { dataset, counts, window, threads, readHere }: ChunkedRows,
  options: BatchOptions,
): BatchSource {
  refusePictureOptions(dataset.name, options);
  const plan = batchPlan(dataset.size, options);
  const order = new ChunkOrder(firstRows(counts, plan.rows), plan.orderKey, window);
  const reader = new ReadAhead(threads, plan.workers, readHere);
  const ahead = plan.orderKey === null ? Math.max(1, plan.workers) : 1;
  return {
    length: plan.length,
    async prepare(i) {
      const { start, end } = plan.span(i);
      const needed = request(order.chunks(start, end, 0));
      reader.want(request(order.chunks(start, end, ahead)));
      await reader.ready(needed);
    },
    at(i) {
      const { start, end } = plan.span(i);
      const needed = start === end ? [] : order.chunks(start, end, 0);
      const blocks = reader.take(request(needed));
      return toBatch(dataset, new Map(needed.map((chunk, j) => [chunk, blocks[j]])), order.rows(start, end));
    },
    close: async () => reader.close(),
  };
}

function request(chunks: readonly number[]): BlockRequest[] {
  return chunks.map((number) => ({ number, files: [] }));
}

function firstRows(counts: readonly number[], rows: number): number[] {
  let left = rows;
  return counts.map((count) => {
    const kept = Math.min(count, left);
    left -= kept;
    return kept;
  });
}

function toBatch(dataset: Dataset, blocks: ReadonlyMap<number, Block | undefined>, rows: readonly ChunkRow[]) {
  const { inputShape, inputDtype, targetShape, task } = dataset;
  const width = inputShape.reduce((product, size) => product * size, 1);
  const targetWidth = targetShape.reduce((product, size) => product * size, 1);
  const inputs = inputDtype === 'int64' ? new Int32Array(rows.length * width) : new Float32Array(rows.length * width);
  const classes = task === 'classification';
  const targets = classes ? new Int32Array(rows.length) : new Float32Array(rows.length * targetWidth);
  for (const [i, { chunk, row }] of rows.entries()) {
    const block = blocks.get(chunk);
    if (block?.targets === undefined || block.targets === null) throw new Error(`chunk ${chunk} is not held`);
    inputs.set(block.inputs.subarray(row * width, (row + 1) * width), i * width);
    targets.set(block.targets.subarray(row * targetWidth, (row + 1) * targetWidth), i * targetWidth);
  }
  return scope(() => ({
    inputs: fromTypedArray(inputs, [rows.length, ...inputShape], { dtype: inputDtype }),
    targets: fromTypedArray(targets, [rows.length, ...targetShape], { dtype: classes ? 'int64' : 'float32' }),
    indices: Uint32Array.from(rows, ({ index }) => index),
    size: rows.length,
  }));
}
