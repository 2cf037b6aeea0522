import { readFileSync } from 'node:fs';
import { cat, fromTypedArray, scope, setNumThreads, stats } from '@shallows/torch';
import { beforeAll, describe, expect, test } from 'vitest';
import { binomialInterval } from '../../depth/index.js';
import { deriveKey, normals, rootKey, uniforms } from '../../random/index.js';
import { rocAuc } from '../classification/index.js';
import {
  compareUncertainties,
  coverageAtRisk,
  qualityByPasses,
  riskAtCoverage,
  riskCoverage,
  sparsification,
  spearman,
  uncertaintyQuality,
} from './index.js';
import { rankStatistics } from './ranks-of-rows.js';

interface Case extends Readonly<Record<string, number | number[]>> {
  readonly u: number[];
  readonly e: number[];
  readonly spearman: number;
}
interface Areas extends Case {
  readonly aurc: number;
  readonly oracleAurc: number;
  readonly augrc: number;
  readonly coverageAt10: number;
  readonly riskAt80: number;
}
const reference: {
  readonly classification: Areas & { readonly auroc: number; readonly eAurc: number };
  readonly tied: Case & { readonly auroc: number };
  readonly regression: Areas;
} = JSON.parse(readFileSync(new URL('fixtures/uncertainty.json', import.meta.url), 'utf8'));

beforeAll(() => setNumThreads(1));

describe('agreement with SciPy, scikit-learn and the definitions in NumPy', () => {
  test.each(['classification', 'tied', 'regression'] as const)('%s: Spearman', (name) => {
    const { u, e, spearman: expected } = reference[name];
    expect(spearman(u, e)).toBeCloseTo(expected, 11);
    const ranks = rankStatistics(Float64Array.from(u), Float64Array.from(e));
    expect(ranks.spearman(Uint32Array.from(u, (_, i) => i))).toBeCloseTo(expected, 11);
  });

  test.each(['classification', 'tied'] as const)('%s: area under the ROC curve of the error', (name) => {
    const { u, e, auroc } = reference[name];
    expect(uncertaintyQuality(u, e, { resamples: 100 }).auroc?.value).toBeCloseTo(auroc, 12);
  });

  test.each(['classification', 'regression'] as const)('%s: areas and cuts of the risk-coverage curve', (name) => {
    const { u, e, aurc, oracleAurc, augrc, coverageAt10, riskAt80 } = reference[name];
    const found = riskCoverage(u, e);
    expect(found.aurc).toBeCloseTo(aurc, 11);
    expect(found.oracleAurc).toBeCloseTo(oracleAurc, 11);
    expect(found.augrc).toBeCloseTo(augrc, 11);
    expect(found.ause).toBeCloseTo(aurc - oracleAurc, 11);
    expect(coverageAtRisk(found, 0.1)?.coverage ?? 0).toBeCloseTo(coverageAt10, 12);
    expect(riskAtCoverage(found, 0.8).risk).toBeCloseTo(riskAt80, 12);
    expect(found.eAurc).toBeCloseTo(name === 'classification' ? reference[name].eAurc : aurc - oracleAurc, 11);
  });
});

describe('risk and coverage', () => {
  test('a small curve by hand', () => {
    const found = riskCoverage([0.1, 0.2, 0.3, 0.4], [0, 0, 1, 1]);
    expect(found.curve.coverage).toEqual(Float64Array.of(0.25, 0.5, 0.75, 1));
    expect(found.curve.risk).toEqual(Float64Array.of(0, 0, 1 / 3, 0.5));
    expect(found.aurc).toBeCloseTo((1 / 3 + 1 / 2) / 4, 14);
    expect(found.augrc).toBeCloseTo((1 / 4 + 2 / 4) / 4, 14);
    expect(found.eAurc).toBeCloseTo((1 / 3 + 1 / 2) / 4 - (0.5 + 0.5 * Math.log(0.5)), 14);
    expect(found.ause).toBe(0);
    expect(coverageAtRisk(found, 0)).toEqual({ coverage: 0.5, risk: 0, threshold: 0.2 });
    expect(coverageAtRisk(found, 0.4)).toEqual({ coverage: 0.75, risk: 1 / 3, threshold: 0.3 });
    expect(coverageAtRisk(riskCoverage([1, 2], [1, 0]), 0.4)).toBeNull();
    expect(riskAtCoverage(found, 0.6)).toEqual({ coverage: 0.75, risk: 1 / 3, threshold: 0.3 });
    expect(riskAtCoverage(found, 1).risk).toBe(0.5);
  });

  test('rows of equal uncertainty count as the mean over their orders, and cannot be cut apart', () => {
    const e = [1, 0, 0, 1, 0];
    const tied = riskCoverage([1, 2, 2, 2, 3], e);
    // Every order of the three in the middle.
    const orders = [
      [0, 1, 2, 3, 4],
      [0, 1, 3, 2, 4],
      [0, 2, 1, 3, 4],
      [0, 2, 3, 1, 4],
      [0, 3, 1, 2, 4],
      [0, 3, 2, 1, 4],
    ].map((order) =>
      riskCoverage(
        [1, 2, 3, 4, 5],
        order.map((row) => e[row] ?? 0),
      ),
    );
    const mean = (value: (each: (typeof orders)[number]) => number): number =>
      orders.reduce((sum, each) => sum + value(each), 0) / orders.length;
    expect(tied.aurc).toBeCloseTo(
      mean(({ aurc }) => aurc),
      12,
    );
    expect(tied.augrc).toBeCloseTo(
      mean(({ augrc }) => augrc),
      12,
    );
    expect(tied.curve.coverage).toEqual(Float64Array.of(0.2, 0.8, 1));
    expect(riskAtCoverage(tied, 0.4).coverage).toBe(0.8);
  });

  test('all right, all wrong, and an uncertainty that says nothing', () => {
    expect(riskCoverage([1, 2, 3], [0, 0, 0])).toMatchObject({ risk: 0, aurc: 0, eAurc: 0, augrc: 0 });
    expect(riskCoverage([1, 2, 3], [1, 1, 1])).toMatchObject({ risk: 1, aurc: 1, eAurc: 0 });
    expect(riskCoverage([5, 5, 5, 5], [0, 1, 0, 1]).aurc).toBeCloseTo(0.5, 14);
  });

  test('sparsification: the area between the curves is that of the areas', () => {
    const { u, e, aurc, oracleAurc } = reference.regression;
    const { removed, remaining, oracle, ause, relativeAuse } = sparsification(u, e, e.length);
    expect(ause).toBeCloseTo(aurc - oracleAurc, 12);
    const mean = (values: Float64Array): number => values.reduce((sum, each) => sum + each, 0) / values.length;
    expect(mean(remaining) - mean(oracle)).toBeCloseTo(ause, 12);
    expect(relativeAuse).toBeCloseTo(ause / mean(Float64Array.from(e)), 12);
    expect(removed[0]).toBe(0);
    expect(remaining[0]).toBeCloseTo(mean(Float64Array.from(e)), 12);
    for (const [i, left] of oracle.entries()) expect(left).toBeLessThanOrEqual((remaining[i] ?? 0) + 1e-12);
    expect(sparsification([1, 2], [0, 0], 2).relativeAuse).toBeNull();
  });

  test('refuses what it cannot rank', () => {
    expect(() => riskCoverage([], [])).toThrow('expected rows with errors from 0, got no rows');
    expect(() => riskCoverage([1, 2], [0, -1])).toThrow('got -1 at 1 - give 1 for wrong');
    expect(() => riskCoverage([1, Number.NaN], [0, 1])).toThrow('expected uncertainties that are finite, got NaN');
    expect(() => coverageAtRisk(riskCoverage([1], [0]), Number.NaN)).toThrow('expected a risk from 0, got NaN');
    expect(() => riskAtCoverage(riskCoverage([1], [0]), 0)).toThrow('expected a coverage in (0, 1], got 0');
    expect(() => riskAtCoverage(riskCoverage([1], [0]), 1.5)).toThrow('got 1.5');
    expect(() => sparsification([1], [0], 1)).toThrow('expected at least two points, got 1');
  });
});

describe('uncertaintyQuality', () => {
  /** Rows of which a quarter is wrong, with an uncertainty higher by `signal` standard deviations on these. */
  function simulated(seed: number, rows: number, signal: number): readonly [u: Float64Array, e: Float64Array] {
    const key = deriveKey(rootKey(55), seed);
    const e = uniforms(key, rows).map((u) => (u < 0.25 ? 1 : 0));
    return [normals(key, rows).map((z, i) => z + signal * (e[i] ?? 0)), e];
  }

  test('verdicts', () => {
    expect(uncertaintyQuality(...simulated(1, 400, 1.5))).toMatchObject({ verdict: 'useful', count: 400 });
    expect(uncertaintyQuality(...simulated(2, 2000, 0.3)).verdict).toBe('weak');
    expect(uncertaintyQuality(...simulated(3, 400, -0.5)).verdict).toBe('no better than chance');
    expect(uncertaintyQuality(...simulated(4, 30, 2)).verdict).toBe('not enough data');
    const { u, e } = reference.regression;
    expect(uncertaintyQuality(u, e)).toMatchObject({ verdict: 'useful', auroc: null, wrong: 70 });
    const perfect = uncertaintyQuality([1, 2, 3, 4], [0, 0, 0, 0], { resamples: 100 });
    expect(perfect).toMatchObject({
      verdict: 'not enough data',
      auroc: null,
      spearman: { value: 0, lower: 0 },
      wrong: 0,
    });
  });

  test('rank statistics of drawn rows are those of the rows written out', () => {
    const [u, e] = simulated(5, 50, 1);
    const coarse = u.map(Math.round);
    const rows = Uint32Array.from({ length: 50 }, (_, i) => (i * i + 3 * i) % 50);
    const ranks = rankStatistics(coarse, e);
    const drawn = (values: Float64Array): Float64Array => Float64Array.from(rows, (row) => values[row] ?? 0);
    expect(ranks.spearman(rows)).toBeCloseTo(spearman(drawn(coarse), drawn(e)), 12);
    expect(ranks.auroc(rows)).toBeCloseTo(rocAuc(drawn(coarse), drawn(e)), 12);
    expect(ranks.auroc(Uint32Array.of(0, 0))).toBe(0.5);
  });

  test('an uncertainty that knows nothing has a bound above 0 in 5 % of the cases', () => {
    const runs = 200;
    let alarms = 0;
    for (let run = 0; run < runs; run++) {
      const [u, e] = simulated(1000 + run, 200, 0);
      if (uncertaintyQuality(u, e, { key: deriveKey(rootKey(56), run), resamples: 200 }).spearman.lower > 0) alarms++;
    }
    // Left once in 10,000 seeds at 5.5 %, which 200 resamples of 200 rows have.
    const [least, most] = binomialInterval(runs, 0.055, 2e-4);
    expect(alarms).toBeGreaterThanOrEqual(least);
    expect(alarms).toBeLessThanOrEqual(most);
  });

  test('the lower bound of the correlation holds the true one in 95 % of the cases', () => {
    const runs = 120;
    const [u, e] = simulated(7, 50_000, 1);
    const truth = spearman(u, e);
    let held = 0;
    for (let run = 0; run < runs; run++) {
      const [few, errors] = simulated(2000 + run, 300, 1);
      if (uncertaintyQuality(few, errors, { key: deriveKey(rootKey(57), run), resamples: 200 }).spearman.lower <= truth)
        held++;
    }
    const [least, most] = binomialInterval(runs, 0.95, 2e-4);
    expect(held).toBeGreaterThanOrEqual(least);
    expect(held).toBeLessThanOrEqual(most);
  });

  test('compareUncertainties finds the better of two', () => {
    const [good, e] = simulated(8, 500, 2);
    const [poor] = simulated(8, 500, 0.2);
    const noise = normals(rootKey(58), 500);
    expect(compareUncertainties(good, poor, e, { resamples: 300 })).toMatchObject({ verdict: 'better' });
    expect(compareUncertainties(poor, good, e, { resamples: 300 }).verdict).toBe('worse');
    const close = compareUncertainties(
      good.map((u, i) => u + 0.01 * (noise[i] ?? 0)),
      good,
      e,
      { resamples: 300 },
    );
    expect(close.verdict).toBe('non-inferior');
    expect(() => compareUncertainties(good, [1], e)).toThrow('pair them');
  });

  test('refuses options out of range', () => {
    expect(() => uncertaintyQuality([1, 2], [0, 1], { level: 1 })).toThrow('expected a level in (0.5, 1)');
    expect(() => uncertaintyQuality([1, 2], [0, 1], { target: 0.3 })).toThrow('a target in [0.5, 1]');
    expect(() => uncertaintyQuality([1], [0])).toThrow('expected at least two rows, got 1');
  });
});

describe('qualityByPasses', () => {
  /** Passes whose logits spread more on the rows that are wrong. */
  function samples(passes: number, rows: number) {
    const spread = normals(rootKey(60), passes * rows * 3);
    const noise = fromTypedArray(spread, [passes, rows, 3]);
    const hard = fromTypedArray(
      Float64Array.from({ length: rows }, (_, i) => (i % 3 === 0 ? 2 : 0.5)),
      [1, rows, 1],
    );
    const base = fromTypedArray(Float64Array.of(2, 0, 0));
    return noise.mul(hard).add(base).softmax(-1);
  }
  const targets = (rows: number): number[] => Array.from({ length: rows }, (_, i) => (i % 3 === 0 ? 1 : 0));

  test('halves the passes down to two, and says whether the last doubling still helped', () => {
    scope(() => {
      const few = qualityByPasses(samples(4, 300), targets(300));
      expect(few.points.map(({ passes }) => passes)).toEqual([2, 4]);
      expect(few.tooFewPasses).toBe(true);
      const many = qualityByPasses(samples(64, 300), targets(300));
      expect(many.points.map(({ passes }) => passes)).toEqual([2, 4, 8, 16, 32, 64]);
      expect(many.tooFewPasses).toBe(false);
      expect(many.points[5]?.spearman).toBeGreaterThan(many.points[0]?.spearman ?? 1);
    });
  });

  test('repeated passes add nothing; frees what it makes; refuses three passes', () => {
    const before = stats();
    scope(() => {
      const two = samples(2, 90);
      const { points, tooFewPasses } = qualityByPasses(cat([two, two]), targets(90), 'predictiveEntropy');
      expect(points[0]?.spearman).toBeCloseTo(points[1]?.spearman ?? 0, 12);
      expect(tooFewPasses).toBe(false);
      expect(() => qualityByPasses(samples(3, 4), targets(4))).toThrow('at least four passes, got [3, 4, 3]');
      expect(() => qualityByPasses(samples(4, 4), targets(3))).toThrow('got 4 and 3 - pair them');
    });
    expect(stats()).toEqual(before);
  });
});
