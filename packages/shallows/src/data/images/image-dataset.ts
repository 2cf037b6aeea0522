import { createHash } from 'node:crypto';
import { fromTypedArray, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../../errors.js';
import type { BatchOptions, Dataset } from '../dataset.js';
import type { ImageTable } from '../table.js';
import { imageBatches } from './image-batches.js';
import { channelStatistics, type Normalisation } from './normalisation.js';

/** Labelled pictures of one size, in tensors. */
export interface ImageDataset extends Dataset {
  readonly task: 'classification';
  /** uint8 `[N, C, H, W]` */
  readonly images: Tensor;
  /** int64 `[N]` */
  readonly labels: Tensor;
  readonly classes: readonly string[];
  readonly classCounts: readonly number[];
  /** Channels, height, width. */
  readonly shape: readonly [number, number, number];
  readonly inputShape: readonly [number, number, number];
  /** What its batches are normalised with unless they are told otherwise. */
  readonly normalisation: Normalisation;
}

/** Options of {@link imageDataset}. */
export interface ImageDatasetOptions {
  /** What batches are normalised with: that of its own pictures unless given. A validation set takes that of its training set. */
  readonly normalisation?: Normalisation;
}

/**
 * A dataset of a table's rows.
 *
 * @throws ShallowsError for a table without rows, or a label that has no class
 */
export function imageDataset(
  name: string,
  table: ImageTable,
  classes: readonly string[],
  { normalisation }: ImageDatasetOptions = {},
): ImageDataset {
  const { pixels, labels, shape } = table;
  const size = labels.length;
  const classCounts = countClasses(name, labels, classes.length);
  const images = fromTypedArray(pixels, [size, ...shape]);
  const targets = fromTypedArray(labels, [size], { dtype: 'int64' });
  const dispose = (): void => {
    images.dispose();
    targets.dispose();
  };
  const dataset: ImageDataset = Object.freeze({
    name,
    task: 'classification',
    images,
    labels: targets,
    classes: Object.freeze([...classes]),
    digest: contentDigest(table, classes),
    size,
    shape,
    inputShape: shape,
    inputDtype: 'float32',
    targetShape: Object.freeze([]),
    classCounts: Object.freeze(classCounts),
    vocabulary: null,
    segmentCounts: null,
    normalisation: normalisation ?? channelStatistics(images),
    batches: (options: BatchOptions) => imageBatches(dataset, options),
    dispose,
    [Symbol.dispose]: dispose,
  });
  return dataset;
}

function countClasses(name: string, labels: Int32Array, classes: number): number[] {
  if (labels.length === 0)
    throw new ShallowsError(`imageDataset: expected rows in ${name}, got none - read or generate at least one`);
  const counts = Array.from({ length: classes }, () => 0);
  for (const [row, label] of labels.entries()) {
    const count = counts[label];
    if (count === undefined) {
      throw new ShallowsError(
        `imageDataset: expected labels from 0 to ${classes - 1} in ${name}, got ${label} in row ${row} - name its class`,
      );
    }
    counts[label] = count + 1;
  }
  return counts;
}

/** Bytes hashed at a time: `update` refuses 2 GiB at once. */
const hashPiece = 1 << 28;

/** SHA-256 of a header line (shape and class names as JSON), the pixels, then the labels as little-endian int32. */
export function contentDigest({ pixels, labels, shape }: ImageTable, classes: readonly string[]): string {
  const hash = createHash('sha256');
  hash.update(`${JSON.stringify({ shape: [labels.length, ...shape], classes })}\n`);
  for (let at = 0; at < pixels.length; at += hashPiece) hash.update(pixels.subarray(at, at + hashPiece));
  const littleEndian = new DataView(new ArrayBuffer(4 * labels.length));
  for (const [i, label] of labels.entries()) littleEndian.setInt32(4 * i, label, true);
  hash.update(littleEndian);
  return hash.digest('hex');
}
