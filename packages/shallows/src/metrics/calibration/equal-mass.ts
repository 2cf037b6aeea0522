import { ShallowsError, shown } from '../../errors.js';
import { type RowValues, sameRows, toFlags, toNumbers } from '../statistics/input.js';
import { ascendingOrder, tieGroups } from '../statistics/ranks.js';
import { requireConfidences } from './calibration-bins.js';
import type { Trials } from './poisson-binomial.js';
import { type CalibrationOptions, type CalibrationReport, type FilledBin, judgeBins } from './report.js';

/** How confidences are divided and judged. */
export interface EqualMassOptions extends CalibrationOptions {
  /** How many bins, from 1; there are never more than rows. */
  readonly bins?: number;
}

/** Groups of neighbouring rows that share a mean probability in the null distribution. */
const GROUPS = 64;

/**
 * Calibration errors over bins of equally many rows: the adaptive calibration error, which spends its bins where the
 * confidences are.
 *
 * The sorted rows are cut as NumPy's `array_split` cuts them, the first bins one row longer. Rows of equal confidence stay
 * together in the bin of the first of them, so the order of the rows does not matter.
 *
 * @param confidence in [0, 1], `[N]`; see `topLabel`
 * @param correct 0 or 1, `[N]`
 * @throws ShallowsError for other inputs, no rows, or bad options
 * @see Nguyen and O'Connor 2015; Nixon et al., "Measuring calibration in deep learning", 2019
 */
export function equalMassCalibration(
  confidence: RowValues,
  correct: RowValues | readonly boolean[],
  { bins = 15, ...options }: EqualMassOptions = {},
): CalibrationReport {
  const fn = 'equalMassCalibration';
  const p = toNumbers(fn, 'confidences', confidence);
  const right = toFlags(fn, 'outcomes', correct);
  sameRows(fn, p.length, right.length);
  requireConfidences(fn, p);
  if (!Number.isSafeInteger(bins) || bins < 1) {
    throw new ShallowsError(`${fn}: expected at least one bin, got ${shown(bins)} - take 15`);
  }
  const order = ascendingOrder(p);
  const cuts = cutsOf(p, order, Math.min(bins, p.length));
  const filled = cuts.slice(0, -1).map((start, b): FilledBin => {
    const rows = order.subarray(start, cuts[b + 1]);
    const sum = (of: Float64Array | Uint8Array): number => rows.reduce((total, row) => total + (of[row] ?? 0), 0);
    return {
      from: start === 0 ? 0 : (p[order[start - 1] ?? 0] ?? 0),
      to: p[rows.at(-1) ?? 0] ?? 1,
      count: rows.length,
      confidenceSum: sum(p),
      correct: sum(right),
      trials: trialsOf(p, rows),
    };
  });
  return judgeBins(fn, filled, options);
}

// Where each bin begins in the order, and the end of the last one; every cut lies between rows of different confidence.
function cutsOf(p: Float64Array, order: Uint32Array, bins: number): number[] {
  const [short, longer] = [Math.floor(order.length / bins), order.length % bins];
  const binOf = (at: number): number =>
    at < longer * (short + 1) ? Math.floor(at / (short + 1)) : longer + Math.floor((at - longer * (short + 1)) / short);
  const cuts: number[] = [];
  let last = -1;
  for (const [start] of tieGroups(p, order)) {
    if (binOf(start) > last) cuts.push(start);
    last = binOf(start);
  }
  return [...cuts, order.length];
}

function trialsOf(p: Float64Array, rows: Uint32Array): Trials[] {
  const groups = Math.min(GROUPS, rows.length);
  return Array.from({ length: groups }, (_, g) => {
    const part = rows.subarray(Math.floor((g * rows.length) / groups), Math.floor(((g + 1) * rows.length) / groups));
    return { count: part.length, p: part.reduce((sum, row) => sum + (p[row] ?? 0), 0) / part.length };
  });
}
