import { ShallowsError, shown } from '../../errors.js';
import { type RowValues, sameRows, toFlags, toNumbers } from '../statistics/input.js';
import { StateReader } from '../statistics/state.js';

/** How a {@link BinnedAuc} divides the scores. */
export interface BinnedAucOptions {
  /** How many bins of one width, from 2. */
  readonly bins?: number;
  /** Where the first bin begins and the last one ends; scores beyond them fall into these two. */
  readonly range?: readonly [low: number, high: number];
}

/** The area under the ROC curve as far as bins know it. */
export interface AucBounds {
  /** The middle of the bounds: pairs in one bin count half. */
  readonly auc: number;
  /** The exact area of the scores that were added lies between these two, ends included. */
  readonly lower: number;
  readonly upper: number;
  readonly positives: number;
  readonly negatives: number;
}

/** The state of a {@link BinnedAuc}, plain data. */
export interface BinnedAucState {
  readonly range: readonly number[];
  readonly positives: readonly number[];
  readonly negatives: readonly number[];
}

/**
 * Area under the ROC curve from a histogram: streaming and mergeable, with two counts a bin, and with a bound on its error.
 *
 * Pairs in different bins are ordered as their bins are. Pairs in one bin may be ordered either way, so the error is at most
 * ½ Σ_b p_b n_b / (P N): narrower where scores spread. Scores crowd near 0 and 1 after a softmax; logits over
 * `range: [-20, 20]` spread better.
 */
export class BinnedAuc {
  readonly range: readonly [low: number, high: number];
  readonly #positives: Float64Array;
  readonly #negatives: Float64Array;

  /** @throws ShallowsError for fewer than two bins, or a range that is empty or not finite */
  constructor({ bins = 1024, range: [low, high] = [0, 1] }: BinnedAucOptions = {}) {
    if (!Number.isSafeInteger(bins) || bins < 2 || !(Number.isFinite(high - low) && low < high)) {
      throw new ShallowsError(
        `BinnedAuc: expected at least two bins over a finite range, got ${shown(bins)} over [${low}, ${high}] - widen them`,
      );
    }
    this.range = Object.freeze([low, high] as const);
    this.#positives = new Float64Array(bins);
    this.#negatives = new Float64Array(bins);
  }

  /**
   * @param scores higher for positive rows `[N]`
   * @param labels 0 or 1 `[N]`
   * @throws ShallowsError for other inputs
   */
  add(scores: RowValues, labels: RowValues | readonly boolean[]): void {
    const values = toNumbers('BinnedAuc', 'scores', scores);
    const flags = toFlags('BinnedAuc', 'labels', labels);
    sameRows('BinnedAuc', values.length, flags.length);
    const [low, high] = this.range;
    const bins = this.#positives.length;
    for (const [i, score] of values.entries()) {
      const bin = Math.min(bins - 1, Math.max(0, Math.floor(((score - low) / (high - low)) * bins)));
      const counts = flags[i] === 1 ? this.#positives : this.#negatives;
      counts[bin] = (counts[bin] ?? 0) + 1;
    }
  }

  /** Adds the counts of another histogram. @throws ShallowsError for other bins */
  merge(other: BinnedAuc): void {
    if (other.range.join() !== this.range.join() || other.#positives.length !== this.#positives.length) {
      throw new ShallowsError('BinnedAuc: expected the same bins to merge, got others - construct both alike');
    }
    for (const [i, count] of other.#positives.entries()) this.#positives[i] = (this.#positives[i] ?? 0) + count;
    for (const [i, count] of other.#negatives.entries()) this.#negatives[i] = (this.#negatives[i] ?? 0) + count;
  }

  /** @throws ShallowsError where labels of one kind alone were added */
  result(): AucBounds {
    let [positives, negatives, sure, open] = [0, 0, 0, 0];
    for (const [bin, hits] of this.#positives.entries()) {
      const misses = this.#negatives[bin] ?? 0;
      sure += hits * negatives;
      open += hits * misses;
      positives += hits;
      negatives += misses;
    }
    if (positives === 0 || negatives === 0) {
      throw new ShallowsError(
        `BinnedAuc: expected labels 0 and 1, got ${positives} positive and ${negatives} negative - add the other kind`,
      );
    }
    const pairs = positives * negatives;
    return {
      auc: (sure + open / 2) / pairs,
      lower: sure / pairs,
      upper: (sure + open) / pairs,
      positives,
      negatives,
    };
  }

  /** The counts as plain data. */
  toJSON(): BinnedAucState {
    return { range: [...this.range], positives: [...this.#positives], negatives: [...this.#negatives] };
  }

  /** A histogram from what `toJSON` gave. @throws ShallowsError for other data */
  static fromJSON(state: unknown): BinnedAuc {
    const reader = new StateReader('BinnedAuc', state);
    const [low = Number.NaN, high = Number.NaN] = reader.numbers('range', 2);
    const positives = reader.numbers('positives');
    const histogram = new BinnedAuc({ bins: positives.length, range: [low, high] });
    histogram.#positives.set(positives);
    histogram.#negatives.set(reader.numbers('negatives', positives.length));
    return histogram;
  }
}
