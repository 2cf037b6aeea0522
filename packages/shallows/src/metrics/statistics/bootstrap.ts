import { normalQuantile } from '../../dropout/statistics/normal.js';
import { ShallowsError, shown } from '../../errors.js';
import { deriveKey, type Key, randints, rootKey } from '../../random/index.js';
import { mean, quantile, variance } from './moments.js';
import { normalCdf } from './tails.js';

/** How rows are drawn anew. */
export interface BootstrapOptions {
  /** Decides every draw; the same key gives the same interval. */
  readonly key?: Key;
  /** How many times the rows are drawn, from 100. */
  readonly resamples?: number;
}

/** A statistic, and its values on rows drawn anew. */
export interface BootstrapDistribution {
  /** On the rows themselves. */
  readonly estimate: number;
  /** On each set of rows drawn, ascending, `[resamples]`. */
  readonly values: Float64Array;
  /** Their standard deviation. */
  readonly standardError: number;
}

/** The most groups of rows that the jackknife leaves out one by one. */
const GROUPS = 500;

/**
 * Draws rows with replacement, as many as there are, and computes a statistic on each set: Efron's bootstrap.
 *
 * Draw number b is a function of (key, b) alone.
 *
 * @param rows how many rows there are, from 2
 * @param statistic gets row numbers, with repeats; the array is used again, so it must not be kept
 * @throws ShallowsError for too few rows or resamples, or a statistic that is not finite
 * @see Efron and Tibshirani, "An introduction to the bootstrap", 1993
 */
export function bootstrap(
  rows: number,
  statistic: (rows: Uint32Array) => number,
  { key = rootKey(0), resamples = 2000 }: BootstrapOptions = {},
): BootstrapDistribution {
  requireResamples('bootstrap', resamples);
  if (!Number.isSafeInteger(rows) || rows < 2) {
    throw new ShallowsError(`bootstrap: expected at least two rows, got ${shown(rows)} - one row cannot be drawn anew`);
  }
  const finite = (value: number): number => {
    if (Number.isFinite(value)) return value;
    throw new ShallowsError(
      `bootstrap: expected a finite statistic, got ${shown(value)} - return a neutral value where rows do not define it`,
    );
  };
  const estimate = finite(statistic(Uint32Array.from({ length: rows }, (_, i) => i)));
  const drawn = new Uint32Array(rows);
  const values = Float64Array.from({ length: resamples }, (_, b) =>
    finite(statistic(randints(deriveKey(key, 'bootstrap', b), rows, rows, drawn))),
  ).sort();
  return { estimate, values, standardError: Math.sqrt(variance(values)) };
}

/**
 * The acceleration of a statistic for `bcaBound`: Σ d³ / 6 (Σ d²)^1.5, where d is how far the statistic falls without a row,
 * or without one of 500 groups of rows where there are more.
 *
 * @param rows how many rows there are
 * @param statistic as for `bootstrap`
 */
export function acceleration(rows: number, statistic: (rows: Uint32Array) => number): number {
  const groups = Math.min(rows, GROUPS);
  const left = new Uint32Array(rows);
  const values = new Float64Array(groups);
  for (let g = 0; g < groups; g++) {
    let count = 0;
    for (let row = 0; row < rows; row++) if (row % groups !== g) left[count++] = row;
    values[g] = statistic(left.subarray(0, count));
  }
  const centre = mean(values);
  return skewnessOf(values.map((value) => centre - value));
}

/** The acceleration of a mean, in closed form: from its values themselves. */
export function meanAcceleration(values: Float64Array): number {
  const centre = mean(values);
  return skewnessOf(values.map((value) => value - centre));
}

function skewnessOf(influence: Float64Array): number {
  let [squares, cubes] = [0, 0];
  for (const d of influence) {
    squares += d * d;
    cubes += d * d * d;
  }
  // Rounding leaves a little where every row says the same; a statistic that some rows leave undefined has no skewness.
  return squares > 1e-300 && Number.isFinite(squares) ? cubes / (6 * squares ** 1.5) : 0;
}

/** The q-quantile of the statistic on rows drawn anew: the percentile bound. */
export function percentileBound({ values }: BootstrapDistribution, q: number): number {
  return quantile(values, q);
}

/**
 * The bias-corrected and accelerated bound: a percentile at a level moved by the bias and the skewness of the statistic.
 *
 * z₀ = Φ⁻¹(share of values below the estimate, ties half); the level is Φ(z₀ + (z₀ + z_q) / (1 − a (z₀ + z_q))).
 *
 * @param skewness a, from `acceleration` or `meanAcceleration`
 * @see Efron, "Better bootstrap confidence intervals", 1987
 */
export function bcaBound({ estimate, values }: BootstrapDistribution, skewness: number, q: number): number {
  let below = 0;
  for (const value of values) below += value < estimate ? 1 : value === estimate ? 0.5 : 0;
  const half = 0.5 / values.length;
  const bias = normalQuantile(Math.min(1 - half, Math.max(half, below / values.length)));
  const z = bias + normalQuantile(q);
  return quantile(values, normalCdf(bias + z / (1 - skewness * z)));
}

/** @internal @throws ShallowsError for fewer than 100 resamples */
export function requireResamples(fn: string, resamples: number): void {
  if (!Number.isSafeInteger(resamples) || resamples < 100) {
    throw new ShallowsError(`${fn}: expected at least 100 resamples, got ${shown(resamples)} - take 2000`);
  }
}
