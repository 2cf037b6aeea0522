import type { RawRows } from './raw-rows.js';
import { textAt } from './text-column.js';

const encoder = new TextEncoder();

/**
 * Writes rows as bytes, equal for equal values whatever file they came from: numbers as little-endian float64, text as
 * its length in bytes (uint32) and UTF-8. A missing number is the one NaN, a missing text the length 2³² − 1.
 */
export class RowBytes {
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);

  /** The bytes of a row, until the next call. */
  of({ numbers, texts }: RawRows, row: number): Uint8Array {
    let at = 0;
    for (const column of numbers) {
      this.#reserve(at + 8);
      const value = column[row] ?? Number.NaN;
      // Zero has one sign here: -0 + 0 is 0.
      this.#view.setFloat64(at, Number.isNaN(value) ? Number.NaN : value + 0, true);
      at += 8;
    }
    for (const column of texts) {
      const text = textAt(column, row);
      this.#reserve(at + 4 + 3 * (text?.length ?? 0));
      const { written } =
        text === null ? { written: 0xffffffff } : encoder.encodeInto(text, this.#bytes.subarray(at + 4));
      this.#view.setUint32(at, written, true);
      at += 4 + (text === null ? 0 : written);
    }
    return this.#bytes.subarray(0, at);
  }

  #reserve(length: number): void {
    if (length <= this.#bytes.length) return;
    const larger = new Uint8Array(2 * length);
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}
