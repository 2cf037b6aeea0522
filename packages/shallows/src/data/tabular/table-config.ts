import type { Limit } from '../config.js';
import type { ColumnChoice } from './roles.js';
import type { MissingPolicy } from './survey.js';

/** What all tables have. */
export interface TableConfig extends ColumnChoice {
  /** The file that is learnt from; where there is no validation file, a share of its rows validates. */
  readonly path: string;
  /** Another file of the same columns. */
  readonly validation?: string | undefined;
  /** Share of the rows that validate where there is no validation file, chosen by their content. */
  readonly validationShare?: number | undefined;
  /** Names of the classes, in the order of their numbers; those that occur, ascending, unless given. */
  readonly classes?: readonly string[] | undefined;
  /** What a categorical feature becomes: 0 and 1 for each category, or its number from 1 (0 for one unknown to training). */
  readonly encoding?: 'onehot' | 'index' | undefined;
  /** Whether numeric features get mean 0 and deviation 1 over the training rows. */
  readonly standardise?: boolean | undefined;
  /** The same for the targets of a regression. */
  readonly standardiseTarget?: boolean | undefined;
  readonly missing?: MissingPolicy | undefined;
  /** Whether rows stay in the file and are read chunk by chunk as batches need them. */
  readonly stream?: boolean | undefined;
  /** How many chunks are mixed where streamed rows are shuffled. */
  readonly window?: number | undefined;
  readonly limit?: Limit | undefined;
}

/** A text file of rows, the first of which names the columns. */
export interface CsvConfig extends TableConfig {
  readonly kind: 'csv';
  readonly delimiter?: string | undefined;
  /** Whether the first line names the columns; else they are called 0, 1, 2, … */
  readonly header?: boolean | undefined;
  /** What a cell holds where a value is missing. */
  readonly missingValues?: readonly string[] | undefined;
}

/** A Parquet file, whose row groups are its chunks. */
export interface ParquetConfig extends TableConfig {
  readonly kind: 'parquet';
}

/** What a missing value looks like in a CSV file, unless said otherwise. */
export const usualMissingValues: readonly string[] = ['', 'NA', 'N/A', 'NaN', 'nan', 'null', 'NULL'];
