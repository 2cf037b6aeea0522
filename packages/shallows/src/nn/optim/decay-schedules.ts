import { Settings } from '../settings.js';
import type { LearningRateSchedule } from './schedule.js';

/**
 * γ^t: PyTorch's `ExponentialLR`. With t in optimizer steps, a γ that halves the rate every h steps is 0.5^(1/h).
 *
 * @throws ShallowsError for a γ outside (0, 1]
 */
export function exponentialSchedule({ gamma }: { readonly gamma: number }): LearningRateSchedule {
  new Settings('exponentialSchedule')
    .number('gamma', gamma, 'above 0, up to 1', (value) => value > 0 && value <= 1)
    .check('gamma is the factor of one optimizer step');
  return (step) => gamma ** step;
}

/** Options of {@link polynomialSchedule}. */
export interface PolynomialOptions {
  /** T, from 1. */
  readonly steps: number;
  /** p, above 0: 1 falls evenly, more falls early. */
  readonly power?: number;
  /** f, the last factor, in [0, 1]. */
  readonly final?: number;
}

/**
 * f + (1 − f) · (1 − t/T)^p up to step T, then f: PyTorch's `PolynomialLR` where f is 0, `LinearLR` where p is 1.
 *
 * @throws ShallowsError for steps that are no whole number from 1, a power not above 0, or a final factor outside [0, 1]
 */
export function polynomialSchedule({ steps, power = 1, final = 0 }: PolynomialOptions): LearningRateSchedule {
  new Settings('polynomialSchedule')
    .whole('steps', steps, 1)
    .number('power', power, 'above 0', (value) => value > 0)
    .number('final', final, 'from 0 to 1', (value) => value >= 0 && value <= 1)
    .check('count optimizer steps; final is a share of the base rate');
  return (step) => final + (1 - final) * (1 - Math.min(step / steps, 1)) ** power;
}

/**
 * From 1 evenly to f at step T, then f: PyTorch's `LinearLR` downwards, and {@link polynomialSchedule} of power 1.
 *
 * @throws ShallowsError for steps that are no whole number from 1, or a final factor outside [0, 1]
 */
export function linearSchedule({ steps, final = 0 }: Omit<PolynomialOptions, 'power'>): LearningRateSchedule {
  return polynomialSchedule({ steps, final });
}
