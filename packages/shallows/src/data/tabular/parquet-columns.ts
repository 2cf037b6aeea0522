import { shown } from '../../errors.js';
import { cellError } from './cell-errors.js';
import type { Page } from './parquet-chunk.js';
import { readRuns, readWords, wordAt } from './parquet-runs.js';
import { missingText, type TextColumn } from './text-column.js';

const fn = 'readParquet';

/** One column of some rows. */
export interface CellRange {
  readonly file: string;
  readonly firstRow: number;
  readonly column: string;
}

interface Cell extends Omit<CellRange, 'firstRow'> {
  readonly row: number;
}

/** Writes the values of pages as numbers, NaN where one is missing. @throws ShallowsError for a value that is none */
export function numbersInto(into: Float64Array, pages: readonly Page[], range: CellRange): void {
  const numbersOfWords = once(toNumbers);
  let row = 0;
  for (const page of pages) {
    const { rows, values, codes } = page;
    const part = into.subarray(row, row + rows);
    const numbers = codes === null ? toNumbers(values) : numbersOfWords(values);
    if (numbers === null) checkEach(page, { ...range, firstRow: range.firstRow + row }, part);
    else place(numbers, page, part);
    row += rows;
  }
}

/** The page has a value that is no number, or its dictionary has one. */
function checkEach(
  { values, codes, count, present }: Page,
  { firstRow, ...range }: CellRange,
  into: Float64Array,
): void {
  const words = codes === null ? null : readRuns(codes, count);
  for (let i = 0, at = 0; i < into.length; i++) {
    const isThere = present === null || present[i] === 1;
    const value = !isThere ? null : words === null ? values[at++] : wordAt(values, words[at++] as number);
    const number = toNumber(value);
    if (number === null) {
      const got = isNumeric(value) ? String(Number(value)) : shown(value);
      throw cellError(fn, { ...range, row: firstRow + i }, 'a number', got, 'list the column in categorical or ignore');
    }
    into[i] = number;
  }
}

/** Null where one of them is not a number, which matters only if it is used. */
function toNumbers(values: ArrayLike<unknown>): Float64Array | null {
  if (values instanceof Int32Array || values instanceof Uint32Array) return new Float64Array(values);
  if (values instanceof Float32Array || values instanceof Float64Array) {
    const numbers = values instanceof Float64Array ? values : new Float64Array(values);
    return hasInfinity(numbers) ? null : numbers;
  }
  const numbers = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const number = toNumber(values[i]);
    if (number === null) return null;
    numbers[i] = number;
  }
  return numbers;
}

// Four times as fast as a loop.
function hasInfinity(values: Float64Array): boolean {
  return values.indexOf(Number.POSITIVE_INFINITY) >= 0 || values.indexOf(Number.NEGATIVE_INFINITY) >= 0;
}

/** Each row's number. */
function place(numbers: Float64Array, { codes, count, present }: Page, into: Float64Array): void {
  const there = present === null ? into : codes === null ? numbers : new Float64Array(count);
  if (codes !== null) readWords(codes, numbers, there);
  else if (present === null) into.set(numbers);
  if (present === null) return;
  for (let i = 0, at = 0; i < into.length; i++) into[i] = present[i] === 0 ? Number.NaN : (there[at++] as number);
}

/** The values of pages as texts, the words of a dictionary once. @throws ShallowsError for a value that is none */
export function textsOf(pages: readonly Page[], range: CellRange, rows: number): TextColumn {
  const values: string[] = [];
  const codes = new Int32Array(rows);
  const codesOfWords = once(({ length }) => new Int32Array(length).fill(unseen));
  let row = 0;
  for (const { rows: pageRows, values: held, codes: runs, count, present } of pages) {
    const numbers = runs === null ? null : readRuns(runs, count);
    const codeOf = (at: number): number => {
      const text = toText(held[at], { ...range, row: range.firstRow + row });
      return text === null ? missingText : values.push(text) - 1;
    };
    const words = numbers === null ? null : codesOfWords(held);
    for (let at = 0, end = row + pageRows, i = 0; row < end; row++, i++) {
      if (present !== null && present[i] === 0) codes[row] = missingText;
      else if (words === null || numbers === null) codes[row] = codeOf(at++);
      else {
        const word = numbers[at++] as number;
        if (wordAt(words, word) === unseen) words[word] = codeOf(word);
        codes[row] = words[word] as number;
      }
    }
  }
  return { values, codes };
}

/** The code of a word that no row had so far. */
const unseen = -2;

/** Neighbouring pages have one dictionary. */
function once<T>(of: (values: ArrayLike<unknown>) => T): (values: ArrayLike<unknown>) => T {
  let last: { readonly values: ArrayLike<unknown>; readonly result: T } | null = null;
  return (values) => {
    if (last?.values !== values) last = { values, result: of(values) };
    return last.result;
  };
}

/** NaN for a missing one; null for what is no number, and for infinity. */
function toNumber(value: unknown): number | null {
  const number = isNumeric(value) ? Number(value) : value === null || value === undefined ? Number.NaN : null;
  return number !== null && Math.abs(number) === Number.POSITIVE_INFINITY ? null : number;
}

const isNumeric = (value: unknown): boolean =>
  typeof value === 'bigint' || typeof value === 'boolean' || typeof value === 'number' || value instanceof Date;

function toText(value: unknown, cell: Cell): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return value;
  if (value instanceof Date) return value.toISOString();
  if (typeof value !== 'object' && typeof value !== 'symbol' && typeof value !== 'function') return String(value);
  throw cellError(fn, cell, 'text or a number', shown(value), 'list the column in ignore');
}
