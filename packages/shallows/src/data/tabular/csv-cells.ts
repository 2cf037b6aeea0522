import { type ShallowsError, shown } from '../../errors.js';
import { cellError, noSuchColumn } from './cell-errors.js';
import { type CsvFile, delimiterByte, unequalLines } from './csv-records.js';
import type { ReadColumns } from './raw-rows.js';
import type { RowsBuilder } from './rows-builder.js';

const fn = 'readCsv';
const [minus, plus, point, zero, newline, carriageReturn] = [0x2d, 0x2b, 0x2e, 0x30, 0x0a, 0x0d];
/** So many decimal digits are a whole number that float64 holds. */
const exactDigits = 15;
/** So many are one that 32 bits hold, with which the processor reckons faster. */
const smallDigits = 9;
/** Longest text, in bytes, that is remembered, and how many are. */
const [longestShort, mostShort] = [32, 4096];
const powersOfTen = Float64Array.from({ length: exactDigits + 1 }, (_, i) => 10 ** i);

/** Puts the wanted cells of records into builders. */
export class CellReader {
  readonly #file: CsvFile;
  readonly #columns: ReadColumns;
  readonly #delimiter: number | null;
  readonly #missing: ReadonlySet<string>;
  /** Columns of the file, in the order of `ReadColumns.numbers` and `.texts`. */
  readonly #numbers: readonly number[];
  readonly #texts: readonly number[];
  /** Columns of the file. */
  readonly #width: number;
  /** What becomes of each column: 2i a number for place i, 2i + 1 a text; −1 nothing. Null where one becomes two things, or a
   * number may stand for a missing one. */
  readonly #uses: Int32Array | null;
  /** Where the texts of a line begin and end. */
  readonly #bounds: Int32Array;
  readonly #shortTexts: ShortTexts;

  /** @throws ShallowsError for a column that the file does not have */
  constructor(file: CsvFile, names: readonly string[], columns: ReadColumns) {
    const place = (name: string): number => {
      const index = names.indexOf(name);
      if (index < 0) throw noSuchColumn(fn, file.path, name, names);
      return index;
    };
    this.#file = file;
    this.#columns = columns;
    this.#delimiter = delimiterByte(file);
    this.#missing = new Set(file.missingValues);
    this.#numbers = columns.numbers.map(place);
    this.#texts = columns.texts.map(place);
    this.#width = names.length;
    const takesDecimals = !file.missingValues.some((text) => /^[+-]?[\d.]+$/.test(text));
    this.#uses = takesDecimals ? usesOf(names.length, this.#numbers, this.#texts) : null;
    this.#bounds = new Int32Array(2 * this.#texts.length);
    this.#shortTexts = new ShortTexts(this.#missing);
  }

  /**
   * Adds the line that begins at `bytes[from]`, in one pass over its bytes, if it has the right cells and its numbers are plain
   * decimals: the same as `Number` of their text, as both digits and power of ten are float64 and one division rounds once. A
   * newline must follow. @returns the index behind the line; 0, with no row added, where its cells must be looked at
   */
  addPlain(builder: RowsBuilder, bytes: Buffer, from: number): number {
    const [uses, delimiter] = [this.#uses, this.#delimiter];
    if (uses === null || delimiter === null || bytes[from] === newline) return 0;
    const last = uses.length - 1;
    let at = from;
    for (let column = 0; column <= last; column++) {
      const use = uses[column] as number;
      let byte = bytes[at] as number;
      if (use >= 0 && use % 2 === 0) {
        const isNegative = byte === minus;
        if (isNegative || byte === plus) byte = bytes[++at] as number;
        const first = at;
        let digit = byte - zero;
        let whole = 0;
        for (; digit >>> 0 <= 9; digit = byte - zero) {
          whole = (10 * whole + digit) | 0;
          byte = bytes[++at] as number;
        }
        let digits = at - first;
        let decimals = 0;
        if (byte === point) {
          byte = bytes[++at] as number;
          const start = at;
          for (digit = byte - zero; digit >>> 0 <= 9; digit = byte - zero) {
            whole = (10 * whole + digit) | 0;
            byte = bytes[++at] as number;
          }
          decimals = at - start;
          digits += decimals;
        }
        if (digits === 0 || digits > exactDigits) return 0;
        const value = digits <= smallDigits ? whole : digitsIn(bytes, first, at);
        const size = decimals === 0 ? value : value / (powersOfTen[decimals] as number);
        builder.setNumber(use >> 1, isNegative ? -size : size);
        if (byte === carriageReturn && column === last) byte = bytes[++at] as number;
      } else {
        const begin = at;
        while (byte !== delimiter && byte !== newline) byte = bytes[++at] as number;
        if (use >= 0) {
          const isCut = byte === newline && at > begin && bytes[at - 1] === carriageReturn;
          this.#bounds[use - 1] = begin;
          this.#bounds[use] = isCut ? at - 1 : at;
        }
      }
      if (byte !== (column < last ? delimiter : newline)) return 0;
      at++;
    }
    for (let i = 0; i < this.#texts.length; i++)
      builder.setText(i, this.#shortTexts.of(bytes, this.#bounds[2 * i] as number, this.#bounds[2 * i + 1] as number));
    builder.endRow();
    return at;
  }

  /** Adds a row of cells. @throws ShallowsError */
  addCells(builder: RowsBuilder, cells: readonly string[], row: number, line: number): void {
    if (cells.length !== this.#width) throw this.#unequal(cells.length, line);
    for (const [i, column] of this.#numbers.entries()) builder.setNumber(i, this.#number(cells[column] ?? '', i, row));
    for (const [i, column] of this.#texts.entries()) builder.setText(i, this.#shortTexts.meaning(cells[column] ?? ''));
    builder.endRow();
  }

  #number(text: string, i: number, row: number): number {
    const cell = text.trim();
    const value = this.#missing.has(cell) ? Number.NaN : toNumber(cell);
    if (value !== null) return value;
    const place = { file: this.#file.path, row, column: this.#columns.numbers[i] ?? '' };
    const advice = 'correct it, list it in missingValues, or the column in categorical or ignore';
    throw cellError(fn, place, 'a number', shown(cell), advice);
  }

  #unequal(got: number, line: number): ShallowsError {
    return unequalLines(this.#file.path, `${got} instead of ${this.#width} in line ${line}`);
  }
}

/** The whole number of some digits, and a point that does not count. */
function digitsIn(bytes: Buffer, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at++) {
    const byte = bytes[at] as number;
    if (byte !== point) value = 10 * value + (byte - zero);
  }
  return value;
}

function usesOf(width: number, numbers: readonly number[], texts: readonly number[]): Int32Array | null {
  const uses = new Int32Array(width).fill(-1);
  for (const [i, column] of numbers.entries()) uses[column] = 2 * i;
  for (const [i, column] of texts.entries()) uses[column] = 2 * i + 1;
  return new Set([...numbers, ...texts]).size === numbers.length + texts.length ? uses : null;
}

/** What short texts stand for, each looked up once while it comes again and again, as categories do. */
class ShortTexts {
  readonly #missing: ReadonlySet<string>;
  readonly #known = new Map<number, { readonly bytes: Uint8Array; readonly meaning: string | null }>();

  constructor(missing: ReadonlySet<string>) {
    this.#missing = missing;
  }

  meaning(text: string): string | null {
    return this.#missing.has(text.trim()) ? null : text;
  }

  of(bytes: Buffer, from: number, to: number): string | null {
    const length = to - from;
    if (length > longestShort) return this.meaning(bytes.toString('utf8', from, to));
    let hash = 0x811c9dc5;
    for (let at = from; at < to; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193);
    const found = this.#known.get(hash);
    if (found !== undefined && isAt(bytes, from, to, found.bytes)) return found.meaning;
    const meaning = this.meaning(bytes.toString('utf8', from, to));
    if (this.#known.size >= mostShort) this.#known.clear();
    this.#known.set(hash, { bytes: Uint8Array.from(bytes.subarray(from, to)), meaning });
    return meaning;
  }
}

function isAt(bytes: Buffer, from: number, to: number, expected: Uint8Array): boolean {
  if (expected.length !== to - from) return false;
  for (let i = 0; i < expected.length; i++) if (bytes[from + i] !== expected[i]) return false;
  return true;
}

/** A finite number, or 1 and 0 for true and false; null for anything else. */
function toNumber(cell: string): number | null {
  const value = Number(cell);
  if (Number.isFinite(value) && cell !== '') return value;
  const lower = cell.toLowerCase();
  return lower === 'true' ? 1 : lower === 'false' ? 0 : null;
}
