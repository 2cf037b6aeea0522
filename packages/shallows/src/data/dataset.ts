import { createHash } from 'node:crypto';
import { fromTypedArray, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../errors.js';
import type { ImageTable } from './table.js';

/** Labelled pictures of one size, in tensors. */
export interface ImageDataset {
  readonly name: string;
  /** uint8 `[N, C, H, W]` */
  readonly images: Tensor;
  /** int64 `[N]` */
  readonly labels: Tensor;
  readonly classes: readonly string[];
  /** SHA-256 over pictures, labels, shape and class names, hexadecimal: equal for equal content, wherever it was read. */
  readonly digest: string;
  /** N */
  readonly size: number;
  /** Channels, height, width. */
  readonly shape: readonly [number, number, number];
  /** Rows of each class. */
  readonly classCounts: readonly number[];
  /** Frees both tensors. */
  dispose(): void;
  [Symbol.dispose](): void;
}

/**
 * A dataset of a table's rows.
 *
 * @throws ShallowsError for a table without rows, or a label that has no class
 */
export function imageDataset(name: string, table: ImageTable, classes: readonly string[]): ImageDataset {
  const { pixels, labels, shape } = table;
  const size = labels.length;
  if (size === 0)
    throw new ShallowsError(`imageDataset: expected rows in ${name}, got none - read or generate at least one`);
  const classCounts = classes.map(() => 0);
  for (const [row, label] of labels.entries()) {
    const count = classCounts[label];
    if (count === undefined) {
      const range = `0 to ${classes.length - 1}`;
      throw new ShallowsError(
        `imageDataset: expected labels from ${range} in ${name}, got ${label} in row ${row} - name its class`,
      );
    }
    classCounts[label] = count + 1;
  }
  const images = fromTypedArray(pixels, [size, ...shape]);
  const targets = fromTypedArray(labels, [size], { dtype: 'int64' });
  const dispose = (): void => {
    images.dispose();
    targets.dispose();
  };
  return Object.freeze({
    name,
    images,
    labels: targets,
    classes: Object.freeze([...classes]),
    digest: contentDigest(table, classes),
    size,
    shape,
    classCounts: Object.freeze(classCounts),
    dispose,
    [Symbol.dispose]: dispose,
  });
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
