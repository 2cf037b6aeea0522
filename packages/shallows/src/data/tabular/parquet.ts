import { type FileHandle, open } from 'node:fs/promises';
import * as zlib from 'node:zlib';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import {
  type AsyncBuffer,
  type Compressors,
  type FileMetaData,
  parquetMetadataAsync,
  parquetScan,
  parquetSchema,
} from 'hyparquet';
import { ShallowsError, shown } from '../../errors.js';
import { unreadable } from '../read-file.js';
import { cellError, changedFile, noSuchColumn } from './cell-errors.js';
import type { ChunkPlace, RawRows, ReadColumns, TableReader } from './raw-rows.js';

const fn = 'readParquet';

/** Opens a Parquet file: reads its footer. @throws ShallowsError that names the file and what is wrong with it */
export async function openParquet(path: string): Promise<TableReader> {
  const metadata = await inFile(path, (file) => parquetMetadataAsync(file));
  const columns = parquetSchema(metadata).children.map(({ element }) => element.name);
  const chunks = rowGroups(metadata);
  return {
    columns,
    async scan(wanted, visit) {
      for (const place of chunks) visit(await readRowGroup(path, metadata, columns, wanted, place), place);
    },
    async read(wanted, place) {
      const found = chunks.find(({ start }) => start === place.start);
      if (found?.end !== place.end) {
        throw changedFile(fn, path, `a row group from row ${place.start} to ${place.end}`, 'others');
      }
      return readRowGroup(path, metadata, columns, wanted, place);
    },
  };
}

function rowGroups({ row_groups: groups }: FileMetaData): ChunkPlace[] {
  let start = 0;
  return groups.map(({ num_rows: count }) => {
    const firstRow = start;
    const rows = Number(count);
    start += rows;
    return { start: firstRow, end: start, firstRow, rows };
  });
}

/** Only the wanted columns are read, one after the other. */
async function readRowGroup(
  path: string,
  metadata: FileMetaData,
  names: readonly string[],
  { numbers, texts }: ReadColumns,
  { start, end, firstRow, rows }: ChunkPlace,
): Promise<RawRows> {
  const wanted = [...numbers, ...texts];
  const unknown = wanted.find((name) => !names.includes(name));
  if (unknown !== undefined) throw noSuchColumn(fn, path, unknown, names);
  return inFile(path, async (file) => {
    const scan = await parquetScan({ file, metadata, columns: wanted, compressors });
    const read = (column: string) => scan.readColumn({ column, rowStart: start, rowEnd: end });
    const numeric: Float64Array[] = [];
    for (const column of numbers) {
      const data = await read(column);
      numeric.push(
        Float64Array.from({ length: rows }, (_, i) => toNumber(data[i], { file: path, row: firstRow + i, column })),
      );
    }
    const text: (string | null)[][] = [];
    for (const column of texts) {
      const data = await read(column);
      text.push(Array.from({ length: rows }, (_, i) => toText(data[i], { file: path, row: firstRow + i, column })));
    }
    return { firstRow, rows, numbers: numeric, texts: text };
  });
}

type Cell = { readonly file: string; readonly row: number; readonly column: string };

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

// What Node unpacks itself; hyparquet brings Snappy. Zstandard came with Node 22.15.
const compressors: Compressors = {
  GZIP: (packed) => gunzipSync(packed),
  BROTLI: (packed) => brotliDecompressSync(packed),
  ...('zstdDecompressSync' in zlib && typeof zlib.zstdDecompressSync === 'function'
    ? { ZSTD: zlib.zstdDecompressSync as (packed: Uint8Array) => Uint8Array }
    : {}),
};

/** Opens a file for as long as it is needed, and tells what goes wrong with its name. */
async function inFile<T>(path: string, use: (file: AsyncBuffer) => Promise<T>): Promise<T> {
  let handle: FileHandle;
  let byteLength: number;
  try {
    handle = await open(path);
    byteLength = (await handle.stat()).size;
  } catch (error) {
    throw unreadable(fn, path, error, 'check the path');
  }
  try {
    return await use({
      byteLength,
      slice: async (start, end = byteLength) => {
        const bytes = new Uint8Array(end - start);
        const { bytesRead } = await handle.read(bytes, 0, bytes.length, start);
        if (bytesRead === bytes.length) return bytes.buffer;
        throw new Error(`the file ends at byte ${start + bytesRead}`);
      },
    });
  } catch (error) {
    if (error instanceof ShallowsError) throw error;
    throw unparseable(path, error);
  } finally {
    await handle.close();
  }
}

function unparseable(path: string, error: unknown): ShallowsError {
  const message = error instanceof Error ? error.message : String(error);
  const codec = /unsupported compression codec: (\w+)/.exec(message)?.[1];
  const advice =
    codec === undefined
      ? 'the file is damaged or of another format, fetch or write it again'
      : `write it with snappy, gzip, brotli or no compression${codec === 'ZSTD' ? ', or use Node from 22.15' : ''}`;
  const got = codec === undefined ? message : `pages packed with ${codec}`;
  return new ShallowsError(`${fn}: expected an intact Parquet file at ${path}, got: ${got} - ${advice}`, {
    cause: error,
  });
}
