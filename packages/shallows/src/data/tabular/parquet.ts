import { type FileMetaData, parquetSchema } from 'hyparquet';
import { ShallowsError, shown } from '../../errors.js';
import { cellError, changedFile, noSuchColumn } from './cell-errors.js';
import { type Chunk, decodeChunk, type Page } from './parquet-chunk.js';
import { inParquet, type OpenParquet, readFooter } from './parquet-file.js';
import type { ChunkPlace, RawRows, ReadColumns, TableReader } from './raw-rows.js';

const fn = 'readParquet';

/** Opens a Parquet file: reads its footer. @throws ShallowsError that names the file and what is wrong with it */
export async function openParquet(path: string): Promise<TableReader> {
  const { metadata, columns, chunks } = await inParquet(path, async (file) => {
    const metadata = await readFooter(file);
    const columns = parquetSchema(metadata).children.map(({ element }) => element.name);
    if (!columns.every((name) => typeof name === 'string')) throw new Error('a column without a name');
    return { metadata, columns, chunks: rowGroups(metadata) };
  });
  return {
    columns,
    async scan(wanted, visit) {
      for (const place of chunks) visit(await readRowGroup(path, metadata, columns, wanted, place), place);
    },
    async read(wanted, place) {
      const found = chunks.find(({ start }) => start === place.start);
      if (found === undefined || found.end !== place.end) {
        throw changedFile(fn, path, `a row group from row ${place.start} to ${place.end}`, 'others');
      }
      return readRowGroup(path, metadata, columns, wanted, found);
    },
  };
}

function rowGroups({ row_groups: groups }: FileMetaData): GroupPlace[] {
  let start = 0;
  return groups.map(({ num_rows: count }, group) => {
    const firstRow = start;
    const rows = Number(count);
    if (!Number.isSafeInteger(rows) || rows < 0) throw new Error(`a row group of ${String(count)} rows`);
    start += rows;
    return { group, start: firstRow, end: start, firstRow, rows };
  });
}

interface GroupPlace extends ChunkPlace {
  /** Number of the row group. */
  readonly group: number;
}

/** Only the wanted columns are read, one after the other. */
async function readRowGroup(
  path: string,
  metadata: FileMetaData,
  names: readonly string[],
  { numbers, texts }: ReadColumns,
  { group, firstRow, rows }: GroupPlace,
): Promise<RawRows> {
  const unknown = [...numbers, ...texts].find((name) => !names.includes(name));
  if (unknown !== undefined) throw noSuchColumn(fn, path, unknown, names);
  return inParquet(path, async (file) => {
    const read = async (column: string) => readChunk(file, chunkOf(path, metadata, group, column));
    const numeric: Float64Array[] = [];
    for (const column of numbers) numeric.push(numbersOf(await read(column), { file: path, firstRow, rows, column }));
    const text: (string | null)[][] = [];
    for (const column of texts) text.push(textsOf(await read(column), { file: path, firstRow, rows, column }));
    return { firstRow, rows, numbers: numeric, texts: text };
  });
}

/** What footer and schema say of one column of a row group. They must agree: hardly anything else would be noticed. */
function chunkOf(path: string, metadata: FileMetaData, group: number, column: string): Chunk {
  const leaf = parquetSchema(metadata).children.find(({ element }) => element.name === column);
  const { columns = [], num_rows: count } = metadata.row_groups[group] ?? {};
  if (leaf === undefined || leaf.children.length > 0 || leaf.element.repetition_type === 'REPEATED') {
    throw new ShallowsError(
      `${fn}: expected numbers or texts in column ${shown(column)} of ${path}, got lists or records - list the column in ignore`,
    );
  }
  const found = columns.filter(
    ({ meta_data: meta }) => meta?.path_in_schema.length === 1 && meta.path_in_schema[0] === column,
  );
  const [chunk] = found;
  if (found.length !== 1 || chunk?.meta_data === undefined) throw new Error(`column ${column} ${found.length} times`);
  const { meta_data: meta, file_path: elsewhere } = chunk;
  if (elsewhere) throw new Error(`column ${column} in another file, ${elsewhere}`);
  if (meta.type !== leaf.element.type) throw new Error(`column ${column} as ${meta.type} and ${leaf.element.type}`);
  if (meta.num_values !== count) throw new Error(`${meta.num_values} values for ${String(count)} rows of ${column}`);
  return { meta, leaf, rows: Number(count) };
}

async function readChunk(file: OpenParquet, chunk: Chunk): Promise<readonly Page[]> {
  const { dictionary_page_offset: dictionary, data_page_offset: pages, total_compressed_size: size } = chunk.meta;
  const start = Number(dictionary || pages);
  return decodeChunk(await file.part(start, start + Number(size)), chunk);
}

interface Cell {
  readonly file: string;
  readonly row: number;
  readonly column: string;
}

/** One column of some rows. */
interface CellRange {
  readonly file: string;
  readonly firstRow: number;
  readonly rows: number;
  readonly column: string;
}

function numbersOf(pages: readonly Page[], { file, firstRow, rows, column }: CellRange): Float64Array {
  const numbers = new Float64Array(rows);
  let row = 0;
  for (const page of pages) {
    const { values, present } = page;
    if (present === null && values instanceof Float64Array && !hasInfinity(values)) numbers.set(values, row);
    else
      eachValue([page], (value, i) => {
        const isPlain = typeof value === 'number' && Number.isFinite(value);
        numbers[row + i] = isPlain ? value : toNumber(value, { file, row: firstRow + row + i, column });
      });
    row += present?.length ?? values.length;
  }
  return numbers;
}

function hasInfinity(values: Float64Array): boolean {
  for (let i = 0; i < values.length; i++) if (Math.abs(values[i] as number) === Number.POSITIVE_INFINITY) return true;
  return false;
}

function textsOf(pages: readonly Page[], { file, firstRow, rows, column }: CellRange): (string | null)[] {
  const texts = new Array<string | null>(rows);
  eachValue(pages, (value, i) => {
    texts[i] = typeof value === 'string' ? value : toText(value, { file, row: firstRow + i, column });
  });
  return texts;
}

/** Visits the value of each row, null where it is missing. */
function eachValue(pages: readonly Page[], visit: (value: unknown, row: number) => void): void {
  let row = 0;
  for (const { values, present } of pages) {
    const end = row + (present?.length ?? values.length);
    for (let i = 0, at = 0; row < end; i++, row++)
      visit(present === null || present[i] === 1 ? values[at++] : null, row);
  }
}

function toNumber(value: unknown, cell: Cell): number {
  if (value === null || value === undefined) return Number.NaN;
  const number =
    typeof value === 'bigint' || typeof value === 'boolean' || typeof value === 'number'
      ? Number(value)
      : value instanceof Date
        ? value.getTime()
        : null;
  if (number !== null && (Number.isFinite(number) || Number.isNaN(number))) return number;
  const advice = 'list the column in categorical or ignore';
  throw cellError(fn, cell, 'a number', number === null ? shown(value) : String(number), advice);
}

function toText(value: unknown, cell: Cell): string | null {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return value.toISOString();
  if (typeof value !== 'object' && typeof value !== 'symbol' && typeof value !== 'function') return String(value);
  throw cellError(fn, cell, 'text or a number', shown(value), 'list the column in ignore');
}
