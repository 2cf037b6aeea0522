import { z } from 'zod';
import type { TaskKind } from '../data/index.js';
import { canonicalDigest } from './canonical-json.js';
import { count } from './lossless-json.js';
import { taskKind } from './shapes.js';

/** A fact of both sets. */
export interface OfBoth<T> {
  readonly train: T;
  readonly validation: T;
}

/** What was learnt from, and what was measured on. */
export interface DataRecord {
  readonly name: string;
  readonly task: TaskKind;
  /** SHA-256 over the contents of both sets. */
  readonly digest: string;
  /** SHA-256 over the contents of each set: its manifest. */
  readonly sets: OfBoth<string>;
  /** SHA-256 of what decided which row is in which set; null where the data came in two sets. */
  readonly splitDigest: string | null;
  readonly sizes: OfBoth<number>;
  /** Names of the classes; null where targets are no classes. */
  readonly classes: readonly string[] | null;
  /** Rows of each class. */
  readonly classCounts: OfBoth<readonly number[] | null>;
  /** Rows of each segment, by its name. */
  readonly segmentCounts: OfBoth<Readonly<Record<string, number>> | null>;
}

/** What a record needs to know of a data set. */
export interface DescribedSet {
  readonly name: string;
  readonly task: TaskKind;
  readonly size: number;
  readonly digest: string;
  readonly classes: readonly string[] | null;
  readonly classCounts: readonly number[] | null;
  readonly segmentCounts: Readonly<Record<string, number>> | null;
}

/**
 * Describes the two sets of a run, such as `textures/train` and its validation set as `textures`; the digest is of both sets'
 * digests, so it changes with either.
 *
 * @param split what decided which row is in which set, as plain JSON data: its digest is recorded
 */
export function dataRecord({
  train,
  validation,
  split,
}: OfBoth<DescribedSet> & { readonly split?: unknown }): DataRecord {
  return {
    name: train.name.replace(/\/train$/, ''),
    task: train.task,
    digest: canonicalDigest({ train: train.digest, validation: validation.digest }),
    sets: { train: train.digest, validation: validation.digest },
    splitDigest: split === undefined || split === null ? null : canonicalDigest(split),
    sizes: { train: train.size, validation: validation.size },
    classes: train.classes === null ? null : [...train.classes],
    classCounts: both(train.classCounts, validation.classCounts, (counts) => [...counts]),
    segmentCounts: both(train.segmentCounts, validation.segmentCounts, (counts) => ({ ...counts })),
  };
}

function both<T>(train: T | null, validation: T | null, copy: (counts: T) => T): OfBoth<T | null> {
  return { train: train === null ? null : copy(train), validation: validation === null ? null : copy(validation) };
}

const ofBoth = <T extends z.ZodType>(each: T) => z.object({ train: each, validation: each });

/** Schema of `DataRecord`. */
export const dataRecordShape: z.ZodType<DataRecord> = z.object({
  name: z.string(),
  task: taskKind,
  digest: z.string(),
  sets: ofBoth(z.string()),
  splitDigest: z.string().nullable(),
  sizes: ofBoth(count),
  classes: z.array(z.string()).nullable(),
  classCounts: ofBoth(z.array(count).nullable()),
  segmentCounts: ofBoth(z.record(z.string(), count).nullable()),
});
