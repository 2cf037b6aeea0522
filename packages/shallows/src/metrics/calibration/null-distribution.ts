import { deriveKey, type Key, uniforms } from '../../random/index.js';
import { mean, quantile } from '../statistics/moments.js';
import { type BinCounts, type CalibrationErrors, calibrationErrors } from './errors.js';
import type { SuccessCount } from './poisson-binomial.js';

/** An error beside what chance alone would give. */
export interface ErrorAgainstChance {
  /** As measured. */
  readonly value: number;
  /** Its mean over labels drawn from the probabilities themselves: the error of a perfectly calibrated model. */
  readonly chance: number;
  /** The value that such a model exceeds with probability α only. */
  readonly chanceUpper: number;
  /**
   * √max(0, value² − mean of the squares by chance): noise adds to an error as to a length, so this is nearly unbiased where
   * an error is real. Subtracting `chance` itself would take off too much there.
   */
  readonly corrected: number;
  /** Chance that such a model has an error at least as large: (1 + draws as large) / (1 + draws). */
  readonly pValue: number;
}

/** @internal An error against its null distribution, `draws` in any order. */
export function againstChance(value: number, draws: Float64Array, alpha: number): ErrorAgainstChance {
  const sorted = draws.slice().sort();
  const chance = mean(sorted);
  // A rounding must not tell an error from its equals.
  const asLarge = sorted.reduce((count, each) => count + (each >= value - 1e-12 ? 1 : 0), 0);
  return {
    value,
    chance,
    chanceUpper: quantile(sorted, 1 - alpha),
    corrected: Math.sqrt(Math.max(0, value * value - mean(sorted.map((each) => each * each)))),
    pValue: (1 + asLarge) / (1 + sorted.length),
  };
}

/**
 * @internal The errors that chance alone gives: in each draw the number of right rows of each bin is drawn anew, as if every
 * row were right with the probability that it claims. Draw number d is a function of (key, d).
 */
export function chanceErrors(
  bins: readonly BinCounts[],
  counts: readonly SuccessCount[],
  key: Key,
  draws: number,
): Readonly<Record<keyof CalibrationErrors, Float64Array>> {
  const errors = { ece: new Float64Array(draws), mce: new Float64Array(draws), rmsce: new Float64Array(draws) };
  for (let d = 0; d < draws; d++) {
    const u = uniforms(deriveKey(key, 'calibration', d), bins.length);
    const { ece, mce, rmsce } = calibrationErrors(
      bins.map(({ count, confidence }, b) => ({
        count,
        confidence,
        accuracy: count === 0 ? 0 : (counts[b]?.quantile(u[b] ?? 0) ?? 0) / count,
      })),
    );
    errors.ece[d] = ece;
    errors.mce[d] = mce;
    errors.rmsce[d] = rmsce;
  }
  return errors;
}
