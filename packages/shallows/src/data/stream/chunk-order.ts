import { deriveKey, type Key, permutation } from '../../random/index.js';

/** A row of a chunked set: which chunk, which row of it, which row of the set. */
export interface ChunkRow {
  readonly chunk: number;
  readonly row: number;
  readonly index: number;
}

/**
 * The order of the rows of an epoch over chunks that are read one by one: with a key, chunks come in random order and the
 * rows of `window` neighbouring ones are mixed; without, in their own order. A function of its arguments; it holds the order
 * of two windows at a time.
 */
export class ChunkOrder {
  readonly #counts: readonly number[];
  readonly #key: Key | null;
  readonly #windows: readonly (readonly number[])[];
  /** Where in the order each window begins; at the end, the number of rows. */
  readonly #starts: readonly number[];
  /** First row of the set in each chunk. */
  readonly #firsts: readonly number[];
  readonly #held = new Map<number, { readonly chunks: Uint32Array; readonly rows: Uint32Array }>();

  /** @param counts rows of each chunk */
  constructor(counts: readonly number[], key: Key | null, window: number) {
    this.#counts = counts;
    this.#key = key;
    const full = counts.flatMap((count, chunk) => (count > 0 ? [chunk] : []));
    const order =
      key === null ? full : Array.from(permutation(deriveKey(key, 'chunks'), full.length), (i) => full[i] ?? 0);
    const size = key === null ? 1 : window;
    this.#windows = Array.from({ length: Math.ceil(order.length / size) }, (_, i) =>
      order.slice(i * size, (i + 1) * size),
    );
    this.#starts = runningSum(this.#windows.map((chunks) => sum(chunks.map((chunk) => counts[chunk] ?? 0))));
    this.#firsts = runningSum(counts);
  }

  /** The rows at the positions from `start` up to, not including, `end`. */
  rows(start: number, end: number): ChunkRow[] {
    const found: ChunkRow[] = [];
    let window = this.#windowOf(start);
    for (let at = start; at < end; at++) {
      while (at >= (this.#starts[window + 1] ?? 0)) window++;
      const { chunks, rows } = this.#order(window);
      const place = at - (this.#starts[window] ?? 0);
      const [chunk = 0, row = 0] = [chunks[place], rows[place]];
      found.push({ chunk, row, index: (this.#firsts[chunk] ?? 0) + row });
    }
    return found;
  }

  /** The chunks that the windows of these positions hold, and those of `ahead` windows after them, in the order they are needed. */
  chunks(start: number, end: number, ahead: number): number[] {
    const first = this.#windowOf(start);
    const last = this.#windowOf(Math.max(start, end - 1)) + ahead;
    return this.#windows.slice(first, last + 1).flat();
  }

  #windowOf(position: number): number {
    let [low, high] = [0, Math.max(0, this.#windows.length - 1)];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#starts[middle] ?? 0) <= position) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #order(window: number) {
    const held = this.#held.get(window);
    if (held !== undefined) return held;
    const members = this.#windows[window] ?? [];
    const count = (this.#starts[window + 1] ?? 0) - (this.#starts[window] ?? 0);
    const chunks = new Uint32Array(count);
    const rows = new Uint32Array(count);
    const order = this.#key === null ? null : permutation(deriveKey(this.#key, 'window', window), count);
    let from = 0;
    for (const chunk of members) {
      for (let row = 0; row < (this.#counts[chunk] ?? 0); row++, from++) {
        chunks[from] = chunk;
        rows[from] = row;
      }
    }
    const mixed =
      order === null
        ? { chunks, rows }
        : { chunks: order.map((i) => chunks[i] ?? 0), rows: order.map((i) => rows[i] ?? 0) };
    for (const other of this.#held.keys()) if (Math.abs(other - window) > 1) this.#held.delete(other);
    this.#held.set(window, mixed);
    return mixed;
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function runningSum(values: readonly number[]): number[] {
  const sums = [0];
  for (const value of values) sums.push((sums.at(-1) ?? 0) + value);
  return sums;
}
