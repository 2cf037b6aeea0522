import * as zlib from 'node:zlib';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import type { ColumnMetaData, CompressionCodec, Compressors, DecodedArray, PageHeader, SchemaTree } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { convert, DEFAULT_PARSERS } from 'hyparquet/src/convert.js';
import { decompressPage } from 'hyparquet/src/datapage.js';
import { deltaBinaryUnpack, deltaByteArray, deltaLengthByteArray } from 'hyparquet/src/delta.js';
import { byteStreamSplit } from 'hyparquet/src/encoding.js';
import { readPlain } from 'hyparquet/src/plain.js';
import type { PageMemory } from './page-memory.js';
import { isOneRun, type Runs, readRuns } from './parquet-runs.js';
import { unpackSnappy } from './parquet-snappy.js';

/** One column of a row group: what the footer says of it, and its place in the schema. */
export interface Chunk {
  readonly meta: ColumnMetaData;
  /** A leaf directly below the root. */
  readonly leaf: SchemaTree;
  readonly rows: number;
}

type Decoder = Parameters<typeof convert>[1];

/** Some neighbouring values of a column. */
export interface Page {
  readonly rows: number;
  /** Those that are there; or the words of a dictionary, which pages with codes have in common. */
  readonly values: ArrayLike<unknown>;
  /** Which word each is that is there; null where `values` are they. */
  readonly codes: Runs | null;
  /** How many are there. */
  readonly count: number;
  /** 1 for each row that has one, 0 for the others; null where all have. */
  readonly present: Uint32Array | null;
}

type Values = Pick<Page, 'values' | 'codes'>;

/**
 * The values of a flat column, page after page, decoded by hyparquet. Every count and length in a page is checked before it is
 * used, and runs are read by `readRuns`, so damaged bytes end in an error and not in a long loop.
 * @param memory of which the pages may be: they are gone with its `reuse`
 * @throws Error that says what is wrong
 */
export function decodeChunk(bytes: Uint8Array, { meta, leaf, rows }: Chunk, memory: PageMemory): readonly Page[] {
  const { element } = leaf;
  const decoder: Decoder = {
    ...{ pathInSchema: meta.path_in_schema, type: meta.type, codec: meta.codec },
    ...{ element, schemaPath: [leaf], parsers: DEFAULT_PARSERS, compressors },
  };
  const reader = readerOf(bytes);
  const pages: Page[] = [];
  let read = 0;
  let dictionary: DecodedArray | null = null;
  while (read < rows) {
    if (reader.offset >= bytes.length) throw new Error(`${read} of ${rows} rows`);
    const header = parquetHeader(reader);
    const size = within('bytes of a page', header.compressed_page_size, bytes.length - reader.offset);
    const packed = bytes.subarray(reader.offset, reader.offset + size);
    reader.offset += size;
    if (header.type === 'DICTIONARY_PAGE') {
      const page = unpacked(packed, header.uncompressed_page_size, meta.codec, memory);
      const count = within('values of a dictionary', header.dictionary_page_header?.num_values, page.length);
      dictionary = convert(plain(page, count, decoder), decoder);
    } else {
      const page = dataPage(packed, header, { decoder, dictionary, memory, most: rows - read });
      read += page.rows;
      pages.push(page);
    }
  }
  return pages;
}

/** What a data page is read with; it has at most `most` values. */
interface Around {
  readonly decoder: Decoder;
  readonly dictionary: DecodedArray | null;
  readonly memory: PageMemory;
  readonly most: number;
}

function dataPage(packed: Uint8Array, header: PageHeader, around: Around): Page {
  const { decoder, memory, most } = around;
  const optional = decoder.element.repetition_type === 'OPTIONAL';
  const size = header.uncompressed_page_size;
  const first = header.type === 'DATA_PAGE' ? header.data_page_header : undefined;
  if (first !== undefined) {
    const page = unpacked(packed, size, decoder.codec, memory);
    const count = within('values of a page', first.num_values, most);
    const { runs, rest } = optional ? prefixed(page) : { runs: null, rest: page };
    return pageOf(runs, count, (n) => decoded(rest, first.encoding, n, around));
  }
  const second = header.type === 'DATA_PAGE_V2' ? header.data_page_header_v2 : undefined;
  if (second === undefined) throw new Error(`a page of type ${String(header.type)}`);
  const count = within('values of a page', second.num_values, most);
  const skipped = within('bytes of levels', second.repetition_levels_byte_length, packed.length);
  const levels = within('bytes of levels', second.definition_levels_byte_length, packed.length - skipped);
  const body = packed.subarray(skipped + levels);
  const rest = second.is_compressed === false ? body : unpacked(body, size - skipped - levels, decoder.codec, memory);
  const runs = optional ? { bytes: packed.subarray(skipped, skipped + levels), width: 1 } : null;
  return pageOf(runs, count, (n) => decoded(rest, second.encoding, n, around));
}

function pageOf(runs: Runs | null, rows: number, read: (n: number) => Values): Page {
  const levels = runs === null || isOneRun(runs, 1, rows) ? null : readRuns(runs, rows);
  let count = rows;
  if (levels !== null) {
    count = 0;
    for (let i = 0; i < rows; i++) count += within('a level', levels[i], 1);
  }
  const { values, codes } = count === 0 ? { values: [], codes: null } : read(count);
  if (codes === null && values.length !== count)
    throw new Error(`a page of ${values.length} values that says ${count}`);
  return { rows, values, codes, count, present: count === rows ? null : levels };
}

function decoded(bytes: Uint8Array, encoding: string | undefined, n: number, { decoder, dictionary }: Around): Values {
  if (encoding === 'PLAIN_DICTIONARY' || encoding === 'RLE_DICTIONARY') {
    if (dictionary === null) throw new Error('numbers of words before the dictionary');
    return { values: dictionary, codes: { bytes: bytes.subarray(1), width: bytes[0] ?? 0 } };
  }
  if (encoding === 'RLE') {
    return { values: Array.from(readRuns(prefixed(bytes).runs, n), (bit) => bit === 1), codes: null };
  }
  const values = encoding === 'PLAIN' ? plain(bytes, n, decoder) : delta(bytes, encoding, n, decoder);
  return { values: convert(values, decoder), codes: null };
}

function plain(bytes: Uint8Array, n: number, { type, element }: Decoder): DecodedArray {
  const reader = readerOf(bytes);
  const values = readPlain(reader, type, within('values of a page', n, bytes.length * 8), element.type_length);
  within('bytes of values', reader.offset, bytes.length);
  return values;
}

function delta(bytes: Uint8Array, encoding: string | undefined, n: number, { type, element }: Decoder): DecodedArray {
  const reader = readerOf(bytes);
  if (encoding === 'BYTE_STREAM_SPLIT') return byteStreamSplit(reader, n, type, element.type_length);
  if (encoding === 'DELTA_BINARY_PACKED') {
    const numbers = type === 'INT32' ? new Int32Array(n) : new BigInt64Array(n);
    deltaBinaryUnpack(reader, n, numbers);
    return numbers;
  }
  const texts = new Array<Uint8Array>(n);
  if (encoding === 'DELTA_LENGTH_BYTE_ARRAY') deltaLengthByteArray(reader, n, texts);
  else if (encoding === 'DELTA_BYTE_ARRAY') deltaByteArray(reader, n, texts);
  else throw new Error(`values encoded as ${String(encoding)}`);
  within('bytes of values', reader.offset, bytes.length);
  return texts;
}

/** Runs of bits behind their length in four bytes, and what follows. */
function prefixed(bytes: Uint8Array): { runs: Runs; rest: Uint8Array } {
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(0, true);
  const end = 4 + within('bytes of runs', length, bytes.length - 4);
  return { runs: { bytes: bytes.subarray(4, end), width: 1 }, rest: bytes.subarray(end) };
}

// Views of what they read are made from the whole buffer: whoever uses one must look at where it ends.
const readerOf = (bytes: Uint8Array) => ({
  view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
  offset: 0,
});

/** A number from 0 to `most`. */
function within(what: string, value: number | undefined, most: number): number {
  if (Number.isInteger(value) && value !== undefined && value >= 0 && value <= most) return value;
  throw new Error(`${String(value)} as ${what}, at most ${most}`);
}

function unpacked(packed: Uint8Array, size: number, codec: CompressionCodec, memory: PageMemory): Uint8Array {
  const length = within('bytes of an unpacked page', size, 2 ** 31 - 1);
  return codec === 'SNAPPY' ? unpackSnappy(packed, length, memory) : decompressPage(packed, length, codec, compressors);
}

// What Node unpacks itself; Zstandard came with Node 22.15. No more is unpacked than the page says.
const atMost = (size: number) => ({ maxOutputLength: Math.max(1, size) });
const zstd: unknown = 'zstdDecompressSync' in zlib ? zlib.zstdDecompressSync : null;
const compressors: Compressors = {
  GZIP: (packed, size) => gunzipSync(packed, atMost(size)),
  BROTLI: (packed, size) => brotliDecompressSync(packed, atMost(size)),
  ...(typeof zstd === 'function' ? { ZSTD: (packed, size) => zstd(packed, atMost(size)) } : {}),
};
