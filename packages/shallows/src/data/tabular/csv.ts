import { createReadStream } from 'node:fs';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CsvError, parse } from 'csv-parse';
import { ShallowsError, shown } from '../../errors.js';
import { unreadable } from '../read-file.js';
import { cellError, changedFile, noSuchColumn } from './cell-errors.js';
import type { ChunkPlace, RawRows, ReadColumns, TableFile, TableReader } from './raw-rows.js';
import { RowsBuilder } from './rows-builder.js';

type CsvFile = Extract<TableFile, { format: 'csv' }>;

/** A chunk ends with the row at which it has so many rows or bytes. */
const chunkRows = 4096;
const chunkBytes = 1 << 22;
/** Longest line, in characters: an unclosed quote would take the rest of the file for a cell. */
const longestRow = 1 << 24;
const fn = 'readCsv';

/** Opens a CSV file: reads its header. @throws ShallowsError that names the file and what is wrong with it */
export async function openCsv(file: CsvFile): Promise<TableReader> {
  const names = await readHeader(file);
  const columns = file.header ? names : names.map((_, i) => String(i));
  const twice = columns.find((name, i) => columns.indexOf(name) !== i);
  if (twice !== undefined)
    throw new ShallowsError(`${fn}: expected each column of ${file.path} once, got ${shown(twice)} twice - rename one`);
  return {
    columns,
    scan: (wanted, visit) => scan(file, columns, wanted, visit),
    read: (wanted, place) => readChunk(file, columns, wanted, place),
  };
}

async function readHeader(file: CsvFile): Promise<readonly string[]> {
  let header: readonly string[] | null = null;
  await parseRecords(file, {}, (record) => {
    header = record;
    throw enough;
  });
  if (header !== null) return header;
  throw new ShallowsError(`${fn}: expected a line of column names in ${file.path}, got an empty file - check the path`);
}

async function scan(
  file: CsvFile,
  names: readonly string[],
  columns: ReadColumns,
  visit: (rows: RawRows, place: ChunkPlace) => void,
): Promise<void> {
  const fill = filler(file, names, columns);
  const newChunk = () => new RowsBuilder(columns.numbers.length, columns.texts.length, chunkRows);
  let builder = newChunk();
  let [start, firstRow, end] = [0, 0, 0];
  const flush = (): void => {
    if (builder.rows === 0) return;
    const { rows } = builder;
    visit(builder.finish(firstRow), { start, end, firstRow, rows });
    builder = newChunk();
    firstRow += rows;
    start = end;
  };
  let awaitsHeader = file.header;
  await parseRecords(file, {}, (record, bytes) => {
    if (awaitsHeader) {
      awaitsHeader = false;
      start = bytes;
      return;
    }
    fill(builder, record, firstRow + builder.rows);
    end = bytes;
    if (builder.full || end - start >= chunkBytes) flush();
  });
  flush();
}

async function readChunk(
  file: CsvFile,
  names: readonly string[],
  columns: ReadColumns,
  { start, end, firstRow, rows }: ChunkPlace,
): Promise<RawRows> {
  const fill = filler(file, names, columns);
  const builder = new RowsBuilder(columns.numbers.length, columns.texts.length, rows);
  const place = `${rows} rows at bytes ${start} to ${end}`;
  try {
    await parseRecords(file, { start, end: end - 1 }, (record) => {
      if (builder.full) throw new RangeError('more rows');
      fill(builder, record, firstRow + builder.rows);
    });
  } catch (error) {
    // The scan has read these very bytes without an error.
    throw changedFile(fn, file.path, place, 'others', error);
  }
  if (!builder.full) throw changedFile(fn, file.path, place, String(builder.rows));
  return builder.finish(firstRow);
}

/** Puts the wanted cells of a record into a builder. */
function filler({ path: file, missingValues }: CsvFile, names: readonly string[], columns: ReadColumns) {
  const place = (name: string): number => {
    const index = names.indexOf(name);
    if (index < 0) throw noSuchColumn(fn, file, name, names);
    return index;
  };
  const numbers = columns.numbers.map(place);
  const texts = columns.texts.map(place);
  const missing = new Set(missingValues);
  return (builder: RowsBuilder, record: readonly string[], row: number): void => {
    for (const [i, index] of numbers.entries()) {
      const cell = (record[index] ?? '').trim();
      const value = missing.has(cell) ? Number.NaN : toNumber(cell);
      if (value === null) {
        const column = columns.numbers[i] ?? '';
        const advice = 'correct it, list it in missingValues, or the column in categorical or ignore';
        throw cellError(fn, { file, row, column }, 'a number', shown(cell), advice);
      }
      builder.setNumber(i, value);
    }
    for (const [i, index] of texts.entries()) {
      const cell = record[index] ?? '';
      builder.setText(i, missing.has(cell.trim()) ? null : cell);
    }
    builder.endRow();
  };
}

/** A finite number, or 1 and 0 for true and false; null for anything else. */
function toNumber(cell: string): number | null {
  const value = Number(cell);
  if (Number.isFinite(value) && cell !== '') return value;
  const lower = cell.toLowerCase();
  return lower === 'true' ? 1 : lower === 'false' ? 0 : null;
}

interface Part {
  /** First byte. */
  readonly start?: number;
  /** Last byte. */
  readonly end?: number;
}

/** Thrown by a visitor that has seen what it wants. */
const enough = new Error('enough');

/** Calls back for every record with the number of bytes up to its end. Holds no more than one piece of the text. */
async function parseRecords(
  { path, delimiter }: CsvFile,
  part: Part,
  onRecord: (record: readonly string[], bytes: number) => void,
): Promise<void> {
  const parser = parse({
    bom: part.start === undefined,
    delimiter,
    record_delimiter: ['\r\n', '\n'],
    skip_empty_lines: true,
    max_record_size: longestRow,
    on_record: (record: readonly string[], { bytes }) => {
      onRecord(record, bytes);
      return null;
    },
  });
  const file = createReadStream(path, { highWaterMark: 1 << 18, ...part });
  file.once('data', (piece) => {
    if (part.start === undefined && piece[0] === 0x1f && piece[1] === 0x8b)
      file.destroy(new ShallowsError(`${fn}: expected text in ${path}, got gzip - unpack it first`));
  });
  try {
    await pipeline(file, parser, new Writable({ objectMode: true, write: (_record, _encoding, done) => done() }));
  } catch (error) {
    if (error === enough) return;
    throw error instanceof ShallowsError ? error : translated(path, error);
  }
}

function translated(path: string, error: unknown): ShallowsError {
  if (!(error instanceof CsvError)) return unreadable(fn, path, error, 'check the path');
  const { message } = error;
  return new ShallowsError(
    `${fn}: expected the same cells in every line of ${path}, got: ${message} - correct the line, or the delimiter`,
    { cause: error },
  );
}
