import type { JsonObject } from '../nn/json.js';
import type { Dataset } from './dataset.js';
import type { ImageDataset } from './images/image-dataset.js';

/** What a run learns from and what it is judged by. */
export interface DataSplits<D extends Dataset = Dataset> {
  readonly train: D;
  readonly validation: D;
  /** What was fitted on the training rows, and what new rows need to become inputs: plain JSON. */
  readonly fitted: JsonObject;
  /** Frees both sets. */
  dispose(): void;
  [Symbol.dispose](): void;
}

/** Two sets of pictures. */
export interface ImageSplits extends DataSplits<ImageDataset> {
  /** Mean of v / 255 in each channel of the training pictures. */
  readonly mean: readonly number[];
  /** Their standard deviation. */
  readonly std: readonly number[];
}

/**
 * What frees something that two sets share: it is freed when each of them is.
 *
 * @returns a function for each of the `count` sets; calling one twice counts once
 */
export function sharedDisposal(count: number, free: () => void): (() => void)[] {
  let left = count;
  return Array.from({ length: count }, () => {
    let done = false;
    return () => {
      if (done) return;
      done = true;
      left--;
      if (left === 0) free();
    };
  });
}

/** Two sets and what was fitted on the first. */
export function dataSplits<D extends Dataset>(train: D, validation: D, fitted: JsonObject): DataSplits<D> {
  const dispose = (): void => {
    train.dispose();
    validation.dispose();
  };
  return Object.freeze({ train, validation, fitted, dispose, [Symbol.dispose]: dispose });
}
