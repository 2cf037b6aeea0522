import { expect, test } from 'vitest';
import { isOneRun, readRuns, readWords } from './parquet-runs.js';

test('the example of the format: 0 to 7 in three bits each', () => {
  expect([...readRuns({ bytes: Uint8Array.of(0b11, 0b10001000, 0b11000110, 0b11111010), width: 3 }, 8)]).toEqual([
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
  expect([...readRuns({ bytes, width: 16 }, 14)]).toEqual([...Array<number>(5).fill(0x1234), ...packed, 9]);
  expect([...readRuns({ bytes, width: 16 }, 7)]).toEqual([...Array<number>(5).fill(0x1234), 1, 2]);
});

test('32 bits, and none', () => {
  expect([...readRuns({ bytes: Uint8Array.of(2, 0xff, 0xff, 0xff, 0xff), width: 32 }, 1)]).toEqual([2 ** 32 - 1]);
  expect([...readRuns({ bytes: Uint8Array.of(0b11, ...Array<number>(32).fill(0xff)), width: 32 }, 8)]).toEqual(
    Array(8).fill(2 ** 32 - 1),
  );
  expect([...readRuns({ bytes: new Uint8Array(), width: 0 }, 3)]).toEqual([0, 0, 0]);
});

test('a run of any length is cut at the count', () => {
  expect([...readRuns({ bytes: Uint8Array.of(0xfe, 0xff, 0xff, 0xff, 0x0f, 1), width: 1 }, 4)]).toEqual([1, 1, 1, 1]);
  expect([...readRuns({ bytes: Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f, 0b0101), width: 1 }, 4)]).toEqual([
    1, 0, 1, 0,
  ]);
});

test.each([
  ['no bytes', [], 1],
  ['half a number', [2, 1], 16],
  ['packed bits that end', [0b11, 0xff], 3],
  ['runs of nothing', [0, 1, 0, 1], 1],
])('%s: an error', (_what, bytes, width) => {
  expect(() => readRuns({ bytes: Uint8Array.from(bytes), width }, 8)).toThrow('runs that end too early');
});

test('lengths and widths beyond the format are errors', () => {
  expect(() => readRuns({ bytes: Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff), width: 1 }, 8)).toThrow(
    'more than five bytes',
  );
  expect(() => readRuns({ bytes: Uint8Array.of(1), width: 33 }, 8)).toThrow('numbers of 33 bits');
});

/** Packs numbers as the format says, bit after bit, behind the count of their groups of eight. */
function packed(numbers: readonly number[], width: number): Uint8Array {
  const groups = Math.ceil(numbers.length / 8);
  const bytes = new Uint8Array(groups * width);
  for (const [i, number] of numbers.entries()) {
    for (let bit = 0; bit < width; bit++) {
      const at = i * width + bit;
      if (Math.floor(number / 2 ** bit) % 2 === 1) bytes[at >> 3] = (bytes[at >> 3] ?? 0) | (1 << (at & 7));
    }
  }
  return Uint8Array.of(((groups << 1) | 1) & 0xff, ...bytes);
}

test.each(Array.from({ length: 33 }, (_, width) => width))('numbers of %s bits, and their words', (width) => {
  const numbers = Array.from({ length: 61 }, (_, i) => Math.floor(((i * 0.618033988749895) % 1) * 2 ** width));
  const runs = { bytes: packed(numbers, width), width };
  expect([...readRuns(runs, 61)]).toEqual(numbers);
  if (width > 20) return;
  const words = Float64Array.from({ length: 2 ** width }, (_, i) => i / 3 - 1);
  const into = new Float64Array(61);
  readWords(runs, words, into);
  expect([...into]).toEqual(numbers.map((number) => words[number]));
  const largest = Math.max(...numbers);
  expect(() => readWords(runs, words.subarray(0, largest), into)).toThrow(
    `${largest} as a word of the dictionary, at most ${largest - 1}`,
  );
  if (width > 0)
    expect(() => readWords({ bytes: runs.bytes.subarray(0, -width), width }, words, into)).toThrow('early');
});

test('words of runs, of 26 bits and more, and what bytes behind the runs hold does not count', () => {
  const into = new Float64Array(4);
  readWords({ bytes: Uint8Array.of(3 << 1, 1, 1 << 1, 0, 0xff), width: 3 }, Float64Array.of(5, 7), into);
  expect([...into]).toEqual([7, 7, 7, 5]);
  expect(() => readWords({ bytes: Uint8Array.of(4 << 1, 2), width: 3 }, Float64Array.of(5, 7), into)).toThrow(
    '2 as a word of the dictionary, at most 1',
  );
  readWords({ bytes: packed([1, 0, 1, 1], 27), width: 27 }, Float64Array.of(5, 7), into);
  expect([...into]).toEqual([7, 5, 7, 7]);
  expect(() => readWords({ bytes: packed([1, 0, 1, 2], 27), width: 27 }, Float64Array.of(5, 7), into)).toThrow(
    '2 as a',
  );
});

test('one run of one value', () => {
  expect(isOneRun({ bytes: Uint8Array.of(8 << 1, 1), width: 1 }, 1, 8)).toBe(true);
  expect(isOneRun({ bytes: Uint8Array.of(8 << 1, 1), width: 1 }, 1, 9)).toBe(false);
  expect(isOneRun({ bytes: Uint8Array.of(8 << 1, 0), width: 1 }, 1, 8)).toBe(false);
  expect(isOneRun({ bytes: Uint8Array.of(0b11, 0xff), width: 1 }, 1, 8)).toBe(false);
  expect(isOneRun({ bytes: new Uint8Array(), width: 1 }, 1, 8)).toBe(false);
});
