import { type FileMetaData, parquetSchema } from 'hyparquet';
import { ShallowsError, shown } from '../../errors.js';
import { changedFile, noSuchColumn } from './cell-errors.js';
import { PageMemory } from './page-memory.js';
import { type Chunk, decodeChunk, type Page } from './parquet-chunk.js';
import { numbersInto, textsOf } from './parquet-columns.js';
import { inParquet, type OpenParquet, readFooter } from './parquet-file.js';
import type { ChunkPlace, PlaceNumbers, RawRows, ReadColumns, TableReader, VisitRows } from './raw-rows.js';
import type { TextColumn } from './text-column.js';

const fn = 'readParquet';

/** Opens a Parquet file: reads its footer. @throws ShallowsError that names the file and what is wrong with it */
export async function openParquet(path: string): Promise<TableReader> {
  const { metadata, columns, groups } = await inParquet(path, async (file) => {
    const metadata = await readFooter(file);
    const columns = parquetSchema(metadata).children.map(({ element }) => element.name);
    if (!columns.every((name) => typeof name === 'string')) throw new Error('a column without a name');
    return { metadata, columns, groups: rowGroups(metadata) };
  });
  const read = async (chosen: readonly GroupPlace[], wanted: ReadColumns, visit: VisitRows, place?: PlaceNumbers) => {
    const unknown = [...wanted.numbers, ...wanted.texts].find((name) => !columns.includes(name));
    if (unknown !== undefined) throw noSuchColumn(fn, path, unknown, columns);
    await inParquet(path, (file) => readGroups(file, { path, metadata, wanted, groups: chosen, place }, visit));
  };
  return {
    columns,
    rows: groups.at(-1)?.end ?? 0,
    scan: (wanted, visit, place) => read(groups, wanted, visit, place),
    async read(wanted, { start, end }) {
      const found = groups.find((group) => group.start === start && group.end === end);
      if (found === undefined) throw changedFile(fn, path, `a row group from row ${start} to ${end}`, 'others');
      let rows: RawRows | null = null as RawRows | null;
      await read([found], wanted, (visited) => {
        rows = visited;
      });
      return rows as RawRows;
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

interface ReadRequest {
  readonly path: string;
  readonly metadata: FileMetaData;
  readonly wanted: ReadColumns;
  readonly groups: readonly GroupPlace[];
  readonly place: PlaceNumbers | undefined;
}

/** Only the wanted columns are read, one after the other. */
async function readGroups(
  file: OpenParquet,
  { path, metadata, wanted: { numbers, texts }, groups, place }: ReadRequest,
  visit: VisitRows,
): Promise<void> {
  const chunks = groups.flatMap(({ group }) =>
    [...numbers, ...texts].map((column) => chunkOf(path, metadata, group, column)),
  );
  const pagesInTurn = decodedInTurn(file, chunks);
  const next = async (): Promise<readonly Page[]> => (await pagesInTurn.next()).value ?? [];
  for (const group of groups) {
    const { firstRow, rows } = group;
    const places = place?.(firstRow, rows);
    const filled: Float64Array[] = [];
    for (const [i, column] of numbers.entries()) {
      const pages = await next();
      const into = places?.[i] ?? new Float64Array(rows);
      numbersInto(into, pages, { file: path, firstRow, column });
      filled.push(into);
    }
    const read: TextColumn[] = [];
    for (const column of texts) read.push(textsOf(await next(), { file: path, firstRow, column }, rows));
    visit({ firstRow, rows, numbers: filled, texts: read }, group);
  }
}

/** The pages of one chunk after the other, each until the next is asked for: while one is decoded, the next is read. */
async function* decodedInTurn(file: OpenParquet, chunks: readonly Chunk[]): AsyncGenerator<readonly Page[]> {
  // Two, as one is read into while the other is decoded.
  const buffers: (ArrayBuffer | undefined)[] = [];
  const read = async (number: number): Promise<Uint8Array<ArrayBuffer> | null> => {
    const meta = chunks[number]?.meta;
    if (meta === undefined) return null;
    const start = Number(meta.dictionary_page_offset || meta.data_page_offset);
    const bytes = await file.part(start, start + Number(meta.total_compressed_size), buffers[number % 2]);
    buffers[number % 2] = bytes.buffer;
    return bytes;
  };
  const memory = new PageMemory();
  let ahead = read(0);
  for (const [i, chunk] of chunks.entries()) {
    const bytes = await ahead;
    ahead = read(i + 1);
    // Nobody awaits it if this chunk is damaged.
    ahead.catch(() => {});
    memory.reuse();
    if (bytes !== null) yield decodeChunk(bytes, chunk, memory);
  }
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
