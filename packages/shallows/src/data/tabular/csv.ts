import { ShallowsError, shown } from '../../errors.js';
import { changedFile } from './cell-errors.js';
import { CellReader } from './csv-cells.js';
import { type BytesPart, type CsvFile, readRecords } from './csv-records.js';
import type { ChunkPlace, RawRows, ReadColumns, TableReader, VisitRows } from './raw-rows.js';
import { RowsBuilder } from './rows-builder.js';

/** A chunk ends with the row at which it has so many rows or bytes. */
const chunkRows = 4096;
const chunkBytes = 1 << 22;
const fn = 'readCsv';

/** Opens a CSV file: reads its header. @throws ShallowsError that names the file and what is wrong with it */
export async function openCsv(file: CsvFile): Promise<TableReader> {
  const header = await readHeader(file);
  const columns = file.header ? header.cells : header.cells.map((_, i) => String(i));
  const rows = file.header ? { start: header.offset, line: header.lines + 1 } : { start: 0 };
  const twice = columns.find((name, i) => columns.indexOf(name) !== i);
  if (twice !== undefined)
    throw new ShallowsError(`${fn}: expected each column of ${file.path} once, got ${shown(twice)} twice - rename one`);
  return {
    columns,
    rows: null,
    scan: (wanted, visit) => scan(file, columns, wanted, rows, visit),
    read: (wanted, place) => readChunk(file, columns, wanted, place),
  };
}

/** The first record, and where the next line begins. */
interface Header {
  readonly cells: readonly string[];
  readonly offset: number;
  readonly lines: number;
}

async function readHeader(file: CsvFile): Promise<Header> {
  let header: Header | null = null as Header | null;
  const add = (cells: readonly string[], lines: number): void => {
    header = { cells, offset: 0, lines };
  };
  await readRecords(
    file,
    {},
    {
      cells: add,
      ended: (offset) => {
        if (header !== null) header = { ...header, offset };
        return false;
      },
    },
  );
  if (header !== null) return header;
  throw new ShallowsError(`${fn}: expected a line of column names in ${file.path}, got an empty file - check the path`);
}

async function scan(
  file: CsvFile,
  names: readonly string[],
  columns: ReadColumns,
  part: BytesPart,
  visit: VisitRows,
): Promise<void> {
  const reader = new CellReader(file, names, columns);
  const newChunk = () => new RowsBuilder(columns.numbers.length, columns.texts.length, chunkRows);
  let builder = newChunk();
  let start = part.start ?? 0;
  let [firstRow, end] = [0, start];
  const flush = (): void => {
    if (builder.rows === 0) return;
    const { rows } = builder;
    visit(builder.finish(firstRow), { start, end, firstRow, rows });
    builder = newChunk();
    firstRow += rows;
    start = end;
  };
  await readRecords(file, part, {
    plain: (bytes, from) => reader.addPlain(builder, bytes, from),
    cells: (cells, line) => reader.addCells(builder, cells, firstRow + builder.rows, line),
    ended: (offset) => {
      end = offset;
      if (builder.full || end - start >= chunkBytes) flush();
      return true;
    },
  });
  flush();
}

async function readChunk(
  file: CsvFile,
  names: readonly string[],
  columns: ReadColumns,
  { start, end, firstRow, rows }: ChunkPlace,
): Promise<RawRows> {
  const reader = new CellReader(file, names, columns);
  const builder = new RowsBuilder(columns.numbers.length, columns.texts.length, rows);
  const place = `${rows} rows at bytes ${start} to ${end}`;
  const nextRow = (): number => {
    if (builder.full) throw new RangeError('more rows');
    return firstRow + builder.rows;
  };
  try {
    await readRecords(
      file,
      { start, end },
      {
        plain: (bytes, from) => (builder.full ? 0 : reader.addPlain(builder, bytes, from)),
        cells: (cells, line) => reader.addCells(builder, cells, nextRow(), line),
        ended: () => true,
      },
    );
  } catch (error) {
    // The scan has read these very bytes without an error.
    throw changedFile(fn, file.path, place, 'others', error);
  }
  if (!builder.full) throw changedFile(fn, file.path, place, String(builder.rows));
  return builder.finish(firstRow);
}
