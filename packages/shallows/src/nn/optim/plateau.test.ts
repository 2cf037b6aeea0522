import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ShallowsError } from '../../errors.js';
import {
  constantSchedule,
  isPlateauSchedule,
  type PlateauOptions,
  type PlateauSchedule,
  plateauSchedule,
  warmupSchedule,
} from '../index.js';

interface Reference {
  readonly base: number;
  readonly metrics: readonly (number | null)[];
  readonly plateaus: Record<string, { readonly options: Record<string, number | string>; readonly rates: number[] }>;
}

const reference: Reference = JSON.parse(readFileSync(new URL('../fixtures/schedules.json', import.meta.url), 'utf8'));
const metrics = reference.metrics.map((each) => each ?? Number.NaN);

/** PyTorch's words and rates in ours. */
function make(options: Record<string, number | string>): PlateauSchedule {
  const { factor, min_lr: least, eps, threshold_mode: thresholdMode, ...others } = options;
  const share = (rate: unknown): number => Number(rate) / reference.base;
  return plateauSchedule({
    ...others,
    ...(factor === undefined ? {} : { gamma: Number(factor) }),
    ...(thresholdMode === undefined ? {} : { thresholdMode: thresholdMode as 'abs' }),
    ...(least === undefined ? {} : { final: share(least) }),
    // PyTorch's is of the rate, ours of the factor.
    eps: share(eps ?? 1e-8),
  });
}

describe("PyTorch's ReduceLROnPlateau (fixtures/schedules.py)", () => {
  test.each(Object.entries(reference.plateaus))(
    '%s: every rate to 1e-12, also when resumed',
    (_, { options, rates }) => {
      let schedule = make(options);
      for (const [i, rate] of rates.entries()) {
        if (i % 7 === 3) {
          const state = JSON.parse(JSON.stringify(schedule.stateDict()));
          schedule = make(options);
          schedule.loadStateDict(state);
        }
        schedule.report(metrics[i] ?? Number.NaN);
        expect(Math.abs(reference.base * schedule(i) - rate), `report ${i}`).toBeLessThanOrEqual(1e-12);
      }
      expect(new Set(rates).size).toBeGreaterThan(1);
    },
  );
});

test('multiplies another schedule', () => {
  const schedule = plateauSchedule({ patience: 0, gamma: 0.5, times: warmupSchedule({ steps: 4, start: 0.5 }) });
  schedule.report(1);
  schedule.report(1);
  expect([0, 2, 4].map((step) => schedule(step))).toEqual([0.25, 0.375, 0.5]);
});

test('is told from schedules that do not listen', () => {
  expect(isPlateauSchedule(plateauSchedule())).toBe(true);
  expect(isPlateauSchedule(constantSchedule())).toBe(false);
});

test('what is not finite is no improvement, not even at first', () => {
  const schedule = plateauSchedule({ patience: 0, gamma: 0.5, mode: 'max' });
  for (const metric of [Number.POSITIVE_INFINITY, 1, Number.NaN]) schedule.report(metric);
  expect(schedule(0)).toBe(0.25);
  expect(schedule.stateDict()).toMatchObject({ best: 1 });
});

test.each<[PlateauOptions, string]>([
  [{ mode: 'low' as 'min' }, 'plateauSchedule: mode: expected min or max, got "low"'],
  [{ gamma: 1 }, 'gamma: expected a number between 0 and 1, got 1'],
  [{ patience: -1 }, 'patience: expected a whole number from 0, got -1'],
  [{ threshold: -1, cooldown: 0.5 }, 'threshold: expected a number from 0, got -1; cooldown: expected a whole number'],
  [{ thresholdMode: 'share' as 'rel' }, 'thresholdMode: expected rel or abs, got "share"'],
  [{ final: 2, eps: -1 }, 'final: expected a number from 0 to 1, got 2; eps: expected a number from 0, got -1'],
  [{ times: 1 as unknown as PlateauSchedule }, 'times: expected a schedule, got 1'],
])('%o is an error', (options, message) => {
  expect(() => plateauSchedule(options)).toThrow(ShallowsError);
  expect(() => plateauSchedule(options)).toThrow(message);
});

test('refuses metrics that are no numbers, and states of something else', () => {
  const schedule = plateauSchedule();
  expect(() => schedule.report('0.1' as unknown as number)).toThrow('expected a metric to be a number, got "0.1"');
  for (const state of [null, 7, {}, { factor: 2, best: null, bad: 0, cooling: 0 }, { factor: 1, best: 'a', bad: 0 }]) {
    expect(() => schedule.loadStateDict(state)).toThrow('expected { factor, best, bad, cooling }, got');
  }
});
