import { ShallowsError, shown } from '../../errors.js';
import { changedFile } from './cell-errors.js';
import { CellReader } from './csv-cells.js';
import { type CsvFile, type RecordEnd, readRecords } from './csv-records.js';
import type { ChunkPlace, RawRows, ReadColumns, TableReader } from './raw-rows.js';
import { RowsBuilder } from './rows-builder.js';

/** A chunk ends with the row at which it has so many rows or bytes. */
const chunkRows = 4096;
const chunkBytes = 1 << 22;
const fn = 'readCsv';

/** Opens a CSV file: reads its header. @throws ShallowsError that names the file and what is wrong with it */
export async function openCsv(file: CsvFile): Promise<TableReader> {
  const { cells, end } = await readHeader(file);
  const columns = file.header ? cells : cells.map((_, i) => String(i));
  const twice = columns.find((name, i) => columns.indexOf(name) !== i);
  if (twice !== undefined)
    throw new ShallowsError(`${fn}: expected each column of ${file.path} once, got ${shown(twice)} twice - rename one`);
  return {
    columns,
    scan: (wanted, visit) => scan(file, columns, wanted, end, visit),
    read: (wanted, place) => readChunk(file, columns, wanted, place),
  };
}

interface Header {
  readonly cells: readonly string[];
  readonly end: RecordEnd;
}

async function readHeader(file: CsvFile): Promise<Header> {
  const headers: Header[] = [];
  const add = (cells: readonly string[], end: RecordEnd): boolean => {
    headers.push({ cells, end });
    return false;
  };
  await readRecords(
    file,
    {},
    {
      line: (bytes, from, to, end) => add(bytes.toString('utf8', from, to).split(file.delimiter), end),
      cells: add,
    },
  );
  const [header] = headers;
  if (header !== undefined) return header;
  throw new ShallowsError(`${fn}: expected a line of column names in ${file.path}, got an empty file - check the path`);
}

async function scan(
  file: CsvFile,
  names: readonly string[],
  columns: ReadColumns,
  header: RecordEnd,
  visit: (rows: RawRows, place: ChunkPlace) => void,
): Promise<void> {
  const reader = new CellReader(file, names, columns);
  const newChunk = () => new RowsBuilder(columns.numbers.length, columns.texts.length, chunkRows);
  let builder = newChunk();
  let start = file.header ? header.offset : 0;
  let [firstRow, end] = [0, start];
  const flush = (): void => {
    if (builder.rows === 0) return;
    const { rows } = builder;
    visit(builder.finish(firstRow), { start, end, firstRow, rows });
    builder = newChunk();
    firstRow += rows;
    start = end;
  };
  const added = ({ offset }: RecordEnd): boolean => {
    end = offset;
    if (builder.full || end - start >= chunkBytes) flush();
    return true;
  };
  // Lines count from where reading begins.
  const before = file.header ? header.line : 0;
  await readRecords(
    file,
    { start },
    {
      line: (bytes, from, to, place) => {
        reader.addLine(builder, bytes, from, to, firstRow + builder.rows, before + place.line);
        return added(place);
      },
      cells: (cells, place) => {
        reader.addCells(builder, cells, firstRow + builder.rows, before + place.line);
        return added(place);
      },
    },
  );
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
        line: (bytes, from, to, { line }) => {
          reader.addLine(builder, bytes, from, to, nextRow(), line);
          return true;
        },
        cells: (cells, { line }) => {
          reader.addCells(builder, cells, nextRow(), line);
          return true;
        },
      },
    );
  } catch (error) {
    // The scan has read these very bytes without an error.
    throw changedFile(fn, file.path, place, 'others', error);
  }
  if (!builder.full) throw changedFile(fn, file.path, place, String(builder.rows));
  return builder.finish(firstRow);
}
