import { ShallowsError, shown } from '../errors.js';
import { deriveKey, type Key, permutation } from '../random/index.js';
import type { BatchOptions } from './dataset.js';

/** Where batches begin and end in the order of an epoch, and what that order is drawn from. */
export interface BatchPlan {
  /** How many batches there are. */
  readonly length: number;
  /** How many of the first rows of the dataset take part. */
  readonly rows: number;
  readonly epoch: number;
  /** Null where nothing is random. */
  readonly key: Key | null;
  /** What the order is drawn from; null for that of the dataset. */
  readonly orderKey: Key | null;
  readonly workers: number;
  /** The positions in the order from `start` up to, not including, `end` that this rank takes of batch i. */
  span(i: number): { readonly start: number; readonly end: number };
}

/**
 * Checks the options of an epoch over `size` rows, and says where its batches lie.
 *
 * @param augmented whether rows are changed at random, which needs a key too
 * @throws ShallowsError for options out of range, or randomness without a key
 */
export function batchPlan(size: number, options: BatchOptions, augmented = false): BatchPlan {
  const {
    batchSize,
    epoch = 0,
    shuffle = false,
    dropLast = false,
    shard = { rank: 0, size: 1 },
    workers = 0,
  } = options;
  const rows = Math.min(options.rows ?? size, size);
  requireWhole('batchSize', batchSize, 1);
  requireWhole('rows', rows, 1);
  requireWhole('epoch', epoch, 0);
  requireWhole('workers', workers, 0, 64);
  requireWhole('shard.size', shard.size, 1);
  requireWhole('shard.rank', shard.rank, 0, shard.size - 1);
  const key = shuffle || augmented ? requireKey(options.key) : null;
  const length = dropLast ? Math.floor(rows / batchSize) : Math.ceil(rows / batchSize);
  return {
    length,
    rows,
    epoch,
    key,
    orderKey: key !== null && shuffle ? deriveKey(key, 'order', epoch) : null,
    workers,
    span(i) {
      if (!Number.isInteger(i) || i < 0 || i >= length) {
        throw new ShallowsError(`batches: expected a batch from 0 to ${length - 1}, got ${shown(i)} - count from 0`);
      }
      const first = i * batchSize;
      const count = Math.min(batchSize, rows - first);
      return {
        start: first + Math.floor((shard.rank * count) / shard.size),
        end: first + Math.floor(((shard.rank + 1) * count) / shard.size),
      };
    },
  };
}

/** The rows of batch i, `[B]`, of a dataset in which each row is as near as another: a full shuffle. */
export function rowPicker({ rows, orderKey, span }: BatchPlan): (i: number) => Uint32Array {
  let order: Uint32Array | null = null;
  return (i) => {
    const { start, end } = span(i);
    if (orderKey !== null) order ??= permutation(orderKey, rows);
    return order?.slice(start, end) ?? Uint32Array.from({ length: end - start }, (_, j) => start + j);
  };
}

/** Refuses what only pictures have. */
export function refusePictureOptions(name: string, { augment = {}, normalise }: BatchOptions): void {
  const given = Object.entries(augment).find(([, value]) => value !== undefined && value !== false)?.[0];
  const option = given !== undefined ? `augment.${given}` : normalise !== undefined ? 'normalise' : null;
  if (option === null) return;
  throw new ShallowsError(
    `batches: expected no ${option} for ${name}, got one - it is for pictures alone, leave it out`,
  );
}

/** @internal Checks a whole number of the options. */
export function requireWhole(name: string, value: number, least: number, most = Number.MAX_SAFE_INTEGER): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return;
  const range = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`;
  throw new ShallowsError(`batches: expected a whole number ${range} as ${name}, got ${shown(value)} - correct it`);
}

function requireKey(key: Key | undefined): Key {
  if (key !== undefined) return key;
  throw new ShallowsError(
    'batches: expected a key for shuffle or augment, got none - derive one from the seed of the run',
  );
}
