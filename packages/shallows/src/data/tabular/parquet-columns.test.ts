import { expect, test } from 'vitest';
import type { Page } from './parquet-chunk.js';
import { numbersInto, textsOf } from './parquet-columns.js';

const range = { file: 'a.parquet', firstRow: 100, column: 'x' };
const plain = (values: ArrayLike<unknown>, present?: readonly number[]): Page => ({
  ...{ rows: present?.length ?? values.length, count: values.length, values, codes: null },
  present: present === undefined ? null : Uint32Array.from(present),
});
/** Eight bits a word. */
const coded = (words: ArrayLike<unknown>, numbers: readonly number[], present?: readonly number[]): Page => ({
  ...{ rows: present?.length ?? numbers.length, count: numbers.length, values: words },
  codes: { bytes: Uint8Array.from(numbers.flatMap((number) => [1 << 1, number])), width: 8 },
  present: present === undefined ? null : Uint32Array.from(present),
});
const numbersOf = (...pages: readonly Page[]): number[] => {
  const numbers = new Float64Array(pages.reduce((rows, page) => rows + page.rows, 0));
  numbersInto(numbers, pages, range);
  return [...numbers];
};

test('numbers of any kind, and what is missing', () => {
  expect(numbersOf(plain(Int32Array.of(-1, 2)), plain(Float32Array.of(0.5, Number.NaN)), plain([true, 3n]))).toEqual([
    -1,
    2,
    0.5,
    Number.NaN,
    1,
    3,
  ]);
  expect(numbersOf(plain([new Date(5), new Date(Number.NaN)], [1, 0, 1]))).toEqual([5, Number.NaN, Number.NaN]);
  const words = BigInt64Array.of(7n, 2n ** 60n);
  expect(numbersOf(coded(words, [1, 0]), coded(words, [0], [0, 1]))).toEqual([2 ** 60, 7, Number.NaN, 7]);
});

test.each([
  ['infinity', plain(Float64Array.of(1, Number.POSITIVE_INFINITY)), 'row 103, column "x" of a.parquet, got Infinity'],
  [
    'less than all',
    plain(Float32Array.of(Number.NEGATIVE_INFINITY), [0, 1]),
    'row 103, column "x" of a.parquet, got -I',
  ],
  [
    'a text',
    plain(['a'], [0, 0, 1]),
    'expected a number in row 104, column "x" of a.parquet, got "a" - list the column',
  ],
  ['a word that is infinite', coded(Float64Array.of(Number.POSITIVE_INFINITY, 2), [1, 1, 0]), 'row 104, column "x"'],
  ['a word that is not there', coded(Float64Array.of(1, 2), [1, 2]), '2 as a word of the dictionary, at most 1'],
  ['such a word beside a text', coded(['a', 2], [1, 2]), '2 as a word of the dictionary, at most 1'],
])('%s is no number', (_what, page, message) => {
  expect(() => numbersOf(plain([0]), page)).toThrow(message);
});

test('a word that is no number does not matter where no row has it', () => {
  expect(numbersOf(coded(Float64Array.of(Number.NEGATIVE_INFINITY, 2), [1, 1]))).toEqual([2, 2]);
  expect(numbersOf(coded(['a', 2, null], [1, 2], [1, 0, 1]))).toEqual([2, Number.NaN, Number.NaN]);
});

test('texts, the words of a dictionary once', () => {
  const words = ['a', new Uint8Array(), 'b', null];
  const { values, codes } = textsOf(
    [coded(words, [2, 0, 2]), coded(words, [0, 3], [1, 0, 1]), plain(['a', 5n, new Date(0)])],
    range,
    9,
  );
  expect(values).toEqual(['b', 'a', 'a', '5', '1970-01-01T00:00:00.000Z']);
  expect([...codes]).toEqual([0, 1, 0, 1, -1, -1, 2, 3, 4]);
  expect(() => textsOf([coded(words, [0, 1])], range, 2)).toThrow('expected text or a number in row 102, column "x"');
  expect(() => textsOf([coded(words, [4])], range, 1)).toThrow('4 as a word of the dictionary, at most 3');
});
