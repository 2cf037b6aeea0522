import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { rootKey } from '../../random/key.js';
import { keptRows } from '../index.js';
import { drawPlan } from '../plan/plan.js';
import { rowFlags } from '../plan/rows.js';
import { Policy } from '../policy/policy.js';
import { rateSites } from '../policy/rate-sites.js';
import { depthSchedules } from '../policy/schedule.js';
import { activeInterval, activeProbability, activeQuantile, depthProfile } from './profile.js';

interface Exact {
  readonly schedule: 'linear' | 'uniform';
  readonly sites: number;
  readonly drop: number;
  readonly mean: number;
  readonly variance: number;
  readonly probabilities: readonly (readonly [k: number, p: number])[];
}
const exact: Record<string, Exact> = JSON.parse(
  readFileSync(new URL('fixtures/profile.json', import.meta.url), 'utf8'),
);
const linear = (drop: number, count: number) => depthProfile(depthSchedules.linear(drop, count));
const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `block.${i}`);

describe('depthProfile', () => {
  test.each(Object.entries(exact))('%s agrees with rational arithmetic (fixtures/profile.py)', (_, reference) => {
    const { schedule, sites, drop, mean, variance, probabilities } = reference;
    const profile = depthProfile(depthSchedules[schedule](drop, sites));
    expect(Math.abs(profile.mean / mean - 1)).toBeLessThan(1e-15);
    expect(Math.abs(profile.variance / variance - 1)).toBeLessThan(1e-14);
    expect(profile.distribution).toHaveLength(sites + 1);
    for (const [k, p] of probabilities) {
      // The far end of 600 blocks is below the smallest double, on both sides.
      expect(Math.abs((profile.distribution[k] ?? -1) - p), `P(${k})`).toBeLessThanOrEqual(1e-12 * p + 1e-307);
    }
    expect(Math.abs(activeProbability(profile, 0, sites) - 1)).toBeLessThan(1e-13);
  });

  test("the paper's network: 54 blocks, linear to 0.5", () => {
    const profile = linear(0.5, 54);
    expect(profile.mean).toBe(40.25);
    expect(profile.variance).toBeCloseTo(9.124228, 6);
    expect(profile.sd).toBeCloseTo(3.020634, 6);
    expect(activeProbability(profile, 34, 46)).toBeCloseTo(0.969903, 6);
    expect(activeInterval(profile, 0.99)).toEqual([32, 48]);
    expect((profile.distribution[54] ?? 0) / 4.4964e-8).toBeCloseTo(1, 4);
    expect(profile.rates[53]).toBe(0.5);
    expect(profile.keeps[0]).toBeCloseTo(0.990740741, 9);
  });

  test('linear to 0.8 leaves 32 of 54 and saves 40.74 %', () => {
    const { mean } = linear(0.8, 54);
    expect(mean).toBeCloseTo(32, 12);
    expect(1 - mean / 54).toBeCloseTo(0.4074, 4);
  });

  test.each([1, 3, 16, 18, 33, 50, 54, 100, 600])('E[active] = (3L − 1)/4 at L = %i', (count) => {
    expect(linear(0.5, count).mean).toBeCloseTo((3 * count - 1) / 4, 12);
  });

  test('certain sites: rate 0 always runs, rate 1 never does', () => {
    expect(depthProfile([0, 1, 0])).toMatchObject({ distribution: [0, 0, 1, 0], mean: 2, variance: 0 });
    expect(depthProfile([])).toMatchObject({ distribution: [1], mean: 0, variance: 0, sd: 0 });
  });

  test('a factor of a schedule over time is on every rate', () => {
    expect(depthProfile([0.2, 0.6], { factor: 0.5 })).toEqual(depthProfile([0.1, 0.3]));
  });

  test('takes the sites of a policy; a budget is a point', () => {
    const policy = Policy({ drop: 0.5, budget: 13 });
    const profile = depthProfile(rateSites(policy, names(54)), { policy });
    expect(profile).toMatchObject({ mean: 41, variance: 0, sd: 0 });
    expect(profile.distribution.flatMap((p, k) => (p > 0 ? [[k, p]] : []))).toEqual([[41, 1]]);
    expect([activeInterval(profile), activeQuantile(profile, 0), activeQuantile(profile, 1)]).toEqual([
      [41, 41],
      41,
      41,
    ]);
  });

  test('is frozen plain data', () => {
    const profile = linear(0.5, 4);
    expect(JSON.parse(JSON.stringify(profile))).toEqual(profile);
    expect([profile, profile.rates, profile.keeps, profile.distribution].every(Object.isFrozen)).toBe(true);
  });

  test.each<[() => unknown, string]>([
    [() => depthProfile([0.1, Number.NaN]), 'depthProfile: rate 1: expected a number in [0, 1], got NaN'],
    [() => depthProfile([1.5]), 'got 1.5'],
    [() => depthProfile([0.5], { factor: 2 }), 'depthProfile: factor: expected a number in [0, 1], got 2'],
    [() => activeInterval(linear(0.5, 4), 1.1), 'activeInterval: share: expected a number in [0, 1], got 1.1'],
    [
      () => depthProfile([0.5], { policy: Policy({ drop: 0.5, unit: 'row', rows: 'window' }) }),
      'expected the rows of a batch for rows that are neighbours, got null - give rows: the batch size',
    ],
  ])('refuses %#', (call, message) => {
    expect(call).toThrow(message);
  });
});

describe('quantiles', () => {
  const profile = linear(0.5, 54);
  test.each([0, 1e-12, 0.005, 0.1, 0.5, 0.9, 0.995, 1 - 1e-9])(
    'of share %d are the least k with so much below',
    (share) => {
      const k = activeQuantile(profile, share);
      expect(activeProbability(profile, 0, k)).toBeGreaterThanOrEqual(share - 1e-15);
      expect(activeProbability(profile, 0, k - 1)).toBeLessThanOrEqual(share + 1e-15);
    },
  );

  test('an interval leaves at most half of the rest on each side', () => {
    for (const share of [0.5, 0.9, 0.99, 0.999999]) {
      const [low, high] = activeInterval(profile, share);
      const tail = (1 - share) / 2;
      expect(activeProbability(profile, 0, low - 1)).toBeLessThanOrEqual(tail);
      expect(activeProbability(profile, 0, low)).toBeGreaterThan(tail);
      expect(activeProbability(profile, high + 1, 54)).toBeLessThanOrEqual(tail);
      expect(activeProbability(profile, high, 54)).toBeGreaterThan(tail);
    }
  });
});

describe('rows: the branches of one sample', () => {
  const key = rootKey(7);

  /** How often a sample of many drawn plans has k active branches. */
  function drawn(policy: Policy, sites: number, rows: number, steps: number): number[] {
    const rated = rateSites(policy, names(sites));
    const counts = new Array<number>(sites + 1).fill(0);
    for (let step = 0; step < steps; step++) {
      const active = new Array<number>(rows).fill(0);
      for (const site of drawPlan(policy, rated, { key, step, rows }).sites) {
        if (site.rows === null || keptRows(site.rows) === 0) continue;
        rowFlags(site.rows).forEach((flag, row) => (active[row] = (active[row] ?? 0) + Number(flag)));
      }
      for (const k of active) counts[k] = (counts[k] ?? 0) + 1 / (rows * steps);
    }
    return counts;
  }

  test.each([
    ['random', 'unbiased'],
    ['window', 'unbiased'],
    ['random', 'dinov2'],
    ['window', 'dinov2'],
    ['independent', null],
  ] as const)('%s rows, count %s: as 20,000 drawn plans have it', (rows, count) => {
    const policy = Policy({ drop: 0.55, unit: 'row', rows, count, scale: 'realised' });
    const sites = rateSites(policy, names(4));
    const profile = depthProfile(sites, { policy, rows: 7 });
    const found = drawn(policy, 4, 7, 20_000);
    // Steps are independent: √(p/steps) bounds a standard deviation; at 5 of them for 25 numbers, one honest run in 70,000 fails.
    found.forEach((share, k) => {
      const p = profile.distribution[k] ?? 0;
      expect(Math.abs(share - p), `P(${k})`).toBeLessThan(5 * Math.sqrt(p / 20_000) + 1e-4);
    });
    expect(activeProbability(profile, 0, 4)).toBeCloseTo(1, 12);
  });

  test('windows have the mean of their count, and spread the samples more than chance', () => {
    const sites = depthSchedules.linear(0.5, 12);
    const window = depthProfile(sites, { policy: Policy({ drop: 0.5, unit: 'row', rows: 'window' }), rows: 32 });
    const random = depthProfile(sites, { policy: Policy({ drop: 0.5, unit: 'row' }) });
    expect(window.mean).toBeCloseTo(random.mean, 12);
    expect(window.variance).toBeGreaterThan(random.variance + 0.1);
    const moment = window.distribution.reduce((sum, p, k) => sum + p * (k - window.mean) ** 2, 0);
    expect(window.variance).toBeCloseTo(moment, 12);
  });

  test("DINOv2's counts are of whole rows: 0.3 of 8 rows keeps 5", () => {
    const policy = Policy({ drop: 0.3, unit: 'row', schedule: 'uniform', count: 'dinov2', scale: 'realised' });
    expect(depthProfile([0.3, 0], { policy, rows: 8 }).keeps).toEqual([5 / 8, 1]);
    expect(() => depthProfile([0.3], { policy })).toThrow('expected the rows of a batch for count dinov2');
  });

  test('600 sites and a window of 512 rows: half a second of arithmetic', () => {
    const policy = Policy({ drop: 0.5, unit: 'row', rows: 'window' });
    const profile = depthProfile(depthSchedules.linear(0.5, 600), { policy, rows: 512 });
    expect(profile.mean).toBeCloseTo(449.75, 9);
    expect(activeProbability(profile, 0, 600)).toBeCloseTo(1, 12);
  });
});
