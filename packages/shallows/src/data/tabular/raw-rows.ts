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
  /** `[rows]` each, in the order of `ReadColumns.texts`; null where a value is missing. */
  readonly texts: readonly (readonly (string | null)[])[];
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

/** Reads a file chunk by chunk. */
export interface TableReader {
  /** Names of its columns. */
  readonly columns: readonly string[];
  /** Goes once through the whole file in bounded memory. */
  scan(columns: ReadColumns, visit: (rows: RawRows, place: ChunkPlace) => void): Promise<void>;
  /** One chunk that `scan` has seen. @throws ShallowsError where the file is no longer what it was */
  read(columns: ReadColumns, place: ChunkPlace): Promise<RawRows>;
}
