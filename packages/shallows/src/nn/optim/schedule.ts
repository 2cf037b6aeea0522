import { ShallowsError } from '../../errors.js';

/**
 * A learning-rate schedule: the factor on the base rate at a step, from 0. A pure function, so a resumed run agrees.
 */
export type LearningRateSchedule = (step: number) => number;

/** The base rate throughout. */
export function constantSchedule(): LearningRateSchedule {
  return () => 1;
}

/** γ to the number of milestones (steps) that have come: PyTorch's `MultiStepLR`. */
export function multiStepSchedule({ milestones, gamma = 0.1 }: { readonly milestones: readonly number[]; readonly gamma?: number }): LearningRateSchedule {
  return (step) => gamma ** milestones.filter((each) => step >= each).length;
}

/** f + (1 − f)·(1 + cos(π·t/T))/2 with the final factor f, over T steps: PyTorch's `CosineAnnealingLR`. */
export function cosineSchedule({ steps, final = 0 }: { readonly steps: number; readonly final?: number }): LearningRateSchedule {
  positive('cosineSchedule', steps);
  return (step) => final + (1 - final) * cosineFall(Math.min(step / steps, 1));
}

/** From `start` evenly to 1 over a number of steps, then `next`, whose own step 0 is the end of the warmup. */
export function warmupSchedule({ steps, start = 0, next = constantSchedule() }: { readonly steps: number; readonly start?: number; readonly next?: LearningRateSchedule }): LearningRateSchedule {
  return (step) => (step < steps ? start + ((1 - start) * step) / steps : next(step - steps));
}

/** Options of {@link oneCycleSchedule}. */
export interface OneCycleOptions {
  readonly steps: number;
  /** Share of the steps that rise. */
  readonly peak?: number;
  /** The first factor is 1 / startDivisor. */
  readonly startDivisor?: number;
  /** The last factor is the first divided by this. */
  readonly endDivisor?: number;
}

/** Up to 1 and down to almost nothing along half cosines (Smith 2018): PyTorch's `OneCycleLR` with its defaults. */
export function oneCycleSchedule({ steps, peak = 0.3, startDivisor = 25, endDivisor = 1e4 }: OneCycleOptions): LearningRateSchedule {
  positive('oneCycleSchedule', steps);
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

function positive(name: string, steps: number): void {
  if (!(Number.isSafeInteger(steps) && steps > 0)) {
    throw new ShallowsError(`${name}: expected a whole number of steps from 1, got ${String(steps)}`);
  }
}
