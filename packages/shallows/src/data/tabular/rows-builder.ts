import type { RawRows } from './raw-rows.js';
import { missingText } from './text-column.js';

/** Collects the cells of a chunk, column by column. */
export class RowsBuilder {
  readonly #capacity: number;
  readonly #numbers: Float64Array[];
  readonly #texts: { readonly known: Map<string, number>; readonly codes: Int32Array }[];
  #rows = 0;

  constructor(numbers: number, texts: number, capacity: number) {
    this.#capacity = capacity;
    this.#numbers = Array.from({ length: numbers }, () => new Float64Array(capacity));
    this.#texts = Array.from({ length: texts }, () => ({ known: new Map(), codes: new Int32Array(capacity) }));
  }

  get rows(): number {
    return this.#rows;
  }

  get full(): boolean {
    return this.#rows === this.#capacity;
  }

  setNumber(column: number, value: number): void {
    const values = this.#numbers[column];
    if (values !== undefined) values[this.#rows] = value;
  }

  setText(column: number, value: string | null): void {
    const texts = this.#texts[column];
    if (texts === undefined) return;
    let code = value === null ? missingText : texts.known.get(value);
    if (code === undefined) texts.known.set(value as string, (code = texts.known.size));
    texts.codes[this.#rows] = code;
  }

  endRow(): void {
    this.#rows++;
  }

  /** The rows so far; they share memory with this builder, which is done. */
  finish(firstRow: number): RawRows {
    const rows = this.#rows;
    return {
      ...{ firstRow, rows },
      numbers: this.#numbers.map((each) => each.subarray(0, rows)),
      texts: this.#texts.map(({ known, codes }) => ({ values: [...known.keys()], codes: codes.subarray(0, rows) })),
    };
  }
}
