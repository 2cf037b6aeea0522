import { ShallowsError } from '../../errors.js';
import type { RowTable, RowValues } from '../statistics/input.js';
import { StateReader } from '../statistics/state.js';
import { normalPValue } from '../statistics/tails.js';
import { labelled } from './probabilities.js';

/** A proper score beside the value that it has on average if the probabilities are right. */
export interface ScoreAgainstChance {
  /** Mean over the rows. */
  readonly value: number;
  /** Standard deviation over the rows / √N. */
  readonly standardError: number;
  /** Its mean if every label came from the row's probabilities. */
  readonly expected: number;
  /** (value − expected) / its standard deviation then: above 0 the model is surer than right. `null` with no uncertain row. */
  readonly z: number | null;
  /** Chance of |z| at least as large then (normal). `null` where fewer than ten wrong rows are expected. */
  readonly pValue: number | null;
}

/** What {@link ProbabilityScores} measured. */
export interface ProbabilityScoresResult {
  readonly count: number;
  /** −mean ln p_target in nats, p no less than 1e-12: the log loss. */
  readonly nll: ScoreAgainstChance;
  /** mean Σ_c (p_c − [target = c])², in [0, 2]: the Brier score over all classes. */
  readonly brier: ScoreAgainstChance;
  /** Half of it, in [0, 1]: for two classes, mean (p − label)², as scikit-learn's `brier_score_loss`. */
  readonly brierHalf: number;
}

const CLIP = 1e-12;
const fields = [
  'nll',
  'nllSquares',
  'nllExpected',
  'nllVariance',
  'brier',
  'brierSquares',
  'brierExpected',
  'brierVariance',
  'unsure',
] as const;
type Sums = Record<(typeof fields)[number], number>;

/** The state of {@link ProbabilityScores}, plain data. */
export interface ProbabilityScoresState extends Readonly<Sums> {
  readonly count: number;
}

/**
 * The two proper scores of probabilities, negative log likelihood and Brier score, with what they would be if the
 * probabilities were right: streaming and mergeable, with ten numbers of state.
 *
 * If a label comes from the row's own p, −ln p_label has mean −Σ p ln p and variance Σ p ln² p − (Σ p ln p)²; the Brier score
 * has mean 1 − Σ p² and variance 4 (Σ p³ − (Σ p²)²). The sums of these over the rows give a z-score without any resampling,
 * as Spiegelhalter's for two classes. No bins are involved.
 *
 * @see Spiegelhalter, "Probabilistic prediction in patient management and clinical trials", 1986
 */
export class ProbabilityScores {
  readonly #sums: Sums;
  #count = 0;

  constructor() {
    this.#sums = zeros();
  }

  /**
   * @param probabilities `[N, C]`
   * @param targets classes `[N]`
   * @throws ShallowsError for other inputs
   */
  add(probabilities: RowTable, targets: RowValues): void {
    const { table, targets: classes } = labelled('ProbabilityScores', probabilities, targets);
    const sums = this.#sums;
    for (const [row, target] of classes.entries()) {
      let [entropy, logSquares, squares, cubes, highest] = [0, 0, 0, 0, 0];
      for (let c = 0; c < table.columns; c++) {
        const p = table.values[row * table.columns + c] ?? 0;
        const log = Math.log(Math.max(p, CLIP));
        entropy -= p * log;
        logSquares += p * log * log;
        squares += p * p;
        cubes += p * p * p;
        highest = Math.max(highest, p);
      }
      const own = table.values[row * table.columns + target] ?? 0;
      const nll = -Math.log(Math.max(own, CLIP));
      const brier = squares - 2 * own + 1;
      sums.nll += nll;
      sums.nllSquares += nll * nll;
      sums.nllExpected += entropy;
      sums.nllVariance += logSquares - entropy * entropy;
      sums.brier += brier;
      sums.brierSquares += brier * brier;
      sums.brierExpected += 1 - squares;
      sums.brierVariance += 4 * (cubes - squares * squares);
      sums.unsure += 1 - highest;
    }
    this.#count += classes.length;
  }

  /** Adds the rows of another meter. */
  merge(other: ProbabilityScores): void {
    for (const field of fields) this.#sums[field] += other.#sums[field];
    this.#count += other.#count;
  }

  /** @throws ShallowsError when no row was added */
  result(): ProbabilityScoresResult {
    const { nll, nllSquares, nllExpected, nllVariance, brier, brierSquares, brierExpected, brierVariance } = this.#sums;
    if (this.#count === 0) {
      throw new ShallowsError('ProbabilityScores: expected at least one row, got none - add probabilities first');
    }
    return {
      count: this.#count,
      nll: this.#score(nll, nllSquares, nllExpected, nllVariance),
      brier: this.#score(brier, brierSquares, brierExpected, brierVariance),
      brierHalf: brier / this.#count / 2,
    };
  }

  #score(sum: number, squares: number, expected: number, variance: number): ScoreAgainstChance {
    const n = this.#count;
    const z = variance > 0 ? (sum - expected) / Math.sqrt(variance) : null;
    return {
      value: sum / n,
      standardError: n < 2 ? 0 : Math.sqrt(Math.max(0, (squares - (sum * sum) / n) / (n - 1) / n)),
      expected: expected / n,
      z,
      pValue: z === null || this.#sums.unsure < 10 ? null : normalPValue(z),
    };
  }

  /** The sums as plain data. */
  toJSON(): ProbabilityScoresState {
    return { count: this.#count, ...this.#sums };
  }

  /** A meter from what `toJSON` gave. @throws ShallowsError for other data */
  static fromJSON(state: unknown): ProbabilityScores {
    const reader = new StateReader('ProbabilityScores', state);
    const meter = new ProbabilityScores();
    for (const field of fields) meter.#sums[field] = reader.number(field);
    meter.#count = reader.whole('count');
    return meter;
  }
}

function zeros(): Sums {
  return {
    nll: 0,
    nllSquares: 0,
    nllExpected: 0,
    nllVariance: 0,
    brier: 0,
    brierSquares: 0,
    brierExpected: 0,
    brierVariance: 0,
    unsure: 0,
  };
}

/** The log loss −mean ln p_target in nats, p no less than 1e-12. @throws ShallowsError for inputs that `ProbabilityScores` refuses */
export function logLoss(probabilities: RowTable, targets: RowValues): number {
  return scored(probabilities, targets).nll.value;
}

/** The Brier score mean Σ_c (p_c − [target = c])², in [0, 2]. @throws ShallowsError for inputs that `ProbabilityScores` refuses */
export function brierScore(probabilities: RowTable, targets: RowValues): number {
  return scored(probabilities, targets).brier.value;
}

function scored(probabilities: RowTable, targets: RowValues): ProbabilityScoresResult {
  const meter = new ProbabilityScores();
  meter.add(probabilities, targets);
  return meter.result();
}
