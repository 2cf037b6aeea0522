import { canonicalDigest } from './canonical-json.js';
import type { DataRecord } from './run-record.js';

/** What a record needs to know of a data set. */
export interface DescribedSet {
  readonly name: string;
  readonly size: number;
  readonly digest: string;
  readonly classCounts: readonly number[];
}

/** Describes the two sets of a run, such as `textures/train` and its validation set as `textures`; the digest is of both sets' digests, so it changes with either. */
export function dataRecord({
  train,
  validation,
}: {
  readonly train: DescribedSet;
  readonly validation: DescribedSet;
}): DataRecord {
  return {
    name: train.name.replace(/\/train$/, ''),
    digest: canonicalDigest({ train: train.digest, validation: validation.digest }),
    sizes: { train: train.size, validation: validation.size },
    classCounts: { train: [...train.classCounts], validation: [...validation.classCounts] },
  };
}
