import { ShallowsError, shown } from '../../errors.js';
import { type RowTable, type RowValues, sameRows, toClasses, toTable } from '../statistics/input.js';
import { StateReader } from '../statistics/state.js';

/** The state of a {@link TopK}, plain data. */
export interface TopKState {
  readonly k: readonly number[];
  /** Rows whose target is among the k highest scores, one count a k. */
  readonly hits: readonly number[];
  readonly count: number;
}

/**
 * Top-k accuracy: the share of rows whose target is among the k highest scores. Streaming and mergeable.
 *
 * Of equal scores the lower class comes first, so that a model that gives every class the same score gains nothing.
 */
export class TopK {
  readonly k: readonly number[];
  readonly #hits: number[];
  #count = 0;

  /**
   * @param k one or several numbers of classes, from 1: `[1, 5]`
   * @throws ShallowsError for others
   */
  constructor(k: readonly number[] = [1, 5]) {
    if (k.length === 0 || !k.every((each) => Number.isSafeInteger(each) && each >= 1)) {
      throw new ShallowsError(`TopK: expected whole numbers from 1, got ${k.map(shown).join(', ')} - give [1, 5]`);
    }
    this.k = Object.freeze([...k]);
    this.#hits = k.map(() => 0);
  }

  /**
   * @param scores logits or probabilities `[N, C]`
   * @param targets classes `[N]`
   * @throws ShallowsError for other shapes, scores that are not finite, or classes that the scores do not have
   */
  add(scores: RowTable, targets: RowValues): void {
    const { values, rows, columns } = toTable('TopK', 'scores', scores);
    const actual = toClasses('TopK', 'targets', targets, columns);
    sameRows('TopK', rows, actual.length);
    for (let row = 0; row < rows; row++) {
      const target = actual[row] ?? 0;
      const own = values[row * columns + target] ?? 0;
      let ahead = 0;
      for (let c = 0; c < columns; c++) {
        const score = values[row * columns + c] ?? 0;
        if (score > own || (score === own && c < target)) ahead++;
      }
      for (const [i, k] of this.k.entries()) if (ahead < k) this.#hits[i] = (this.#hits[i] ?? 0) + 1;
    }
    this.#count += rows;
  }

  /** Adds the counts of another meter. @throws ShallowsError for other values of k */
  merge(other: TopK): void {
    if (other.k.join() !== this.k.join()) {
      throw new ShallowsError(`TopK: expected k of ${this.k} to merge, got ${other.k} - measure the same`);
    }
    for (const [i, hits] of other.#hits.entries()) this.#hits[i] = (this.#hits[i] ?? 0) + hits;
    this.#count += other.#count;
  }

  /** The accuracies, in the order of `k`. @throws ShallowsError when no row was added */
  result(): readonly number[] {
    if (this.#count === 0) throw new ShallowsError('TopK: expected at least one row, got none - add scores first');
    return this.#hits.map((hits) => hits / this.#count);
  }

  /** The counts as plain data. */
  toJSON(): TopKState {
    return { k: [...this.k], hits: [...this.#hits], count: this.#count };
  }

  /** A meter from what `toJSON` gave. @throws ShallowsError for other data */
  static fromJSON(state: unknown): TopK {
    const reader = new StateReader('TopK', state);
    const meter = new TopK([...reader.numbers('k')]);
    for (const [i, hits] of reader.numbers('hits', meter.k.length).entries()) meter.#hits[i] = hits;
    meter.#count = reader.whole('count');
    return meter;
  }
}
