import { readFileSync } from 'node:fs';
import { fromTypedArray, scope, stats, tensor } from '@shallows/torch';
import { describe, expect, test } from 'vitest';
import { binomialInterval } from '../../depth/index.js';
import { deriveKey, normals, rootKey, uniforms } from '../../random/index.js';
import { acceleration, bcaBound, bootstrap, meanAcceleration, percentileBound } from './bootstrap.js';
import { toClasses, toFlags, toNumbers, toTable } from './input.js';
import { mean, pearson, quantile, variance } from './moments.js';
import { ascendingOrder, midRanks, tieNumbers } from './ranks.js';
import { chiSquareTail, normalCdf, normalPValue, upperGamma } from './tails.js';

const reference = JSON.parse(readFileSync(new URL('fixtures/numerics.json', import.meta.url), 'utf8'));
const tied = Float64Array.from(reference.tied as number[]);
const other = Float64Array.from(reference.other as number[]);

describe('against SciPy and NumPy (fixtures/numerics.py)', () => {
  test('mid-ranks, correlation, variance', () => {
    expect([...midRanks(tied)]).toEqual(reference.ranks);
    expect(pearson(tied, other)).toBeCloseTo(reference.pearson, 12);
    expect(pearson(midRanks(tied), midRanks(other))).toBeCloseTo(reference.spearman, 12);
    expect(variance(tied)).toBeCloseTo(reference.variance, 12);
  });

  test('quantiles', () => {
    const sorted = other.slice().sort();
    for (const [q, value] of reference.quantiles) expect(quantile(sorted, q)).toBeCloseTo(value, 12);
  });

  test('tails of gamma, chi-square and normal, far ones to 1e-11 relative', () => {
    const near = (got: number, want: number, what: string): void =>
      expect(Math.abs(got - want), what).toBeLessThanOrEqual(1e-11 * want);
    for (const [a, x, q] of reference.gamma) near(upperGamma(a, x), q, `Q(${a}, ${x})`);
    for (const [x, k, q] of reference.chi) near(chiSquareTail(x, k), q, `chi-square ${x}, ${k}`);
    for (const [z, p, below] of reference.normal) {
      near(normalPValue(z), p, `p(${z})`);
      near(normalCdf(z), below, `cdf(${z})`);
    }
    expect(upperGamma(2, Number.POSITIVE_INFINITY)).toBe(0);
  });
});

test('orders and runs of equal values', () => {
  const values = Float64Array.of(3, 1, 3, 2, 1);
  expect([...ascendingOrder(values)]).toEqual([1, 4, 3, 0, 2]);
  expect(tieNumbers(values)).toEqual({ numbers: Uint32Array.of(2, 0, 2, 1, 0), count: 3 });
  expect(pearson(values, Float64Array.of(2, 2, 2, 2, 2))).toBe(0);
  expect(variance([1])).toBeNaN();
});

describe('bootstrap', () => {
  const values = normals(rootKey(2), 60);
  const meanOf = (rows: Uint32Array): number => mean(Float64Array.from(rows, (i) => values[i] ?? 0));

  test('is a function of its key, and its standard error is that of the mean', () => {
    const first = bootstrap(60, meanOf, { key: rootKey(5) });
    expect(first).toEqual(bootstrap(60, meanOf, { key: rootKey(5) }));
    expect(first.values).not.toEqual(bootstrap(60, meanOf, { key: rootKey(6) }).values);
    // 2000 resamples know their standard deviation to 1.6 %; the n in place of n − 1 takes another 0.8 %.
    expect(first.standardError / Math.sqrt(variance(values) / 60)).toBeCloseTo(1, 1);
    expect(first.estimate).toBe(mean(values));
    expect(acceleration(60, meanOf)).toBeCloseTo(meanAcceleration(values), 10);
    // By groups of rows it is a rougher one.
    const many = uniforms(rootKey(9), 1500).map((u) => -Math.log1p(-u));
    const grouped = acceleration(1500, (rows) => mean(Float64Array.from(rows, (i) => many[i] ?? 0)));
    expect(grouped / meanAcceleration(many)).toBeGreaterThan(0.4);
    expect(grouped / meanAcceleration(many)).toBeLessThan(2);
  });

  test('a constant statistic has a point for an interval', () => {
    const constant = bootstrap(10, () => 3, { resamples: 100 });
    expect([percentileBound(constant, 0.05), bcaBound(constant, 0, 0.05), acceleration(10, () => 3)]).toEqual([
      3, 3, 0,
    ]);
  });

  // Each coverage below would leave its bounds for an interval that holds the truth in exactly the named share of cases
  // once in 10,000 seeds. At these sizes theory puts the shortfall of both intervals below one point in a hundred.
  test.each([
    ['percentile', 'normal', 0.94],
    ['BCa', 'normal', 0.94],
    ['BCa', 'exponential', 0.935],
  ] as const)('the %s interval for 95 in 100 of the mean of %s numbers holds the truth', (method, kind, share) => {
    const runs = 400;
    let held = 0;
    for (let run = 0; run < runs; run++) {
      const key = deriveKey(rootKey(11), kind, run);
      const sample = kind === 'normal' ? normals(key, 100) : uniforms(key, 100).map((u) => -Math.log1p(-u));
      const statistic = (rows: Uint32Array): number => {
        let sum = 0;
        for (const row of rows) sum += sample[row] ?? 0;
        return sum / 100;
      };
      const drawn = bootstrap(100, statistic, { key, resamples: 300 });
      const bound = (q: number): number =>
        method === 'BCa' ? bcaBound(drawn, meanAcceleration(sample), q) : percentileBound(drawn, q);
      const truth = kind === 'normal' ? 0 : 1;
      if (bound(0.025) <= truth && truth <= bound(0.975)) held++;
    }
    const [least, most] = binomialInterval(runs, share, 2e-4);
    expect(held).toBeGreaterThanOrEqual(least);
    expect(held).toBeLessThanOrEqual(most);
  });

  test('refuses what it cannot draw', () => {
    expect(() => bootstrap(1, meanOf)).toThrow('expected at least two rows, got 1');
    expect(() => bootstrap(5, meanOf, { resamples: 10 })).toThrow('expected at least 100 resamples, got 10');
    expect(() => bootstrap(5, () => Number.NaN)).toThrow('expected a finite statistic, got NaN');
  });
});

describe('inputs', () => {
  test('numbers, bigints, booleans and tensors of any dtype', () => {
    const before = stats();
    scope(() => {
      expect([...toNumbers('f', 'x', tensor([1, 2]).to('bfloat16'))]).toEqual([1, 2]);
      expect([...toClasses('f', 'x', tensor([1n, 2n]))]).toEqual([1, 2]);
      expect([...toFlags('f', 'x', tensor([true, false]))]).toEqual([1, 0]);
      expect(toTable('f', 'x', tensor([[1, 2, 3]]))).toEqual({ values: Float64Array.of(1, 2, 3), rows: 1, columns: 3 });
      expect([...toNumbers('f', 'x', fromTypedArray(Float32Array.of(0.5)).requiresGrad_())]).toEqual([0.5]);
    });
    expect(stats()).toEqual(before);
    expect([...toNumbers('f', 'x', BigInt64Array.of(3n))]).toEqual([3]);
    expect([...toFlags('f', 'x', [true, false])]).toEqual([1, 0]);
    expect(toTable('f', 'x', [[1, 2], Float32Array.of(3, 4)]).values).toEqual(Float64Array.of(1, 2, 3, 4));
    expect(toTable('f', 'x', []).rows).toBe(0);
  });

  test('what is wrong is named', () => {
    expect(() => toNumbers('f', 'scores', [1, Number.NaN])).toThrow('f: expected scores that are finite, got NaN at 1');
    expect(() => toClasses('f', 'targets', [0, 3], 3)).toThrow(
      'f: expected targets that are classes from 0 to 2, got 3 at 1',
    );
    expect(() => toClasses('f', 'targets', [0.5])).toThrow('got 0.5 at 0');
    expect(() => toFlags('f', 'errors', [0, 2])).toThrow('f: expected errors of 0 and 1, got 2 at 1');
    expect(() => toTable('f', 'logits', [[1, 2], [3]])).toThrow('rows of one length, got 2 and 1 (row 1)');
    expect(() => toTable('f', 'logits', [[1, Number.POSITIVE_INFINITY]])).toThrow('got Infinity in row 0');
    expect(() => toTable('f', 'logits', { values: new Float64Array(3), rows: 2, columns: 2 })).toThrow(
      'got 3 for 2 x 2',
    );
    scope(() => {
      expect(() => toTable('f', 'logits', tensor([1]))).toThrow('f: expected logits [N, C], got [1]');
      expect(() => toNumbers('f', 'scores', tensor([[1]]))).toThrow('f: expected scores [N], got [1, 1]');
    });
  });
});
