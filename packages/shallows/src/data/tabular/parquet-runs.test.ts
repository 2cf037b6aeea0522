import { expect, test } from 'vitest';
import { readRuns } from './parquet-runs.js';

test('the example of the format: 0 to 7 in three bits each', () => {
  expect([...readRuns(Uint8Array.of(0b11, 0b10001000, 0b11000110, 0b11111010), 3, 8)]).toEqual([
    0, 1, 2, 3, 4, 5, 6, 7,
  ]);
});

test('runs and packed bits in turn', () => {
  const bytes = Uint8Array.of(
    5 << 1,
    0x34,
    0x12,
    0b11,
    ...[1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8, 0],
    1 << 1,
    9,
    0,
  );
  const packed = [1, 2, 3, 4, 5, 6, 7, 8];
  expect([...readRuns(bytes, 16, 14)]).toEqual([...Array<number>(5).fill(0x1234), ...packed, 9]);
  expect([...readRuns(bytes, 16, 7)]).toEqual([...Array<number>(5).fill(0x1234), 1, 2]);
});

test('32 bits, and none', () => {
  expect([...readRuns(Uint8Array.of(2, 0xff, 0xff, 0xff, 0xff), 32, 1)]).toEqual([2 ** 32 - 1]);
  expect([...readRuns(Uint8Array.of(0b11, ...Array<number>(32).fill(0xff)), 32, 8)]).toEqual(
    Array(8).fill(2 ** 32 - 1),
  );
  expect([...readRuns(new Uint8Array(), 0, 3)]).toEqual([0, 0, 0]);
});

test('a run of any length is cut at the count', () => {
  expect([...readRuns(Uint8Array.of(0xfe, 0xff, 0xff, 0xff, 0x0f, 1), 1, 4)]).toEqual([1, 1, 1, 1]);
  expect([...readRuns(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f, 0b0101), 1, 4)]).toEqual([1, 0, 1, 0]);
});

test.each([
  ['no bytes', [], 1],
  ['half a number', [2, 1], 16],
  ['packed bits that end', [0b11, 0xff], 3],
  ['runs of nothing', [0, 1, 0, 1], 1],
])('%s: an error', (_what, bytes, width) => {
  expect(() => readRuns(Uint8Array.from(bytes), width, 8)).toThrow('runs that end too early');
});

test('lengths and widths beyond the format are errors', () => {
  expect(() => readRuns(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff), 1, 8)).toThrow('more than five bytes');
  expect(() => readRuns(Uint8Array.of(1), 33, 8)).toThrow('numbers of 33 bits');
});
