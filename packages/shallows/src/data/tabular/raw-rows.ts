import type { TextColumn } from './text-column.js';

/** Which columns of a file are read as numbers and which as text, by name. */
export interface ReadColumns {
  readonly numbers: readonly string[];
  readonly texts: readonly string[];
}

/** Some neighbouring rows of a file, column by column. */
export interface RawRows {
  /** Number of the first one in the file, from 0, without the header. */
  readonly firstRow: number;
  readonly rows: number;
  /** `[rows]` each, in the order of `ReadColumns.numbers`; NaN where a value is missing. */
  readonly numbers: readonly Float64Array[];
  /** `[rows]` each, in the order of `ReadColumns.texts`. */
  readonly texts: readonly TextColumn[];
}

/** Where a chunk lies in its file: bytes of a CSV file, rows of a Parquet file. */
export interface ChunkPlace {
  readonly start: number;
  readonly end: number;
  readonly firstRow: number;
  readonly rows: number;
}

/** A file of a table. What it says of itself is plain data, so that a thread can open it anew. */
export type TableFile =
  | {
      readonly format: 'csv';
      readonly path: string;
      readonly delimiter: string;
      /** Whether the first line names the columns; else they are called 0, 1, 2, … */
      readonly header: boolean;
      /** What a cell holds where a value is missing. */
      readonly missingValues: readonly string[];
    }
  | { readonly format: 'parquet'; readonly path: string };

/** Called for each chunk, one after the other. */
export type VisitRows = (rows: RawRows, place: ChunkPlace) => void;

/** Says where the numbers of some rows belong: `[rows]` each, in the order of `ReadColumns.numbers`. */
export type PlaceNumbers = (firstRow: number, rows: number) => readonly Float64Array[];

/** Reads a file chunk by chunk. */
export interface TableReader {
  /** Names of its columns. */
  readonly columns: readonly string[];
  /** How many rows the file says it has; null where only reading tells. */
  readonly rows: number | null;
  /** Goes once through the whole file in bounded memory. Where `rows` is known, `place` may say where numbers belong. */
  scan(columns: ReadColumns, visit: VisitRows, place?: PlaceNumbers): Promise<void>;
  /** One chunk that `scan` has seen. @throws ShallowsError where the file is no longer what it was */
  read(columns: ReadColumns, place: ChunkPlace): Promise<RawRows>;
}
