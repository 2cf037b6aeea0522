import { ShallowsError } from '../../errors.js';
import { type RowTable, type RowValues, type Table, toColumns } from '../statistics/input.js';
import { StateReader } from '../statistics/state.js';

/** What {@link RegressionErrors} measured; e is prediction − target, y the target. Several outputs a row are averaged. */
export interface RegressionResult {
  /** Rows added. */
  readonly count: number;
  /** mean e²: in squared units of the targets. */
  readonly mse: number;
  /** √mse of each output: in units of the targets. */
  readonly rmse: number;
  /** mean |e| */
  readonly mae: number;
  /** mean e: above 0 where predictions are too high. */
  readonly bias: number;
  /** 1 − Σ e² / Σ (y − ȳ)², the mean over the outputs; `null` where the targets of an output are all the same. */
  readonly r2: number | null;
  /** mean |e / y| over the targets that are not 0, as a fraction; `null` where there is none. */
  readonly mape: number | null;
  /** How many targets were 0 and so are not in `mape`. */
  readonly mapeSkipped: number;
  /** mean 2 |e| / (|prediction| + |y|), in [0, 2]; 0 where both are 0. */
  readonly smape: number;
}

/** The state of {@link RegressionErrors}, plain data: one number an output in each list. */
export interface RegressionErrorsState {
  readonly count: number;
  readonly error: readonly number[];
  readonly squared: readonly number[];
  readonly absolute: readonly number[];
  readonly targetMean: readonly number[];
  readonly targetSpread: readonly number[];
  readonly relative: readonly number[];
  readonly nonzero: readonly number[];
  readonly symmetric: readonly number[];
}

const sums = ['error', 'squared', 'absolute', 'relative', 'nonzero', 'symmetric'] as const;
type Sums = Record<(typeof sums)[number], Float64Array>;

/**
 * Errors of a regression: streaming and mergeable, with eight numbers an output of state.
 *
 * The spread of the targets is updated as Welford's and merged as Chan's, so R² does not cancel for targets far from 0.
 *
 * @see Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979
 */
export class RegressionErrors {
  readonly outputs: number;
  readonly #sums: Sums;
  readonly #targetMean: Float64Array;
  readonly #targetSpread: Float64Array;
  #count = 0;

  /**
   * @param outputs numbers a row, from 1
   * @throws ShallowsError for another number
   */
  constructor(outputs = 1) {
    if (!Number.isSafeInteger(outputs) || outputs < 1) {
      throw new ShallowsError(`RegressionErrors: expected at least one output, got ${outputs} - give their number`);
    }
    const zeros = (): Float64Array => new Float64Array(outputs);
    this.outputs = outputs;
    this.#sums = {
      error: zeros(),
      squared: zeros(),
      absolute: zeros(),
      relative: zeros(),
      nonzero: zeros(),
      symmetric: zeros(),
    };
    this.#targetMean = zeros();
    this.#targetSpread = zeros();
  }

  /**
   * @param predictions `[N]`, or `[N, K]` for K outputs
   * @param targets shaped as the predictions
   * @throws ShallowsError for other shapes, or numbers that are not finite
   */
  add(predictions: RowValues | RowTable, targets: RowValues | RowTable): void {
    const predicted = this.#table('predictions', predictions);
    const actual = this.#table('targets', targets);
    if (predicted.rows !== actual.rows) {
      throw new ShallowsError(
        `RegressionErrors: expected one target a prediction, got ${predicted.rows} and ${actual.rows} rows - pair them`,
      );
    }
    for (let row = 0; row < actual.rows; row++) {
      this.#count++;
      for (let k = 0; k < this.outputs; k++) {
        this.#addOne(k, predicted.values[row * this.outputs + k] ?? 0, actual.values[row * this.outputs + k] ?? 0);
      }
    }
  }

  #addOne(k: number, prediction: number, target: number): void {
    const error = prediction - target;
    const size = Math.abs(error);
    const both = Math.abs(prediction) + Math.abs(target);
    const add = (to: Float64Array, value: number): void => {
      to[k] = (to[k] ?? 0) + value;
    };
    add(this.#sums.error, error);
    add(this.#sums.squared, error * error);
    add(this.#sums.absolute, size);
    if (target !== 0) {
      add(this.#sums.relative, size / Math.abs(target));
      add(this.#sums.nonzero, 1);
    }
    add(this.#sums.symmetric, both === 0 ? 0 : (2 * size) / both);
    const apart = target - (this.#targetMean[k] ?? 0);
    add(this.#targetMean, apart / this.#count);
    add(this.#targetSpread, apart * (target - (this.#targetMean[k] ?? 0)));
  }

  /** Adds the rows of another meter. @throws ShallowsError for another number of outputs */
  merge(other: RegressionErrors): void {
    if (other.outputs !== this.outputs) {
      throw new ShallowsError(
        `RegressionErrors: expected ${this.outputs} outputs to merge, got ${other.outputs} - measure the same task`,
      );
    }
    const count = this.#count + other.#count;
    if (count === 0) return;
    for (let k = 0; k < this.outputs; k++) {
      for (const name of sums) this.#sums[name][k] = (this.#sums[name][k] ?? 0) + (other.#sums[name][k] ?? 0);
      const apart = (other.#targetMean[k] ?? 0) - (this.#targetMean[k] ?? 0);
      this.#targetMean[k] = (this.#targetMean[k] ?? 0) + (apart * other.#count) / count;
      this.#targetSpread[k] =
        (this.#targetSpread[k] ?? 0) +
        (other.#targetSpread[k] ?? 0) +
        (apart * apart * this.#count * other.#count) / count;
    }
    this.#count = count;
  }

  /** @throws ShallowsError when no row was added */
  result(): RegressionResult {
    const count = this.#count;
    if (count === 0) {
      throw new ShallowsError('RegressionErrors: expected at least one row, got none - add predictions first');
    }
    const { error, squared, absolute, relative, nonzero, symmetric } = this.#sums;
    const over = (value: (k: number) => number): number =>
      Array.from({ length: this.outputs }, (_, k) => value(k)).reduce((sum, each) => sum + each, 0) / this.outputs;
    const of = (sum: Float64Array): number => over((k) => (sum[k] ?? 0) / count);
    return {
      count,
      mse: of(squared),
      rmse: over((k) => Math.sqrt((squared[k] ?? 0) / count)),
      mae: of(absolute),
      bias: of(error),
      r2: this.#targetSpread.includes(0) ? null : over((k) => 1 - (squared[k] ?? 0) / (this.#targetSpread[k] ?? 0)),
      mape: nonzero.includes(0) ? null : over((k) => (relative[k] ?? 0) / (nonzero[k] ?? 0)),
      mapeSkipped: nonzero.reduce((skipped, each) => skipped + count - each, 0),
      smape: of(symmetric),
    };
  }

  /** The sums as plain data. */
  toJSON(): RegressionErrorsState {
    const { error, squared, absolute, relative, nonzero, symmetric } = this.#sums;
    return {
      count: this.#count,
      error: [...error],
      squared: [...squared],
      absolute: [...absolute],
      targetMean: [...this.#targetMean],
      targetSpread: [...this.#targetSpread],
      relative: [...relative],
      nonzero: [...nonzero],
      symmetric: [...symmetric],
    };
  }

  /** A meter from what `toJSON` gave. @throws ShallowsError for other data */
  static fromJSON(state: unknown): RegressionErrors {
    const reader = new StateReader('RegressionErrors', state);
    const meter = new RegressionErrors(reader.numbers('error').length);
    for (const name of sums) meter.#sums[name].set(reader.numbers(name, meter.outputs));
    meter.#targetMean.set(reader.numbers('targetMean', meter.outputs));
    meter.#targetSpread.set(reader.numbers('targetSpread', meter.outputs));
    meter.#count = reader.whole('count');
    return meter;
  }

  #table(what: string, given: RowValues | RowTable): Table {
    const table = toColumns('RegressionErrors', what, given);
    if (table.columns === this.outputs) return table;
    throw new ShallowsError(
      `RegressionErrors: expected ${what} with ${this.outputs} numbers a row, got ${table.columns} - construct it with the number of outputs`,
    );
  }
}
