/** Mean and standard deviation (over the population) of numbers as they come; NaN counts as none. Welford's recurrence. */
export class Moments {
  #count = 0;
  #mean = 0;
  #squares = 0;

  add(value: number): void {
    if (Number.isNaN(value)) return;
    this.#count++;
    const delta = value - this.#mean;
    this.#mean += delta / this.#count;
    this.#squares += delta * (value - this.#mean);
  }

  get count(): number {
    return this.#count;
  }

  get mean(): number {
    return this.#mean;
  }

  /** 1 where all numbers are the same, up to their rounding: standardised they are then 0. */
  get std(): number {
    const std = Math.sqrt(this.#squares / this.#count);
    return std > 1e-12 * Math.abs(this.#mean) ? std : 1;
  }
}
