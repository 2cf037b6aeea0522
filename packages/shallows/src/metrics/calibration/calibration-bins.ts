import { ShallowsError, shown } from '../../errors.js';
import { type RowTable, type RowValues, sameRows, toFlags, toNumbers } from '../statistics/input.js';
import { StateReader } from '../statistics/state.js';
import { topLabel } from './probabilities.js';
import { type CalibrationOptions, type CalibrationReport, judgeBins } from './report.js';

/** The state of {@link CalibrationBins}, plain data: the cells that are not empty. */
export interface CalibrationBinsState {
  readonly bins: number;
  readonly cell: readonly number[];
  readonly count: readonly number[];
  readonly confidence: readonly number[];
  readonly correct: readonly number[];
}

/** Cells a bin: fine enough that rows of one cell differ by 0.001 in confidence. */
const CELLS = 64;

/**
 * Calibration errors over equal-width bins of confidence: streaming and mergeable.
 *
 * Bin b holds the confidences in (b / B, (b + 1) / B]; 0 belongs to the first bin, so 1 to the last (Guo et al. 2017). Each
 * bin keeps counts in 64 cells, that is O(B) numbers however many rows come. The cells are what the null distribution
 * needs: if the confidences are right, the number of right rows of a bin is a sum of 64 binomials, whose distribution is
 * computed exactly. Taking one mean probability a cell of width 1/960 changes a row's variance p (1 − p) by less than 3e-7.
 */
export class CalibrationBins {
  readonly bins: number;
  readonly #count: Float64Array;
  readonly #confidence: Float64Array;
  readonly #correct: Float64Array;

  /** @param bins how many, from 1 @throws ShallowsError for another number */
  constructor(bins = 15) {
    if (!Number.isSafeInteger(bins) || bins < 1 || bins > 10_000) {
      throw new ShallowsError(`CalibrationBins: expected 1 to 10000 bins, got ${shown(bins)} - take 15`);
    }
    this.bins = bins;
    this.#count = new Float64Array(bins * CELLS);
    this.#confidence = new Float64Array(bins * CELLS);
    this.#correct = new Float64Array(bins * CELLS);
  }

  /**
   * Adds the top-label confidences of rows of probabilities.
   *
   * @param probabilities `[N, C]`
   * @param targets classes `[N]`
   * @throws ShallowsError for other inputs
   */
  add(probabilities: RowTable, targets: RowValues): void {
    const { confidence, correct } = topLabel(probabilities, targets);
    this.addConfidences(confidence, correct);
  }

  /**
   * Adds rows by their confidence and outcome; for one sigmoid: p and the label.
   *
   * @param confidence in [0, 1], `[N]`
   * @param correct 0 or 1, `[N]`
   * @throws ShallowsError for other inputs
   */
  addConfidences(confidence: RowValues, correct: RowValues | readonly boolean[]): void {
    const p = toNumbers('CalibrationBins', 'confidences', confidence);
    const right = toFlags('CalibrationBins', 'outcomes', correct);
    sameRows('CalibrationBins', p.length, right.length);
    requireConfidences('CalibrationBins', p);
    for (let i = 0; i < p.length; i++) {
      const each = p[i] ?? 0;
      const cell = cellOf(each, this.#count.length);
      this.#count[cell] = (this.#count[cell] ?? 0) + 1;
      this.#confidence[cell] = (this.#confidence[cell] ?? 0) + each;
      this.#correct[cell] = (this.#correct[cell] ?? 0) + (right[i] ?? 0);
    }
  }

  /** Adds the rows of others. @throws ShallowsError for another number of bins */
  merge(other: CalibrationBins): void {
    if (other.bins !== this.bins) {
      throw new ShallowsError(
        `CalibrationBins: expected ${this.bins} bins to merge, got ${other.bins} - construct both alike`,
      );
    }
    for (let cell = 0; cell < this.#count.length; cell++) {
      this.#count[cell] = (this.#count[cell] ?? 0) + (other.#count[cell] ?? 0);
      this.#confidence[cell] = (this.#confidence[cell] ?? 0) + (other.#confidence[cell] ?? 0);
      this.#correct[cell] = (this.#correct[cell] ?? 0) + (other.#correct[cell] ?? 0);
    }
  }

  /** The errors beside what chance gives, and the verdict. @throws ShallowsError when no row was added, or for bad options */
  result(options: CalibrationOptions = {}): CalibrationReport {
    const filled = Array.from({ length: this.bins }, (_, b) => {
      const cells = Array.from({ length: CELLS }, (__, c) => b * CELLS + c);
      const sum = (of: Float64Array): number => cells.reduce((total, cell) => total + (of[cell] ?? 0), 0);
      const trials = cells
        .map((cell) => ({ count: this.#count[cell] ?? 0, sum: this.#confidence[cell] ?? 0 }))
        .filter(({ count }) => count > 0)
        .map(({ count, sum: total }) => ({ count, p: total / count }));
      return {
        from: b / this.bins,
        to: (b + 1) / this.bins,
        count: sum(this.#count),
        confidenceSum: sum(this.#confidence),
        correct: sum(this.#correct),
        trials,
      };
    });
    return judgeBins('CalibrationBins', filled, options);
  }

  /** The cells as plain data. */
  toJSON(): CalibrationBinsState {
    const cell = [...this.#count.keys()].filter((each) => (this.#count[each] ?? 0) > 0);
    const of = (values: Float64Array): number[] => cell.map((each) => values[each] ?? 0);
    return {
      bins: this.bins,
      cell,
      count: of(this.#count),
      confidence: of(this.#confidence),
      correct: of(this.#correct),
    };
  }

  /** Bins from what `toJSON` gave. @throws ShallowsError for other data */
  static fromJSON(state: unknown): CalibrationBins {
    const reader = new StateReader('CalibrationBins', state);
    const bins = new CalibrationBins(reader.whole('bins', 1));
    const cells = reader.numbers('cell');
    const [count, confidence, correct] = [
      reader.numbers('count', cells.length),
      reader.numbers('confidence', cells.length),
      reader.numbers('correct', cells.length),
    ];
    for (const [i, cell] of cells.entries()) {
      if (!(Number.isInteger(cell) && cell >= 0 && cell < bins.#count.length)) {
        throw new ShallowsError(
          `CalibrationBins: expected cells from 0 to ${bins.#count.length - 1}, got ${cell} - give what toJSON() gave`,
        );
      }
      bins.#count[cell] = count[i] ?? 0;
      bins.#confidence[cell] = confidence[i] ?? 0;
      bins.#correct[cell] = correct[i] ?? 0;
    }
    return bins;
  }
}

/** @internal The cell whose range (cell / cells, (cell + 1) / cells] holds p; 0 is in the first. */
export function cellOf(p: number, cells: number): number {
  let cell = Math.max(0, Math.ceil(p * cells) - 1);
  // The product rounds: the bounds themselves decide.
  if (cell > 0 && p <= cell / cells) cell--;
  else if (p > (cell + 1) / cells) cell++;
  return Math.min(cell, cells - 1);
}

/** @internal @throws ShallowsError for a number outside [0, 1] */
export function requireConfidences(fn: string, confidences: Float64Array): void {
  const bad = confidences.findIndex((p) => !(p >= 0 && p <= 1));
  if (bad >= 0) {
    throw new ShallowsError(
      `${fn}: expected confidences in [0, 1], got ${confidences[bad]} at ${bad} - apply softmax or a sigmoid to logits first`,
    );
  }
}
