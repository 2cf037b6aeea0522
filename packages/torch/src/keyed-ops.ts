import type { DType } from './dtype.js';
import type { Tensor } from './tensor.js';

/**
 * The operators of this package that drop elements by keyed random numbers.
 *
 * `keys` has the high and the low 32 bits of a key for each row, or of one key for all rows: `[hi, lo, hi, lo, …]`. Element e
 * of a row is kept where word ⌊e / 8⌋ mod 4 of the Philox4x32-10 block 8 · ⌊e / 32⌋ + e mod 8 under the row's key is
 * round(rate · 2³²) or more: what is dropped is a function of the key, the place and the rate alone, whatever the threads.
 * The counter is [block, its higher 32 bits, 0, 8]. `rate` is from 0 to below 1. On the CPU; TorchError for other devices,
 * rates, keys, and dtypes other than float32, float64, float16 and bfloat16.
 *
 * @see Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011
 */
export interface KeyedOperators {
  /** 1 where an element is kept, else 0. `size`: `[…]`, whose elements are shared out evenly among the keys. */
  keyed_mask(
    keys: readonly number[],
    rate: number,
    size: readonly number[],
    options?: { readonly dtype?: DType },
  ): Tensor;
  /**
   * x / (1 − rate) where an element is kept, else 0, in one pass; NaN and ∞ in what is dropped reach neither the result nor a
   * gradient. Nothing of the batch is kept for the backward pass, which draws again. Rows are stretches of `x` in row-major
   * order; half precision is scaled in float32 and rounded once.
   */
  keyed_dropout(x: Tensor, keys: readonly number[], rate: number): Tensor;
}
