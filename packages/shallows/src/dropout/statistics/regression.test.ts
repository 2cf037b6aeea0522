import { readFileSync } from 'node:fs';
import { fromTypedArray, scope, setNumThreads, type Tensor } from '@shallows/torch';
import { beforeAll, describe, expect, test } from 'vitest';
import { binomialInterval } from '../../depth/index.js';
import { deriveKey, normals, rootKey } from '../../random/index.js';
import { intervalCoverage, predictionIntervals } from './intervals.js';
import { normalQuantile } from './normal.js';
import { binomialPValue, proportionInterval } from './proportion.js';
import { regressionUncertainty } from './regression.js';

type Pair = readonly [value: number[], standardError: number[]];
interface Case extends Readonly<Record<'mean' | 'epistemic' | 'aleatoric' | 'total', Pair>> {
  readonly shape: number[];
  readonly precision: number | null;
  readonly salt: number;
}
const reference: {
  readonly normal: readonly [p: number, z: number | string][];
  readonly proportions: readonly [k: number, n: number, level: number, low: number, high: number][];
  readonly regression: readonly Case[];
} = JSON.parse(readFileSync(new URL('fixtures/passes.json', import.meta.url), 'utf8'));

/** The numbers of `values` in fixtures/passes.py. */
function values(shape: readonly number[], salt: number): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  return fromTypedArray(
    Float64Array.from({ length: count }, (_, i) => ((i * 7919 + salt * 104729) % 1999) / 1000 - 1),
    shape,
  );
}

beforeAll(() => setNumThreads(1));

describe('normalQuantile and proportionInterval against SciPy', () => {
  test('quantiles to 1e-13', () => {
    for (const [p, z] of reference.normal) {
      const got = normalQuantile(p);
      if (typeof z === 'string') expect(got).toBe(z === 'inf' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY);
      else expect(Math.abs(got - z), `p = ${p}`).toBeLessThanOrEqual(1e-13 * Math.abs(z));
    }
    expect(() => normalQuantile(1.1)).toThrow('expected a probability in [0, 1], got 1.1');
    expect(() => normalQuantile(Number.NaN)).toThrow('got NaN');
  });

  test('exact intervals of proportions', () => {
    for (const [k, n, level, low, high] of reference.proportions) {
      expect([...proportionInterval(k, n, level)]).toBeAllclose([low, high], {
        rtol: 1e-9,
        atol: 1e-12,
      });
    }
    expect(() => proportionInterval(3, 2)).toThrow('expected whole numbers 0 <= successes <= trials');
    expect(() => proportionInterval(0, 0)).toThrow('trials from 1');
    expect(() => proportionInterval(1, 2, 1)).toThrow('a level in (0, 1)');
  });

  test('binomialPValue doubles the smaller tail', () => {
    expect(binomialPValue(5, 10, 0.5)).toBe(1);
    expect(binomialPValue(0, 10, 0.5)).toBeCloseTo(2 / 1024, 12);
    expect(binomialPValue(10, 10, 0.5)).toBeCloseTo(2 / 1024, 12);
  });
});

test.each(reference.regression)('agrees with NumPy and SciPy, case %#', ({ shape, precision, salt, ...expected }) => {
  scope(() => {
    const variances = values(shape, salt + 1).exp();
    const found = regressionUncertainty(values(shape, salt), { variances, precision });
    expect([found.passes, found.rows, found.outputs]).toEqual([shape[0], shape[1], shape[2] ?? 1]);
    for (const name of ['mean', 'epistemic', 'aleatoric', 'total'] as const) {
      expect(found[name].value, name).toBeAllclose(expected[name][0], { rtol: 1e-11, atol: 1e-13 });
      expect(found[name].standardError, `error of ${name}`).toBeAllclose(expected[name][1], { rtol: 1e-9 });
    }
    expect(found.noise).toBe(precision === null ? 0 : 1 / precision);
  });
});

test('without a predicted variance all of it is epistemic, and a row does not depend on its batch', () => {
  scope(() => {
    const all = values([9, 21, 3], 4).to('float32');
    const { epistemic, aleatoric, total, mean } = regressionUncertainty(all);
    expect(total).toEqual(epistemic);
    expect(new Set(aleatoric.value)).toEqual(new Set([0]));
    const alone = regressionUncertainty(all.narrow(1, 20, 1));
    expect(alone.mean.value).toEqual(mean.value.slice(60));
    expect(alone.epistemic).toEqual({
      value: epistemic.value.slice(60),
      standardError: epistemic.standardError.slice(60),
    });
  });
});

test('refuses what it cannot use', () => {
  const means = { values: [1, 2, 3, 4], shape: [2, 2] };
  expect(() => regressionUncertainty({ values: [1, 2], shape: [2] })).toThrow('got float64 [2]');
  expect(() => regressionUncertainty(means, { variances: { values: [1, 1], shape: [2, 1] } })).toThrow(
    'expected variances [2, 2], as the means, got [2, 1]',
  );
  expect(() => regressionUncertainty(means, { variances: { values: [1, -1, 1, 1], shape: [2, 2] } })).toThrow(
    'in row 1',
  );
  expect(() => regressionUncertainty({ values: [1, 2, Number.NaN, 4], shape: [2, 2] })).toThrow('in row 0');
  expect(() => regressionUncertainty(means, { precision: 0 })).toThrow('expected a precision above 0, got 0');
});

describe('intervals', () => {
  const estimate = (value: number[]) => ({
    value: Float64Array.from(value),
    standardError: new Float64Array(value.length),
  });

  test('are mean ± z · √total', () => {
    const { lower, upper } = predictionIntervals({ mean: estimate([0, 2]), total: estimate([1, 4]) }, 0.95);
    expect(lower).toBeAllclose([-1.959963984540054, 2 - 3.919927969080108]);
    expect(upper).toBeAllclose([1.959963984540054, 2 + 3.919927969080108]);
    expect(() => predictionIntervals({ mean: estimate([]), total: estimate([]) }, 1)).toThrow(
      'expected a level in (0, 1)',
    );
  });

  const ones = (count: number, total: number) =>
    predictionIntervals({ mean: estimate(Array(count).fill(0)), total: estimate(Array(count).fill(total)) }, 0.9);

  test('coverage is counted, and judged against what was promised', () => {
    const targets = normals(deriveKey(rootKey(3), 'targets'), 1000);
    const honest = intervalCoverage(ones(1000, 1), targets);
    expect(honest).toMatchObject({ nominal: 0.9, count: 1000, verdict: 'as promised' });
    expect(honest.coverage).toBe([...targets].filter((z) => Math.abs(z) <= 1.6448536269514722).length / 1000);
    expect(honest.width).toBeCloseTo(2 * 1.6448536269514722, 10);
    expect(intervalCoverage(ones(1000, 0.25), targets).verdict).toBe('too narrow');
    expect(intervalCoverage(ones(1000, 4), targets).verdict).toBe('too wide');
    expect(intervalCoverage(ones(20, 1), targets.slice(0, 20)).verdict).toBe('not enough data');
    expect(intervalCoverage(ones(20, 0.01), targets.slice(0, 20)).verdict).toBe('too narrow');
  });

  test('honest intervals are called wrong in at most 5 % of the cases', () => {
    let wrong = 0;
    for (let i = 0; i < 500; i++) {
      const { verdict } = intervalCoverage(ones(200, 1), normals(deriveKey(rootKey(4), i), 200));
      if (verdict !== 'as promised') wrong++;
    }
    // Exceeded by chance once in 10,000 seeds at a rate of 5 %; the exact test is below it.
    expect(wrong).toBeLessThanOrEqual(binomialInterval(500, 0.05, 2e-4)[1]);
    expect(wrong).toBeGreaterThan(0);
  });

  test('refuses unpaired or missing values', () => {
    expect(() => intervalCoverage(ones(2, 1), [1])).toThrow('got 1 targets, 2 lower and 2 upper ends');
    expect(() => intervalCoverage(ones(1, 1), [Number.NaN])).toThrow('and NaN at 0');
    expect(() => intervalCoverage({ level: 0.9, lower: Float64Array.of(2), upper: Float64Array.of(1) }, [1])).toThrow(
      'expected lower <= upper',
    );
  });
});
