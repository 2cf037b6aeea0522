import { ShallowsError, shown } from '../../errors.js';
import { type RowValues, sameRows, toNumbers } from '../statistics/input.js';
import { mean } from '../statistics/moments.js';

/** What a forecast is scaled by. */
export interface MaseOptions {
  /** The series that came before, in order: the naive forecast's error on it is the unit. */
  readonly history: RowValues;
  /** Steps of a season: the naive forecast repeats the value this many steps ago. 1 repeats the last one. */
  readonly season?: number;
}

/**
 * Mean absolute scaled error: mean |prediction − target| / mean_t |history_t − history_(t − season)|.
 *
 * Below 1 the forecast beats the naive one. Zeros among the targets do no harm; a history that never changes has no unit
 * and is refused.
 *
 * @throws ShallowsError for other inputs, a history not longer than a season, or one that repeats itself exactly
 * @see Hyndman and Koehler, "Another look at measures of forecast accuracy", 2006
 */
export function mase(predictions: RowValues, targets: RowValues, { history, season = 1 }: MaseOptions): number {
  const predicted = toNumbers('mase', 'predictions', predictions);
  const actual = toNumbers('mase', 'targets', targets);
  const series = toNumbers('mase', 'history', history);
  sameRows('mase', predicted.length, actual.length);
  if (!Number.isSafeInteger(season) || season < 1 || series.length <= season || actual.length === 0) {
    throw new ShallowsError(
      `mase: expected targets and a history longer than a season from 1, got ${actual.length}, ${series.length} and ${shown(season)} - give more of it`,
    );
  }
  const naive = mean(series.subarray(season).map((value, t) => Math.abs(value - (series[t] ?? 0))));
  if (naive === 0) {
    throw new ShallowsError(
      'mase: expected a history that changes, got one that repeats itself - it has no unit of error',
    );
  }
  return mean(actual.map((target, i) => Math.abs((predicted[i] ?? 0) - target))) / naive;
}
