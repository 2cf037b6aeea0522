import { ShallowsError, shown } from '../../errors.js';
import type { JsonValue } from '../json.js';
import { Settings } from '../settings.js';
import { constantSchedule, type LearningRateSchedule } from './schedule.js';

/** Options of {@link plateauSchedule}. */
export interface PlateauOptions {
  /** Whether a smaller metric is better, or a larger. */
  readonly mode?: 'min' | 'max';
  /** Factor of each fall, in (0, 1). */
  readonly gamma?: number;
  /** Reports without improvement that are borne; the next one lets the rate fall. */
  readonly patience?: number;
  /** How much better counts as better, from 0. */
  readonly threshold?: number;
  /** Whether the threshold is a share of the best metric, or a difference from it. */
  readonly thresholdMode?: 'rel' | 'abs';
  /** Reports after a fall during which none counts as bad. */
  readonly cooldown?: number;
  /** The factor below which it does not fall, in [0, 1]. */
  readonly final?: number;
  /** A fall smaller than this is left out, from 0. */
  readonly eps?: number;
  /** What the factor is multiplied by, such as a warmup. */
  readonly times?: LearningRateSchedule;
}

/** A schedule that listens: a function of the step like the others, and of what was reported before it. */
export interface PlateauSchedule {
  (step: number): number;
  /** Tells it a metric of an evaluation. */
  report(metric: number): void;
  /** What was reported, as far as it counts: plain JSON. */
  stateDict(): JsonValue;
  /** @throws ShallowsError for what is no state of such a schedule */
  loadStateDict(state: JsonValue): void;
}

interface State {
  readonly factor: number;
  /** Null before the first report. */
  readonly best: number | null;
  readonly bad: number;
  readonly cooling: number;
}

/**
 * Lets the rate fall by γ where a metric has not improved for more than `patience` reports: PyTorch's
 * `ReduceLROnPlateau`, as a factor on the base rate. What is not finite is no improvement.
 *
 * Improvement with `rel`: below best · (1 − threshold), for `max` above best · (1 + threshold); with `abs` below best −
 * threshold, above best + threshold. Defaults are PyTorch's: min, γ 0.1, patience 10, threshold 1e-4 rel, no cooldown,
 * final 0, eps 1e-8 (there of the rate, here of the factor).
 *
 * @throws ShallowsError for settings out of range
 */
export function plateauSchedule(options: PlateauOptions = {}): PlateauSchedule {
  const { gamma = 0.1, patience = 10, cooldown = 0, final = 0, eps = 1e-8, times = constantSchedule() } = options;
  const { mode = 'min', threshold = 1e-4, thresholdMode = 'rel' } = options;
  new Settings('plateauSchedule')
    .word('mode', mode, ['min', 'max'])
    .number('gamma', gamma, 'between 0 and 1', (value) => value > 0 && value < 1)
    .whole('patience', patience, 0)
    .number('threshold', threshold, 'from 0', (value) => value >= 0)
    .word('thresholdMode', thresholdMode, ['rel', 'abs'])
    .whole('cooldown', cooldown, 0)
    .number('final', final, 'from 0 to 1', (value) => value >= 0 && value <= 1)
    .number('eps', eps, 'from 0', (value) => value >= 0)
    .expect(typeof times === 'function', 'times', 'a schedule', times)
    .check('patience and cooldown count reports; final is a share of the base rate');
  const sign = mode === 'min' ? -1 : 1;
  const better = (metric: number, best: number | null): boolean => {
    if (!Number.isFinite(metric)) return false;
    if (best === null) return true;
    const bound = thresholdMode === 'rel' ? best * (1 + sign * threshold) : best + sign * threshold;
    return sign * metric > sign * bound;
  };
  let state: State = { factor: 1, best: null, bad: 0, cooling: 0 };

  const report = (metric: number): void => {
    if (typeof metric !== 'number') {
      throw new ShallowsError(`plateauSchedule: expected a metric to be a number, got ${shown(metric)} - report one`);
    }
    const improved = better(metric, state.best);
    const best = improved ? metric : state.best;
    let { factor, cooling } = state;
    let bad = improved ? 0 : state.bad + 1;
    if (cooling > 0) {
      cooling--;
      bad = 0;
    }
    if (bad > patience) {
      const lower = Math.max(factor * gamma, final);
      if (factor - lower > eps) factor = lower;
      cooling = cooldown;
      bad = 0;
    }
    state = { factor, best, bad, cooling };
  };

  return Object.assign((step: number): number => state.factor * times(step), {
    report,
    stateDict: (): JsonValue => ({ ...state }),
    loadStateDict: (json: JsonValue): void => {
      state = readState(json);
    },
  });
}

/** Whether a schedule wants to be told metrics. */
export function isPlateauSchedule(schedule: LearningRateSchedule): schedule is PlateauSchedule {
  return 'report' in schedule && typeof schedule.report === 'function';
}

function readState(json: JsonValue): State {
  const { factor, best, bad, cooling } = (typeof json === 'object' && json !== null ? json : {}) as Partial<State>;
  const count = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
  const isBest = best === null || typeof best === 'number';
  if (typeof factor === 'number' && factor >= 0 && factor <= 1 && isBest && count(bad) && count(cooling)) {
    return { factor, best, bad, cooling };
  }
  throw new ShallowsError(
    `plateauSchedule.loadStateDict: expected { factor, best, bad, cooling }, got ${shown(json)} - pass what stateDict() gave`,
  );
}
