/**
 * How often each named place has drawn in one forward pass: a place that runs twice, as in a module that is shared, draws
 * other numbers the second time. Shared by all passes made of one by `with`.
 */
export class CallCounts {
  readonly #counts = new Map<string, number>();

  /** The number of calls that the place has had before this one, from 0. */
  next(place: string): number {
    const count = this.#counts.get(place) ?? 0;
    this.#counts.set(place, count + 1);
    return count;
  }

  /** The places that were called, in the order of their first call, and how often. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }
}

/** @internal A stretch of a forward pass that counts along and can be counted again from where it began. */
export class RecordedCalls extends CallCounts {
  readonly #all: CallCounts;
  readonly #first = new Map<string, number>();

  constructor(all: CallCounts) {
    super();
    this.#all = all;
  }

  override next(place: string): number {
    const count = this.#all.next(place);
    if (!this.#first.has(place)) this.#first.set(place, count);
    return count;
  }

  override get counts(): ReadonlyMap<string, number> {
    return this.#all.counts;
  }

  /** Counts that give each place of the stretch the numbers it had, in order. */
  again(): CallCounts {
    return new RepeatedCalls(this.#first);
  }
}

class RepeatedCalls extends CallCounts {
  readonly #first: ReadonlyMap<string, number>;

  constructor(first: ReadonlyMap<string, number>) {
    super();
    this.#first = first;
  }

  override next(place: string): number {
    return (this.#first.get(place) ?? 0) + super.next(place);
  }
}
