import type { Tensor } from '@shallows/torch';

/** Numbers of rows that come in batches: `[N, columns]`. */
export class GrowingTable {
  #parts: Float64Array[] = [];

  add(values: Tensor | Float64Array): void {
    this.#parts.push(
      values instanceof Float64Array ? values : Float64Array.from(values.to('float64').reshape([-1]).toArray(), Number),
    );
  }

  /** All numbers in the order in which they came. */
  values(): Float64Array {
    const all = new Float64Array(this.#parts.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    this.#parts = [all];
    return all;
  }
}
