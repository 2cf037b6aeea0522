import type { Tensor } from '@shallows/torch';
import type { Key } from '../random/index.js';
import type { Augmentation } from './config.js';
import type { Normalisation } from './images/normalisation.js';

/** What is learnt: one class of a row, numbers of a row, or the next token at each position. */
export type TaskKind = 'classification' | 'regression' | 'language';

/** Rows to learn from, in memory, on disk or generated: all that a trainer knows of its data. */
export interface Dataset {
  /** What it is and which part: `csv/train`. */
  readonly name: string;
  readonly task: TaskKind;
  /** Rows, N. */
  readonly size: number;
  /** SHA-256 over content, hexadecimal: equal for equal content, wherever it was read and however it is held. */
  readonly digest: string;
  /** Shape of the input of one row: `[C, H, W]` of a picture, `[F]` of a table, `[T]` tokens, `[W, C]` of a series. */
  readonly inputShape: readonly number[];
  readonly inputDtype: 'float32' | 'int64';
  /** Shape of the target of one row: `[]` a class, `[k]` numbers, `[T]` tokens. */
  readonly targetShape: readonly number[];
  /** Names of the classes; null unless the task is classification. */
  readonly classes: readonly string[] | null;
  /** Rows of each class; null unless the task is classification. */
  readonly classCounts: readonly number[] | null;
  /** How many different tokens there are; null unless inputs are numbers of tokens. */
  readonly vocabulary: number | null;
  /** Rows of each segment, by name in ascending order; null where rows have no segments. */
  readonly segmentCounts: Readonly<Record<string, number>> | null;
  /** Cuts one pass over the rows into batches. Without `shuffle` and `augment` nothing is random. */
  batches(options: BatchOptions): BatchSource;
  /** Frees what it holds. */
  dispose(): void;
  [Symbol.dispose](): void;
}

/** Some rows of a dataset, ready for a model. */
export interface Batch {
  /** float32 or int64 `[B, …inputShape]` */
  readonly inputs: Tensor;
  /** int64 `[B]` classes, float32 `[B, k]` numbers or int64 `[B, T]` tokens */
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
  /**
   * Makes batch i, at any position; waits for the disk where the batch was not prepared. Its tensors belong to the scope of
   * the caller.
   */
  at(i: number): Batch;
  /** Reads for batch i, and in the background for some batches after it; once it resolves `at(i)` waits for nothing. */
  prepare?(i: number): Promise<void>;
  /** Ends reading in the background. The batches that were made stay. */
  close?(): Promise<void>;
}

/** Which part of each batch a process takes: rank r of n takes the rows from ⌊r·B/n⌋ to ⌊(r + 1)·B/n⌋ of the B. */
export interface Shard {
  /** From 0. */
  readonly rank: number;
  /** How many processes share a batch. */
  readonly size: number;
}

/** Options of {@link Dataset.batches}. */
export interface BatchOptions {
  /** Rows of a batch, of all ranks together. */
  readonly batchSize: number;
  /** Randomness of order and augmentation; needed where there is any. */
  readonly key?: Key | undefined;
  /** Which pass over the data this is, from 0: each has another order and other augmentation. */
  readonly epoch?: number | undefined;
  /** Whether the order is random; else it is that of the dataset. */
  readonly shuffle?: boolean | undefined;
  /** What is done to pictures at random; other data refuse it. */
  readonly augment?: Augmentation | undefined;
  /** Leaves out the last batch where it is smaller than the others. */
  readonly dropLast?: boolean | undefined;
  /** Takes the first rows of the dataset only. */
  readonly rows?: number | undefined;
  /** Only this rank's part of each batch; the whole batch unless given. A rank has no rows only where a batch has fewer than there are ranks. */
  readonly shard?: Shard | undefined;
  /**
   * Threads that read and decode streamed data ahead, 0 for none; batches are the same for any number. Data in memory have
   * nothing to read and start none.
   */
  readonly workers?: number | undefined;
  /** Pictures alone: mean and deviation to use instead of the dataset's own. */
  readonly normalise?: Normalisation | undefined;
}
