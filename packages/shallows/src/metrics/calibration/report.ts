import { ShallowsError, shown } from '../../errors.js';
import { type Key, rootKey } from '../../random/index.js';
import { requireResamples } from '../statistics/bootstrap.js';
import { calibrationErrors } from './errors.js';
import { againstChance, chanceErrors, type ErrorAgainstChance } from './null-distribution.js';
import { successCount, type Trials } from './poisson-binomial.js';

/** One bar of a reliability diagram. */
export interface ReliabilityBin {
  /** Confidences of the bin: above `from`, up to and with `to`. */
  readonly from: number;
  readonly to: number;
  readonly count: number;
  /** Mean confidence of its rows; the middle of the bin where it is empty. */
  readonly confidence: number;
  /** Share of its rows that were right; `null` where it is empty. */
  readonly accuracy: number | null;
  /** Accuracies that chance explains in 95 % of the cases if the confidences are right (Bröcker and Smith 2007). */
  readonly chance: readonly [lower: number, upper: number] | null;
}

/** How calibrated a classifier is, as far as its rows can tell. */
export interface CalibrationReport {
  readonly count: number;
  readonly accuracy: number;
  /** Mean confidence. */
  readonly confidence: number;
  readonly ece: ErrorAgainstChance;
  readonly mce: ErrorAgainstChance;
  readonly rmsce: ErrorAgainstChance;
  /** The part of the expected calibration error from bins that are surer than right; the rest is from the others. */
  readonly overconfidence: number;
  /**
   * `miscalibrated`: the expected calibration error is larger than chance explains (p < α). `calibrated`: it is not, and an
   * error above `tolerance` would have been seen. `not enough data`: it is not, but one above `tolerance` would look the same.
   */
  readonly verdict: 'calibrated' | 'miscalibrated' | 'not enough data';
  /** Of the expected calibration error. */
  readonly pValue: number;
  /** What the reliability diagram shows. */
  readonly bins: readonly ReliabilityBin[];
}

/** How a calibration error is judged. */
export interface CalibrationOptions {
  /** Decides the draws of the null distribution. */
  readonly key?: Key;
  /** How many draws, from 100. */
  readonly resamples?: number;
  /** Chance that a perfectly calibrated model is called miscalibrated. */
  readonly alpha?: number;
  /** The largest expected calibration error that may pass unnoticed for want of rows. */
  readonly tolerance?: number;
}

/** @internal A bin: its bounds, its rows' outcomes, and the trials that they are if the confidences are right. */
export interface FilledBin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  readonly confidenceSum: number;
  readonly correct: number;
  readonly trials: readonly Trials[];
}

/** @internal @throws ShallowsError for no rows or options out of range */
export function judgeBins(fn: string, filled: readonly FilledBin[], options: CalibrationOptions): CalibrationReport {
  const { key = rootKey(0), resamples = 1000, alpha = 0.05, tolerance = 0.15 } = options;
  requireResamples(fn, resamples);
  if (!(alpha > 0 && alpha < 1 && tolerance > 0)) {
    throw new ShallowsError(
      `${fn}: expected alpha in (0, 1) and a tolerance above 0, got ${shown(alpha)} and ${shown(tolerance)} - correct the options`,
    );
  }
  const total = (value: (bin: FilledBin) => number): number => filled.reduce((sum, bin) => sum + value(bin), 0);
  const count = total((bin) => bin.count);
  if (count === 0) throw new ShallowsError(`${fn}: expected at least one row, got none - add confidences first`);
  const binned = filled.map((bin) => ({
    count: bin.count,
    confidence: bin.confidenceSum / Math.max(1, bin.count),
    accuracy: bin.correct / Math.max(1, bin.count),
  }));
  const counts = filled.map(({ trials }) => successCount(trials));
  const errors = calibrationErrors(binned);
  const draws = chanceErrors(binned, counts, key, resamples);
  const ece = againstChance(errors.ece, draws.ece, alpha);
  const over = (bin: { readonly count: number; readonly confidence: number; readonly accuracy: number }): number =>
    (bin.count / count) * Math.max(0, bin.confidence - bin.accuracy);
  const seen = ece.chanceUpper <= tolerance;
  return {
    count,
    accuracy: total((bin) => bin.correct) / count,
    confidence: total((bin) => bin.confidenceSum) / count,
    ece,
    mce: againstChance(errors.mce, draws.mce, alpha),
    rmsce: againstChance(errors.rmsce, draws.rmsce, alpha),
    overconfidence: binned.reduce((sum, bin) => sum + over(bin), 0),
    verdict: ece.pValue < alpha ? 'miscalibrated' : seen ? 'calibrated' : 'not enough data',
    pValue: ece.pValue,
    bins: filled.map(({ from, to, count: rows }, b) => ({
      from,
      to,
      count: rows,
      confidence: rows === 0 ? (from + to) / 2 : (binned[b]?.confidence ?? 0),
      accuracy: rows === 0 ? null : (binned[b]?.accuracy ?? 0),
      chance: rows === 0 ? null : ([0.025, 0.975].map((q) => (counts[b]?.quantile(q) ?? 0) / rows) as [number, number]),
    })),
  };
}
