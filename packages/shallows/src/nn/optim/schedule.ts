import { Settings } from '../settings.js';

/**
 * A learning-rate schedule: the factor on the base rate at a step, from 0. A pure function, so a resumed run agrees.
 */
export type LearningRateSchedule = (step: number) => number;

/** The base rate throughout: factor 1. */
export function constantSchedule(): LearningRateSchedule {
  return () => 1;
}

/** Options of {@link multiStepSchedule}. */
export interface MultiStepOptions {
  /** Steps at which the rate falls, in any order; one given twice counts twice. */
  readonly milestones: readonly number[];
  /** γ, the factor of each fall, above 0. */
  readonly gamma?: number;
}

/**
 * γ to the number of milestones that have come: PyTorch's `MultiStepLR`.
 *
 * @throws ShallowsError for milestones that are not numbers from 0, or a γ that is not above 0
 */
export function multiStepSchedule({ milestones, gamma = 0.1 }: MultiStepOptions): LearningRateSchedule {
  const steps = Array.isArray(milestones) ? [...(milestones as readonly number[])].sort((a, b) => a - b) : [];
  const settings = new Settings('multiStepSchedule')
    .expect(Array.isArray(milestones), 'milestones', 'a list of steps', milestones)
    .number('gamma', gamma, 'above 0', (value) => value > 0);
  for (const each of steps) settings.number('milestones', each, 'from 0', (value) => value >= 0);
  settings.check('list the steps at which the rate falls');
  return (step) => gamma ** steps.filter((each) => step >= each).length;
}

/** Options of {@link cosineSchedule}. */
export interface CosineOptions {
  /** T, from 1. */
  readonly steps: number;
  /** f, the last factor, in [0, 1]. */
  readonly final?: number;
}

/**
 * f + (1 − f) · (1 + cos(π·t/T)) / 2 up to step T, then f (Loshchilov and Hutter 2017): PyTorch's `CosineAnnealingLR`,
 * which rises again after T.
 *
 * @throws ShallowsError for steps that are no whole number from 1, or a final factor outside [0, 1]
 */
export function cosineSchedule({ steps, final = 0 }: CosineOptions): LearningRateSchedule {
  new Settings('cosineSchedule')
    .whole('steps', steps, 1)
    .number('final', final, 'from 0 to 1', (value) => value >= 0 && value <= 1)
    .check('count optimizer steps; final is a share of the base rate');
  return (step) => final + (1 - final) * cosineFall(Math.min(step / steps, 1));
}

/** Options of {@link warmupSchedule}. */
export interface WarmupOptions {
  /** Steps that rise; 0 for none. */
  readonly steps: number;
  /** The first factor, in [0, 1]; at 0, the default, the first step moves no weight. 1 / (steps + 1) wastes none. */
  readonly start?: number;
  readonly next?: LearningRateSchedule;
}

/**
 * From `start` evenly to 1 over a number of steps (PyTorch's `LinearLR`), then `next`, whose own step 0 is the end of
 * the warmup. (Goyal et al. 2017.)
 *
 * @throws ShallowsError for steps that are no whole number from 0, a start outside [0, 1], or another kind of `next`
 */
export function warmupSchedule({ steps, start = 0, next = constantSchedule() }: WarmupOptions): LearningRateSchedule {
  new Settings('warmupSchedule')
    .whole('steps', steps, 0)
    .number('start', start, 'from 0 to 1', (value) => value >= 0 && value <= 1)
    .expect(typeof next === 'function', 'next', 'a schedule', next)
    .check('count optimizer steps; start is a share of the base rate');
  return (step) => (step < steps ? start + ((1 - start) * step) / steps : next(step - steps));
}

/** Options of {@link oneCycleSchedule}. */
export interface OneCycleOptions {
  /** Steps of the whole cycle, from 1. */
  readonly steps: number;
  /** Share of the steps that rise, in [0, 1]. */
  readonly peak?: number;
  /** The first factor is 1 / startDivisor. */
  readonly startDivisor?: number;
  /** The last factor is the first divided by this. */
  readonly endDivisor?: number;
}

/**
 * Up to 1 and down to almost nothing along half cosines (Smith 2018): the rates of PyTorch's `OneCycleLR`, whose
 * defaults these are. After the last step it stays where it is.
 *
 * @throws ShallowsError for steps that are no whole number from 1, a peak outside [0, 1], or divisors not above 0
 */
export function oneCycleSchedule(options: OneCycleOptions): LearningRateSchedule {
  const { steps, peak = 0.3, startDivisor = 25, endDivisor = 1e4 } = options;
  new Settings('oneCycleSchedule')
    .whole('steps', steps, 1)
    .number('peak', peak, 'from 0 to 1', (value) => value >= 0 && value <= 1)
    .number('startDivisor', startDivisor, 'above 0', (value) => value > 0)
    .number('endDivisor', endDivisor, 'above 0', (value) => value > 0)
    .check('count optimizer steps; peak is the share of them that rise');
  const first = 1 / startDivisor;
  const last = first / endDivisor;
  const top = peak * steps - 1;
  const end = steps - 1;
  return (step) => {
    if (step <= top) return first + (1 - first) * (1 - cosineFall(top === 0 ? 1 : step / top));
    return last + (1 - last) * cosineFall(end <= top ? 1 : Math.min((step - top) / (end - top), 1));
  };
}

/** 1 at 0, 0 at 1, along a half cosine. */
function cosineFall(share: number): number {
  return (1 + Math.cos(Math.PI * share)) / 2;
}
