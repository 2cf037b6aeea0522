import type { Key } from '../../random/index.js';
import { hashSide } from '../split.js';
import type { RawRows } from './raw-rows.js';
import { RowBytes } from './row-bytes.js';
import { missingText } from './text-column.js';

/** What rows are for. */
export type Part = 'train' | 'validation';

/** Which rows of a file are for what: plain data. */
export interface SortRule {
  /** What all rows of the file are for, or how they are split by content. */
  readonly part: Part | { readonly share: number; readonly key: Key | null };
  /** Whether rows that miss a value are left out. */
  readonly dropMissing: boolean;
  /** Whether the last text column is the segment, which may be missing. */
  readonly hasSegment: boolean;
}

/** Says what a row is for, and null for one that is left out: a function of the row's content alone. */
export function rowSorter({ part, dropMissing, hasSegment }: SortRule): (rows: RawRows, row: number) => Part | null {
  const bytes = new RowBytes();
  const validates = typeof part === 'string' ? null : hashSide(part.share, part.key);
  return (rows, row) => {
    if (dropMissing && missingColumn(rows, row, hasSegment) !== null) return null;
    if (typeof part === 'string') return part;
    return validates?.(bytes.of(rows, row)) === true ? 'validation' : 'train';
  };
}

/** A column that misses its value in a row; null where there is none. */
export function missingColumn(
  { numbers, texts }: RawRows,
  row: number,
  hasSegment: boolean,
): { readonly list: 'numbers' | 'texts'; readonly index: number } | null {
  for (const [index, column] of numbers.entries()) {
    if (Number.isNaN(column[row])) return { list: 'numbers', index };
  }
  const last = hasSegment ? texts.length - 1 : texts.length;
  for (let index = 0; index < last; index++) {
    if (texts[index]?.codes[row] === missingText) return { list: 'texts', index };
  }
  return null;
}
