import type { CompressionCodec, ParquetType } from 'hyparquet';
import { expect, test } from 'vitest';
import { PageMemory } from './page-memory.js';
import { decodeChunk } from './parquet-chunk.js';

/** A number as Thrift writes it. */
const varint = (value: number): number[] => (value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)]);

/** A page of values that are there as they are, from fields 1 to 3 and 5: type, sizes, what a data page of `rows` says. */
function page(rows: number, values: Uint8Array): Uint8Array {
  const size = varint(2 * values.length);
  const header = [0x15, 0, 0x15, ...size, 0x15, ...size];
  const data = [0x2c, 0x15, ...varint(2 * rows), 0x15, 0, 0x15, 6, 0x15, 6, 0, 0];
  return Uint8Array.of(...header, ...data, ...values);
}

function decode(bytes: Uint8Array, rows: number, type: ParquetType, codec: CompressionCodec = 'UNCOMPRESSED'): unknown {
  const element = { name: 'x', type, repetition_type: 'REQUIRED' as const };
  const leaf = { children: [], count: 1, element, path: ['x'] };
  const size = BigInt(bytes.length);
  const meta = {
    ...{ type, encodings: ['PLAIN' as const], path_in_schema: ['x'], codec, num_values: BigInt(rows) },
    ...{ total_uncompressed_size: size, total_compressed_size: size, data_page_offset: 0n },
  };
  // More bytes follow in the buffer.
  const buffer = new Uint8Array(bytes.length + 1000);
  buffer.set(bytes);
  const pages = decodeChunk(buffer.subarray(0, bytes.length), { meta, leaf, rows }, new PageMemory());
  return pages.flatMap(({ values }) => Array.from(values));
}

const numbers = Float64Array.of(0.5, -3, 1e300);
const texts = Uint8Array.of(1, 0, 0, 0, 0x61, 2, 0, 0, 0, 0x62, 0x63);

test('plain values', () => {
  expect(decode(page(3, new Uint8Array(numbers.buffer)), 3, 'DOUBLE')).toEqual([0.5, -3, 1e300]);
  expect(decode(page(2, texts), 2, 'BYTE_ARRAY')).toEqual(['a', 'bc']);
});

test('values that end behind their page are an error, whatever bytes follow it', () => {
  expect(() => decode(page(4, new Uint8Array(numbers.buffer)), 4, 'DOUBLE')).toThrow(
    '32 as bytes of values, at most 24',
  );
  expect(() => decode(page(2, texts.subarray(0, 10)), 2, 'BYTE_ARRAY')).toThrow('11 as bytes of values, at most 10');
  expect(() => decode(page(3, texts), 3, 'BYTE_ARRAY')).toThrow();
});

test('less rows than the footer says', () => {
  expect(() => decode(page(2, new Uint8Array(numbers.buffer)), 3, 'DOUBLE')).toThrow('2 of 3 rows');
});
