import { fromTypedArray, keep, noGrad, ops, scope, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../errors.js';

/**
 * Σ value · weight / Σ weight of numbers that come one by one, summed in float64 on their device.
 *
 * Adding does not wait for the device: the sum is read back when the result is asked for.
 */
export class StreamingMean {
  #sum: Tensor | null = null;
  #weight = 0;

  /** Sum of the weights so far. */
  get weight(): number {
    return this.#weight;
  }

  /**
   * @param value one element; autograd does not record the sum
   * @param weight how much it counts, as the number of rows that it is the mean of
   */
  add(value: Tensor, weight = 1): void {
    if (!(weight > 0 && weight < Number.POSITIVE_INFINITY)) {
      throw new ShallowsError(`StreamingMean: expected a weight above 0, got ${weight} - leave empty batches out`);
    }
    if (value.numel !== 1) {
      throw new ShallowsError(
        `StreamingMean: expected one element, got shape [${value.shape.join(', ')}] - take its mean first`,
      );
    }
    this.#sum ??= keep(fromTypedArray(new Float64Array(1), [], { device: value.device }));
    const sum = this.#sum;
    noGrad(() => scope(() => void ops.aten.add_.Tensor(sum, ops.aten.reshape.default(value, []), { alpha: weight })));
    this.#weight += weight;
  }

  /** The mean so far. Waits for the device. NaN before the first number. */
  result(): number {
    return this.#sum === null ? Number.NaN : this.#sum.item() / this.#weight;
  }

  /** Forgets all numbers and frees the sum. */
  reset(): void {
    this.#sum?.dispose();
    this.#sum = null;
    this.#weight = 0;
  }

  [Symbol.dispose](): void {
    this.reset();
  }
}
