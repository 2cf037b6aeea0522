/** What a trend remembers. Plain data. */
export interface TrendState {
  readonly sum: number;
  readonly count: number;
}

/**
 * Exponential moving average without the bias of its start: `m ← d·m + (1 − d)·x`, and `m / (1 − dⁿ)` after n numbers.
 *
 * @see Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015, section 3
 */
export class Trend {
  readonly #decay: number;
  #sum = 0;
  #count = 0;

  /** @param decay share of the past, in [0, 1) */
  constructor(decay: number) {
    this.#decay = decay;
  }

  /** Numbers so far. */
  get count(): number {
    return this.#count;
  }

  /** Null before the first number. */
  get value(): number | null {
    return this.#count === 0 ? null : this.#sum / (1 - this.#decay ** this.#count);
  }

  /** Takes one more number and gives the average with it. */
  add(value: number): number {
    this.#sum = this.#decay * this.#sum + (1 - this.#decay) * value;
    this.#count += 1;
    return this.#sum / (1 - this.#decay ** this.#count);
  }

  state(): TrendState {
    return { sum: this.#sum, count: this.#count };
  }

  load({ sum, count }: TrendState): void {
    this.#sum = sum;
    this.#count = count;
  }
}
