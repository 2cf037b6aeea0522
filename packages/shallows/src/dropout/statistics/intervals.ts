import { ShallowsError, shown } from '../../errors.js';
import { normalQuantile } from './normal.js';
import { binomialPValue, proportionInterval } from './proportion.js';
import type { RegressionUncertainty } from './regression.js';

/** Intervals that should hold a share `level` of the targets, one a value. */
export interface PredictionIntervals {
  readonly level: number;
  readonly lower: Float64Array;
  readonly upper: Float64Array;
}

/** How many targets lay inside their intervals. */
export interface IntervalCoverage {
  /** The share that the intervals promise. */
  readonly nominal: number;
  /** The share that they held (PICP). */
  readonly coverage: number;
  /** Where the true coverage lies, at 95 % (Clopper and Pearson). */
  readonly interval: readonly [lower: number, upper: number];
  readonly count: number;
  /** Mean width of the intervals, in units of the targets. */
  readonly width: number;
  /** Chance of a coverage at least as far off if the intervals held what they promise, two-sided. */
  readonly pValue: number;
  /** `not enough data` where chance explains the count and fewer than five targets should have missed. */
  readonly verdict: 'as promised' | 'too narrow' | 'too wide' | 'not enough data';
}

/**
 * μ̄ ± z · √total: the intervals of a normal prediction. Whether they hold what they promise is `intervalCoverage`'s question.
 *
 * @param level the share of targets to hold, in (0, 1)
 * @throws ShallowsError for another level
 */
export function predictionIntervals(
  { mean, total }: Pick<RegressionUncertainty, 'mean' | 'total'>,
  level = 0.95,
): PredictionIntervals {
  if (!(level > 0 && level < 1)) {
    throw new ShallowsError(`predictionIntervals: expected a level in (0, 1), got ${shown(level)} - give 0.95`);
  }
  const z = normalQuantile((1 + level) / 2);
  const around = (sign: number): Float64Array =>
    mean.value.map((mu, i) => mu + sign * z * Math.sqrt(total.value[i] ?? 0));
  return { level, lower: around(-1), upper: around(1) };
}

/**
 * The share of targets inside their intervals, ends included, against the share promised, by an exact binomial test.
 *
 * @param targets one an interval
 * @param alpha chance that intervals that hold what they promise are called too narrow or too wide
 * @throws ShallowsError for other counts, no targets, or values that are not finite
 */
export function intervalCoverage(
  { level, lower, upper }: PredictionIntervals,
  targets: ArrayLike<number>,
  alpha = 0.05,
): IntervalCoverage {
  const count = targets.length;
  if (count === 0 || lower.length !== count || upper.length !== count) {
    throw new ShallowsError(
      `intervalCoverage: expected a target for each interval, got ${count} targets, ${lower.length} lower and ${upper.length} upper ends - pair them`,
    );
  }
  let inside = 0;
  let width = 0;
  for (let i = 0; i < count; i++) {
    const [low = Number.NaN, target = Number.NaN, high = Number.NaN] = [lower[i], targets[i], upper[i]];
    if (!(low <= high && Number.isFinite(target))) {
      throw new ShallowsError(
        `intervalCoverage: expected lower <= upper and a finite target, got [${low}, ${high}] and ${target} at ${i} - look for NaN`,
      );
    }
    if (target >= low && target <= high) inside++;
    width += (high - low) / count;
  }
  const coverage = inside / count;
  const pValue = binomialPValue(inside, count, level);
  const few = count * (1 - level) < 5;
  const off = coverage < level ? 'too narrow' : 'too wide';
  const verdict = pValue < alpha ? off : few ? 'not enough data' : 'as promised';
  return { nominal: level, coverage, interval: proportionInterval(inside, count), count, width, pValue, verdict };
}
