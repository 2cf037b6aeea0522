import type { Tensor } from '@shallows/torch';
import { ShallowsError, shown } from '../../errors.js';
import { classificationUncertainty } from '../statistics/classification.js';
import { regressionUncertainty } from '../statistics/regression.js';

/** When there are passes enough. */
export interface AdaptiveOptions {
  /** Passes before it is asked for the first time, from 2; 8 unless given. */
  readonly start?: number;
  /** Passes from one time to the next, from 1; 8 unless given. */
  readonly step?: number;
  /**
   * The Monte-Carlo standard error that is good enough: of the predictive entropy, in nats (0.01 unless given), or of the mean
   * of values, in their units (needed there).
   */
  readonly tolerance?: number;
}

/** Options with their defaults. */
export type CompleteAdaptive = Required<AdaptiveOptions>;

/** @throws ShallowsError for numbers out of range, or values without a tolerance */
export function completeAdaptive(
  options: boolean | AdaptiveOptions,
  output: 'logits' | 'probabilities' | 'values',
): CompleteAdaptive | null {
  if (options === false) return null;
  const { start = 8, step = 8, tolerance } = options === true ? {} : options;
  for (const [name, value, least] of [
    ['start', start, 2],
    ['step', step, 1],
  ] as const) {
    if (Number.isSafeInteger(value) && value >= least) continue;
    throw new ShallowsError(
      `monteCarlo: expected a whole number from ${least} as adaptive.${name}, got ${shown(value)} - 8 is the default`,
    );
  }
  if (tolerance === undefined && output === 'values') {
    throw new ShallowsError(
      'monteCarlo: expected adaptive.tolerance for values, got none - say how far off their mean may be, in their units',
    );
  }
  const error = tolerance ?? 0.01;
  if (error > 0) return { start, step, tolerance: error };
  throw new ShallowsError(
    `monteCarlo: expected adaptive.tolerance above 0, got ${shown(error)} - 0.01 nats is the default`,
  );
}

/**
 * Whether every row is settled: a class that is ahead by more than two standard errors of the difference, or an entropy known
 * to the tolerance; for values, means known to the tolerance.
 */
export function isSettled(
  samples: Tensor,
  output: 'logits' | 'probabilities' | 'values',
  { tolerance }: CompleteAdaptive,
): boolean {
  if (output === 'values') {
    return regressionUncertainty(samples).mean.standardError.every((error) => error <= tolerance);
  }
  const { margin, predictiveEntropy } = classificationUncertainty(samples);
  return margin.value.every(
    (gap, row) =>
      2 * (margin.standardError[row] ?? 0) < Math.abs(gap) || (predictiveEntropy.standardError[row] ?? 0) < tolerance,
  );
}
