import { fromTypedArray, ops, scope, type Tensor } from '@shallows/torch';
import { ShallowsError, shown } from '../errors.js';
import { deriveKey, type Key, permutation } from '../random/index.js';
import { applyAugmentation, drawAugmentation } from './augment.js';
import type { Augmentation } from './config.js';
import type { ImageDataset } from './dataset.js';
import type { Normalisation } from './normalisation.js';

/** Some rows of a dataset, ready for a model. */
export interface Batch {
  /** float32 `[B, C, H, W]`, normalised and augmented */
  readonly inputs: Tensor;
  /** int64 `[B]` */
  readonly targets: Tensor;
  /** Which rows of the dataset these are, `[B]`. */
  readonly indices: Uint32Array;
  /** B */
  readonly size: number;
}

/** The batches of one pass over a dataset. */
export interface BatchSource {
  /** How many there are. */
  readonly length: number;
  /** Makes batch i: at once, at any position. Its tensors belong to the scope of the caller. */
  at(i: number): Batch;
}

/** Options of {@link batches}. */
export interface BatchOptions {
  readonly batchSize: number;
  readonly normalise: Normalisation;
  /** Randomness of order and augmentation; needed where there is any. */
  readonly key?: Key | undefined;
  /** Which pass over the data this is, from 0: each has another order and other augmentation. */
  readonly epoch?: number | undefined;
  /** Whether the order is random; else it is that of the dataset. */
  readonly shuffle?: boolean | undefined;
  readonly augment?: Augmentation | undefined;
  /** Leaves out the last batch where it is smaller than the others. */
  readonly dropLast?: boolean | undefined;
  /** Takes the first rows of the dataset only. */
  readonly rows?: number | undefined;
}

/**
 * Cuts one pass over a dataset into batches. Without `shuffle` and `augment` nothing is random, as evaluation wants it.
 *
 * Batch i is a function of (key, epoch, i) and the dataset, and a row's augmentation of (key, epoch, row): a resumed or
 * otherwise batched run sees the same pictures.
 *
 * @throws ShallowsError for options out of range, or randomness without a key
 */
export function batches(dataset: ImageDataset, options: BatchOptions): BatchSource {
  const { batchSize, normalise, epoch = 0, shuffle = false, augment = {}, dropLast = false } = options;
  const rows = Math.min(options.rows ?? dataset.size, dataset.size);
  requireWhole('batchSize', batchSize, 1);
  requireWhole('rows', rows, 1);
  requireWhole('epoch', epoch, 0);
  const { crop, flip = false } = augment;
  if (crop !== undefined) requireWhole('augment.crop.padding', crop.padding, 1);
  const [channels] = dataset.shape;
  if (normalise.mean.length !== channels || normalise.std.length !== channels) {
    const got = `${normalise.mean.length} and ${normalise.std.length}`;
    throw new ShallowsError(
      `batches: expected a mean and a std for each of ${channels} channels, got ${got} - take those of the set`,
    );
  }
  const random = shuffle || crop !== undefined || flip;
  const key = random ? requireKey(options.key) : null;
  const orderKey = key !== null && shuffle ? deriveKey(key, 'order', epoch) : null;
  let order: Uint32Array | null = null;
  const augmentKey = key !== null && (crop !== undefined || flip) ? deriveKey(key, 'augment', epoch) : null;
  const length = dropLast ? Math.floor(rows / batchSize) : Math.ceil(rows / batchSize);

  return {
    length,
    at(i) {
      if (!Number.isInteger(i) || i < 0 || i >= length) {
        throw new ShallowsError(`batches: expected a batch from 0 to ${length - 1}, got ${shown(i)} - count from 0`);
      }
      const start = i * batchSize;
      const end = Math.min(start + batchSize, rows);
      if (orderKey !== null) order ??= permutation(orderKey, rows);
      const indices = order?.slice(start, end) ?? Uint32Array.from({ length: end - start }, (_, j) => start + j);
      return scope(() => {
        const { device } = dataset.images;
        const index = fromTypedArray(Int32Array.from(indices), [indices.length], { device });
        const targets: Tensor = ops.aten.index_select.default(dataset.labels, 0, index);
        let inputs = toNormalised(ops.aten.index_select.default(dataset.images, 0, index), normalise);
        if (augmentKey !== null)
          inputs = applyAugmentation(inputs, augment, drawAugmentation(augment, augmentKey, indices));
        return { inputs, targets, indices, size: indices.length };
      });
    },
  };
}

function toNormalised(images: Tensor, { mean, std }: Normalisation): Tensor {
  const { device } = images;
  const perChannel = (values: readonly number[]): Tensor =>
    fromTypedArray(Float32Array.from(values), [1, values.length, 1, 1], { device });
  const scaled: Tensor = ops.aten.mul_.Tensor(images.to('float32'), perChannel(std.map((each) => 1 / (255 * each))));
  return ops.aten.sub_.Tensor(scaled, perChannel(mean.map((each, c) => each / (std[c] ?? 1))));
}

function requireWhole(name: string, value: number, least: number): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new ShallowsError(
    `batches: expected a whole number from ${least} as ${name}, got ${shown(value)} - correct it`,
  );
}

function requireKey(key: Key | undefined): Key {
  if (key !== undefined) return key;
  throw new ShallowsError(
    'batches: expected a key for shuffle or augment, got none - derive one from the seed of the run',
  );
}
