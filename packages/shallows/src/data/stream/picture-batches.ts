import { fromBytes, fromTypedArray, scope } from '@shallows/torch';
import { rowPicker } from '../batch-plan.js';
import type { BatchOptions, BatchSource } from '../dataset.js';
import type { Normalisation } from '../images/normalisation.js';
import { picturePipeline } from '../images/picture-pipeline.js';
import type { BlockRequest, ReadBlock } from './block.js';
import { ReadAhead } from './read-ahead.js';
import type { Threads } from './threads.js';

/** Pictures that stay on disk. */
export interface PictureFiles {
  readonly files: readonly string[];
  /** Class of each. */
  readonly labels: Int32Array;
  readonly shape: readonly [number, number, number];
  readonly normalisation: Normalisation;
  readonly threads: Threads;
  readonly readHere: ReadBlock;
}

/** The batches of pictures that are decoded when they are needed: two batches a worker are read ahead, one without workers. */
export function pictureBatches(
  { files, labels, shape, normalisation, threads, readHere }: PictureFiles,
  options: BatchOptions,
): BatchSource {
  const { plan, inputs } = picturePipeline({ size: files.length, shape, normalisation }, options);
  const pick = rowPicker(plan);
  const reader = new ReadAhead(threads, plan.workers, readHere);
  const ahead = Math.max(1, 2 * plan.workers);
  const request = (i: number): BlockRequest => ({ number: i, files: Array.from(pick(i), (row) => files[row] ?? '') });
  return {
    length: plan.length,
    async prepare(i) {
      const wanted = [request(i)];
      for (let next = i + 1; next < Math.min(plan.length, i + 1 + ahead); next++) wanted.push(request(next));
      reader.want(wanted);
      await reader.ready(wanted.slice(0, 1));
    },
    at(i) {
      const indices = pick(i);
      const [block] = reader.take([request(i)]);
      const pixels = new Uint8Array(block?.inputs.buffer ?? new ArrayBuffer(0));
      return scope(() => ({
        inputs: inputs(fromBytes(pixels, 'uint8', [indices.length, ...shape]), indices),
        targets: fromTypedArray(
          Int32Array.from(indices, (row) => labels[row] ?? 0),
          [indices.length],
          { dtype: 'int64' },
        ),
        indices,
        size: indices.length,
      }));
    },
    close: async () => reader.close(),
  };
}
