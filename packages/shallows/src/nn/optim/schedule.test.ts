import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ShallowsError } from '../../errors.js';
import {
  constantSchedule,
  cosineSchedule,
  exponentialSchedule,
  type LearningRateSchedule,
  linearSchedule,
  multiStepSchedule,
  oneCycleSchedule,
  polynomialSchedule,
  warmupSchedule,
} from '../index.js';

interface Reference {
  readonly base: number;
  readonly cases: Record<string, number[]>;
}

const reference: Reference = JSON.parse(readFileSync(new URL('../fixtures/schedules.json', import.meta.url), 'utf8'));

const schedules: Record<string, LearningRateSchedule> = {
  'multi-step': multiStepSchedule({ milestones: [20, 3, 7], gamma: 0.3 }),
  'multi-step, one twice': multiStepSchedule({ milestones: [2, 5, 5] }),
  cosine: cosineSchedule({ steps: 17 }),
  'cosine, final': cosineSchedule({ steps: 30, final: 0.1 }),
  'linear warmup': warmupSchedule({ steps: 9, start: 0.1 }),
  'linear warmup, then cosine': warmupSchedule({ steps: 5, start: 0.2, next: cosineSchedule({ steps: 20 }) }),
  'one cycle': oneCycleSchedule({ steps: 40 }),
  'one cycle, other shape': oneCycleSchedule({ steps: 33, peak: 0.45, startDivisor: 10, endDivisor: 50 }),
  'one cycle, no rise': oneCycleSchedule({ steps: 10, peak: 0 }),
  'one cycle, only rise': oneCycleSchedule({ steps: 10, peak: 1 }),
  exponential: exponentialSchedule({ gamma: 0.93 }),
  polynomial: polynomialSchedule({ steps: 12, power: 2.5 }),
  linear: linearSchedule({ steps: 11, final: 0.2 }),
  'linear to nothing': linearSchedule({ steps: 9 }),
  'constant after warmup': warmupSchedule({ steps: 5, start: 1 / 6 }),
};

describe("PyTorch's schedulers (fixtures/schedules.py)", () => {
  test('every case has its schedule here', () => {
    expect(Object.keys(schedules)).toEqual(Object.keys(reference.cases));
  });

  test.each(Object.entries(reference.cases))('%s: every rate to 1e-12', (name, rates) => {
    const schedule = schedules[name] as LearningRateSchedule;
    for (const [step, rate] of rates.entries()) {
      expect(Math.abs(reference.base * schedule(step) - rate), `step ${step}`).toBeLessThanOrEqual(1e-12);
    }
  });
});

test('after the last step the rate stays where it is', () => {
  for (const [schedule, steps] of [
    [cosineSchedule({ steps: 7, final: 0.2 }), 7],
    [oneCycleSchedule({ steps: 7 }), 6],
    [polynomialSchedule({ steps: 7, power: 3, final: 0.1 }), 7],
    [constantSchedule(), 0],
  ] as const) {
    expect([1, 5, 1000].map((more) => schedule(steps + more))).toEqual([1, 1, 1].map(() => schedule(steps)));
  }
});

test('one step is a whole schedule, and a warmup of 0 steps is none', () => {
  expect(oneCycleSchedule({ steps: 1 })(0)).toBeCloseTo(1 / 25 / 1e4, 12);
  expect(oneCycleSchedule({ steps: 1, peak: 1 })(0)).toBe(1);
  expect(cosineSchedule({ steps: 1 })(0)).toBe(1);
  expect(warmupSchedule({ steps: 0, next: cosineSchedule({ steps: 2 }) })(1)).toBeCloseTo(0.5, 12);
});

test('a list of milestones that changes later does not change the schedule', () => {
  const milestones = [5];
  const schedule = multiStepSchedule({ milestones });
  milestones[0] = 0;
  expect(schedule(4)).toBe(1);
});

test.each<[string, () => LearningRateSchedule, string]>([
  [
    'milestones',
    () => multiStepSchedule({ milestones: [1, Number.NaN] }),
    'multiStepSchedule: milestones: expected a number from 0, got NaN',
  ],
  [
    'a milestone',
    () => multiStepSchedule({ milestones: 5 as unknown as number[] }),
    'milestones: expected a list of steps, got 5',
  ],
  ['gamma', () => multiStepSchedule({ milestones: [1], gamma: 0 }), 'gamma: expected a number above 0, got 0'],
  ['cosine steps', () => cosineSchedule({ steps: 0 }), 'cosineSchedule: steps: expected a whole number from 1, got 0'],
  ['cosine final', () => cosineSchedule({ steps: 1, final: 2 }), 'final: expected a number from 0 to 1, got 2'],
  [
    'warmup steps',
    () => warmupSchedule({ steps: 1.5 }),
    'warmupSchedule: steps: expected a whole number from 0, got 1.5',
  ],
  [
    'warmup start',
    () => warmupSchedule({ steps: 1, start: Number.NaN }),
    'start: expected a number from 0 to 1, got NaN',
  ],
  [
    'warmup next',
    () => warmupSchedule({ steps: 1, next: 1 as unknown as LearningRateSchedule }),
    'next: expected a schedule, got 1',
  ],
  ['exponential', () => exponentialSchedule({ gamma: 1.1 }), 'gamma: expected a number above 0, up to 1, got 1.1'],
  ['power', () => polynomialSchedule({ steps: 1, power: 0 }), 'power: expected a number above 0, got 0'],
  ['linear steps', () => linearSchedule({ steps: 0 }), 'steps: expected a whole number from 1, got 0'],
  [
    'one-cycle peak',
    () => oneCycleSchedule({ steps: 9, peak: 1.1 }),
    'oneCycleSchedule: peak: expected a number from 0 to 1, got 1.1',
  ],
  [
    'one-cycle divisors',
    () => oneCycleSchedule({ steps: 9, startDivisor: 0, endDivisor: -1 }),
    'startDivisor: expected a number above 0, got 0; endDivisor: expected a number above 0, got -1',
  ],
])('%s out of range is an error', (_, make, message) => {
  expect(make).toThrow(ShallowsError);
  expect(make).toThrow(message);
});
