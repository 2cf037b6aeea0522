import { ShallowsError } from '../../errors.js';
import { openTable } from './open-table.js';
import type { TableFile } from './raw-rows.js';
import { usualMissingValues } from './table-config.js';
import { missingText, type TextColumn } from './text-column.js';

/** A column of categories, each named once. */
export interface CategoryColumn {
  /** In the order in which they first occur. */
  readonly values: readonly string[];
  /** `[rows]`: which of the values; −1 where it is missing. */
  readonly codes: Int32Array;
}

/** A table in typed arrays, column by column. */
export interface ColumnTable {
  readonly rows: number;
  /** `[rows]` each, by name, in the order of the columns; NaN where a value is missing. */
  readonly numeric: ReadonlyMap<string, Float64Array>;
  /** By name. */
  readonly categorical: ReadonlyMap<string, CategoryColumn>;
}

/** Which columns {@link readCsv} and {@link readParquet} read. */
export interface ReadTableOptions {
  /** Columns to read; all unless given. */
  readonly columns?: readonly string[];
  /** Those of them that name a category; the others are numbers. */
  readonly categorical?: readonly string[];
}

/** Options of {@link readCsv}. */
export interface ReadCsvOptions extends ReadTableOptions {
  readonly delimiter?: string;
  /** Whether the first line names the columns; else they are called 0, 1, 2, … */
  readonly header?: boolean;
  /** What a cell holds where a value is missing, but for spaces around it. */
  readonly missingValues?: readonly string[];
}

/**
 * Reads a CSV file into typed arrays, as a stream: neither the text nor objects of rows are held. Cells may be quoted, lines
 * end with \n or \r\n, empty lines do not count; true and false are 1 and 0.
 *
 * @throws ShallowsError that names the file, and row (from 1) and column of a cell that is no number
 * @see RFC 4180
 */
export function readCsv(path: string, options: ReadCsvOptions = {}): Promise<ColumnTable> {
  const { delimiter = ',', header = true, missingValues = usualMissingValues } = options;
  return readTable('readCsv', { format: 'csv', path, delimiter, header, missingValues }, options);
}

/**
 * Reads a Parquet file into typed arrays, one row group at a time. Whole numbers of 64 bits and decimals become float64, times
 * milliseconds since 1970, true and false 1 and 0. Packed with Snappy, gzip or brotli, or not at all (Zstandard from Node 22.15).
 *
 * @throws ShallowsError that names the file, and row (from 1) and column of a value that is no number
 * @see https://parquet.apache.org/docs/file-format/
 */
export function readParquet(path: string, options: ReadTableOptions = {}): Promise<ColumnTable> {
  return readTable('readParquet', { format: 'parquet', path }, options);
}

/** @internal The columns of any file of a table. */
export async function readTable(
  fn: string,
  file: TableFile,
  { columns, categorical = [] }: ReadTableOptions,
): Promise<ColumnTable> {
  const reader = await openTable(file);
  const wanted = columns ?? reader.columns;
  const stray = categorical.find((name) => !wanted.includes(name));
  if (stray !== undefined)
    throw new ShallowsError(`${fn}: expected categorical columns among those read, got "${stray}" - add it to columns`);
  const numbers = wanted.filter((name) => !categorical.includes(name));
  const whole = reader.rows === null ? null : wholeColumns(fn, file, numbers.length, reader.rows);
  const pieces = numbers.map((): Float64Array[] => []);
  const codes = categorical.map((): Int32Array[] => []);
  const known = categorical.map(() => new Map<string, number>());
  let rows = 0;
  await reader.scan(
    { numbers, texts: categorical },
    (chunk) => {
      rows += chunk.rows;
      if (whole === null) for (const [i, values] of chunk.numbers.entries()) pieces[i]?.push(values);
      for (const [i, texts] of chunk.texts.entries()) codes[i]?.push(codesOf(texts, known[i] ?? new Map()));
    },
    (firstRow, count) => (whole ?? []).map((column) => column.subarray(firstRow, firstRow + count)),
  );
  return {
    rows,
    numeric: new Map(
      numbers.map((name, i): [string, Float64Array] => [
        name,
        whole?.[i] ?? joined(new Float64Array(rows), pieces[i] ?? []),
      ]),
    ),
    categorical: new Map(
      categorical.map((name, i): [string, CategoryColumn] => {
        const column = joined(new Int32Array(rows), codes[i] ?? []);
        return [name, { values: [...(known[i]?.keys() ?? [])], codes: column }];
      }),
    ),
  };
}

/** Columns of as many rows as a file says it has, which may be too many. */
function wholeColumns(fn: string, { path }: TableFile, count: number, rows: number): Float64Array[] {
  try {
    return Array.from({ length: count }, () => new Float64Array(rows));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ShallowsError(
      `${fn}: expected memory for the ${rows} rows that ${path} says it has, got ${error.message} - ` +
        'read fewer columns, stream the file, or fetch it again if it should be smaller',
      { cause: error },
    );
  }
}

/** Numbers of the texts by their first occurrence in the file. */
function codesOf({ values, codes }: TextColumn, known: Map<string, number>): Int32Array {
  const numbers = new Int32Array(values.length).fill(-1);
  const own = new Int32Array(codes.length);
  for (let row = 0; row < codes.length; row++) {
    const code = codes[row] as number;
    if (code !== missingText && numbers[code] === -1) {
      const text = values[code] as string;
      numbers[code] = known.get(text) ?? known.size;
      known.set(text, numbers[code]);
    }
    own[row] = code === missingText ? missingText : (numbers[code] as number);
  }
  return own;
}

function joined<T extends Float64Array | Int32Array>(whole: T, pieces: readonly T[]): T {
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
