import { describe, expect, test } from 'vitest';
import { rootKey } from '../../random/key.js';
import { Policy } from '../policy/policy.js';
import { rateSites } from '../policy/rate-sites.js';
import { binomialInterval } from '../proof/binomial.js';
import { drawPlan } from './plan.js';

// Huang et al.'s ResNet-110: 54 blocks, linear to 0.5. 2,000 plans under one fixed key. Each test states its
// false-alarm rate: how often it would fail for a fresh key and a correct generator.
const L = 54;
const PLANS = 2000;
const Z999 = 3.2905;
const policy = Policy({ drop: 0.5 });
const sites = rateSites(
  policy,
  Array.from({ length: L }, (_, i) => `layer${1 + Math.floor(i / 18)}.${i % 18}`),
);
const key = rootKey(20160330);
const kept: boolean[][] = Array.from({ length: PLANS }, (_, step) =>
  drawPlan(policy, sites, { key, step }).sites.map((site) => site.kept),
);
const active = kept.map((row) => row.filter(Boolean).length);
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Distribution of the number of active blocks: the convolution of the Bernoullis. */
const distribution = sites.reduce<number[]>(
  (before, { drop }) =>
    Array.from({ length: before.length + 1 }, (_, k) => (before[k] ?? 0) * drop + (before[k - 1] ?? 0) * (1 - drop)),
  [1],
);

describe('2,000 plans of 54 blocks, linear to 0.5', () => {
  test('the distribution of active blocks has the moments of the paper', () => {
    const first = distribution.reduce((sum, p, k) => sum + p * k, 0);
    const second = distribution.reduce((sum, p, k) => sum + p * (k - first) ** 2, 0);
    expect(first).toBeCloseTo(40.25, 10);
    expect(second).toBeCloseTo(9.124228, 6);
    expect(distribution[54] ?? 0).toBeCloseTo(4.4964e-8, 12);
    expect(distribution.slice(34, 47).reduce((a, b) => a + b, 0)).toBeCloseTo(0.969903, 6);
  });

  test('every site is dropped at its rate (99.9 % binomial bounds for all 54 together, Bonferroni)', () => {
    sites.forEach(({ name, drop }, i) => {
      const [lo, hi] = binomialInterval(PLANS, drop, 0.001 / L);
      const count = kept.filter((row) => row[i] === false).length;
      expect(count, name).toBeGreaterThanOrEqual(lo);
      expect(count, name).toBeLessThanOrEqual(hi);
    });
  });

  test('40.25 blocks run on average, with standard deviation 3.02 (false alarm 0.1 % each)', () => {
    const variance = distribution.reduce((sum, p, k) => sum + p * (k - 40.25) ** 2, 0);
    const fourth = distribution.reduce((sum, p, k) => sum + p * (k - 40.25) ** 4, 0);
    expect(Math.abs(mean(active) - 40.25)).toBeLessThan(Z999 * Math.sqrt(variance / PLANS));
    const spread = mean(active.map((count) => (count - 40.25) ** 2));
    expect(Math.abs(spread - variance)).toBeLessThan(Z999 * Math.sqrt((fourth - variance ** 2) / PLANS));
  });

  test('34 to 46 blocks run in 97 % of the plans (false alarm 0.1 %)', () => {
    const within = active.filter((count) => count >= 34 && count <= 46).length;
    const [lo, hi] = binomialInterval(PLANS, 0.969903, 0.001);
    expect(within).toBeGreaterThanOrEqual(lo);
    expect(within).toBeLessThanOrEqual(hi);
  });

  test('the number of active blocks has its whole distribution (chi-square, false alarm 0.1 %)', () => {
    // Cells of at least 20 expected plans: below 34, 34 to 46 each, above 46.
    const cell = (count: number): number => Math.min(Math.max(count, 33), 47) - 33;
    const expected = new Array<number>(15).fill(0);
    distribution.forEach((p, k) => {
      expected[cell(k)] = (expected[cell(k)] ?? 0) + p * PLANS;
    });
    const counts = new Array<number>(15).fill(0);
    for (const count of active) counts[cell(count)] = (counts[cell(count)] ?? 0) + 1;
    const statistic = counts.reduce((sum, count, i) => sum + (count - (expected[i] ?? 0)) ** 2 / (expected[i] ?? 0), 0);
    expect(statistic).toBeLessThan(36.12);
  });
});

describe('independence', () => {
  const standard = kept.map((row) =>
    row.map((value, i) => {
      const keep = 1 - (sites[i]?.drop ?? 0);
      return ((value ? 1 : 0) - keep) / Math.sqrt(keep * (1 - keep));
    }),
  );
  const correlation = (a: number, b: number, lag: number): number => {
    let sum = 0;
    for (let step = 0; step + lag < PLANS; step++) sum += (standard[step]?.[a] ?? 0) * (standard[step + lag]?.[b] ?? 0);
    return sum / Math.sqrt(PLANS - lag);
  };

  test('of sites: squared correlations of the 703 pairs of blocks 17 to 54 sum to a chi-square (false alarm 0.1 %)', () => {
    // Blocks of rate 0.15 and more: below, the normal limit of a correlation is poor at 2,000 plans.
    let sum = 0;
    for (let a = 16; a < L; a++) for (let b = a + 1; b < L; b++) sum += correlation(a, b, 0) ** 2;
    expect(Math.abs(sum - 703) / Math.sqrt(2 * 703)).toBeLessThan(Z999);
  });

  test('of steps: no block remembers 1, 2 or 3 steps back (false alarm 0.1 % for each lag)', () => {
    for (const lag of [1, 2, 3]) {
      let sum = 0;
      for (let a = 16; a < L; a++) sum += correlation(a, a, lag) ** 2;
      expect(Math.abs(sum - 38) / Math.sqrt(2 * 38)).toBeLessThan(Z999);
    }
  });

  test('of microbatches and of ranks: both agree as often as chance (false alarm 0.1 % each)', () => {
    const own = Policy({ drop: 0.5, ranks: 'independent' });
    const changes = [
      { microbatch: 1, rank: 0 },
      { microbatch: 0, rank: 1 },
    ];
    for (const change of changes) {
      let agree = 0;
      for (let step = 0; step < PLANS; step++) {
        const a = drawPlan(own, sites, { key, step }).sites;
        const b = drawPlan(own, sites, { key, step, ...change }).sites;
        a.forEach((site, i) => {
          agree += site.kept === b[i]?.kept ? 1 : 0;
        });
      }
      const chances = sites.map(({ drop }) => drop ** 2 + (1 - drop) ** 2);
      const expected = PLANS * chances.reduce((a, b) => a + b, 0);
      const variance = PLANS * chances.reduce((sum, p) => sum + p * (1 - p), 0);
      expect(Math.abs(agree - expected) / Math.sqrt(variance)).toBeLessThan(Z999);
    }
  });
});
