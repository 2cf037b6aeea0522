import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { binomialInterval } from '../../depth/index.js';
import { deriveKey, type Key, normals, rootKey, uniforms } from '../../random/index.js';
import { rocAuc } from '../classification/index.js';
import { compareMeasure, comparePaired, mcnemar, signTest } from './index.js';

const reference: {
  readonly counts: readonly [above: number, below: number, exact: number, midP: number][];
  readonly difference: number[];
  readonly percentile: number[];
  readonly bca: number[];
} = JSON.parse(readFileSync(new URL('fixtures/comparison.json', import.meta.url), 'utf8'));

/** Outcomes on `rows` rows of which some speak for the candidate and some for the baseline. */
function outcomes(above: number, below: number, ties: number): readonly [candidate: number[], baseline: number[]] {
  const one = (count: number, value: number): number[] => Array<number>(count).fill(value);
  return [
    [...one(above, 1), ...one(below, 0), ...one(ties, 1)],
    [...one(above, 0), ...one(below, 1), ...one(ties, 1)],
  ];
}

describe('paired tests', () => {
  test.each(reference.counts)('%s against %s rows: exact and mid-p as SciPy has them', (above, below, exact, midP) => {
    const found = mcnemar(...outcomes(above, below, 7));
    expect(found).toMatchObject({ forCandidate: above, forBaseline: below, ties: 7 });
    expect(found.pValue).toBeAllclose(exact, { rtol: 1e-9 });
    expect(found.midP).toBeAllclose(midP, { rtol: 1e-9 });
    const differences = [...Array<number>(above).fill(0.3), ...Array<number>(below).fill(-2), 0];
    expect(signTest(differences)).toMatchObject({ pValue: found.pValue, midP: found.midP, ties: 1 });
  });

  test('nothing to tell apart', () => {
    expect(mcnemar([1, 0], [1, 0])).toEqual({ forCandidate: 0, forBaseline: 0, ties: 2, pValue: 1, midP: 1 });
    expect(() => mcnemar([1, 2], [1, 0])).toThrow('mcnemar: expected outcomes of 0 and 1, got 2 at 1');
    expect(() => mcnemar([1], [1, 0])).toThrow('mcnemar: expected one of each a row, got 1 and 2');
  });
});

describe('comparePaired', () => {
  test("bounds agree with SciPy's bootstrap of 200,000 resamples", () => {
    const { difference, percentile, bca } = reference;
    const found = comparePaired(
      difference,
      difference.map(() => 0),
      { resamples: 20_000 },
    );
    // A bound from 20,000 resamples is known to about 0.003 here.
    expect([...found.percentile]).toBeAllclose(percentile, { rtol: 0, atol: 0.012 });
    expect([...found.bca]).toBeAllclose(bca, { rtol: 0, atol: 0.012 });
    expect(found.bca[1]).toBeGreaterThan(found.percentile[1]);
    expect(found.mcnemar).toBeNull();
  });

  const judge = (above: number, below: number, ties: number, options = {}) =>
    comparePaired(...outcomes(above, below, ties), { resamples: 500, ...options });

  test('verdicts: better, non-inferior, worse, not enough data', () => {
    expect(judge(60, 20, 920)).toMatchObject({ verdict: 'better', difference: 0.04, candidate: 0.98, baseline: 0.94 });
    expect(judge(25, 25, 5000).verdict).toBe('non-inferior');
    expect(judge(20, 60, 920).verdict).toBe('worse');
    expect(judge(25, 25, 450).verdict).toBe('not enough data');
    expect(judge(25, 25, 450, { margin: 0.05 }).verdict).toBe('non-inferior');
    expect(judge(60, 20, 920).mcnemar?.pValue).toBeLessThan(1e-4);
  });

  test('twenty rows without a difference prove nothing; ten thousand do', () => {
    // No loss in 20 rows is compatible with one in seven (Clopper and Pearson at 95 %).
    expect(judge(0, 0, 20).verdict).toBe('not enough data');
    expect(judge(0, 0, 20).bca[0]).toBeCloseTo(-(1 - 0.05 ** (1 / 20)), 9);
    expect(judge(0, 0, 10_000).verdict).toBe('non-inferior');
    // A loss that is the same on every row comes from the same model.
    expect(comparePaired([0.3, 0.7], [0.3, 0.7]).verdict).toBe('non-inferior');
    // Three wins and no loss would have a bootstrap bound of 0 or above.
    expect(judge(3, 0, 27).verdict).toBe('not enough data');
  });

  test('where lower is better the signs turn over', () => {
    const losses = normals(rootKey(1), 300).map(Math.abs);
    const lower = losses.map((loss) => loss - 0.1);
    const found = comparePaired(lower, losses, { better: 'lower' });
    expect(found.difference).toBeCloseTo(0.1, 12);
    expect(found.verdict).toBe('better');
    expect(found.signs).toMatchObject({ forCandidate: 300, forBaseline: 0 });
    expect(comparePaired(lower, losses).verdict).toBe('worse');
    const [candidate, baseline] = outcomes(60, 20, 920);
    expect(comparePaired(candidate, baseline, { better: 'lower' })).toMatchObject({
      verdict: 'worse',
      mcnemar: { forCandidate: 20, forBaseline: 60 },
    });
  });

  test('more candidates on the same rows need wider bounds', () => {
    const one = judge(40, 25, 935);
    const twenty = judge(40, 25, 935, { comparisons: 20 });
    expect(twenty.level).toBeCloseTo(0.9975, 12);
    expect(twenty.bca[0]).toBeLessThan(one.bca[0]);
    expect(twenty.bca[1]).toBeGreaterThan(one.bca[1]);
  });

  test('refuses what it cannot compare', () => {
    expect(() => comparePaired([1], [1, 0])).toThrow('got 1 and 2 - pair them');
    expect(() => comparePaired([1], [0])).toThrow('expected at least two rows, got 1');
    expect(() => comparePaired([1, 0], [0, 0], { margin: -1 })).toThrow('a margin from 0');
    expect(() => comparePaired([1, 0], [0, 0], { level: 0.4 })).toThrow('a level in (0.5, 1)');
    expect(() => comparePaired([1, 0], [0, 0], { comparisons: 0 })).toThrow('comparisons from 1');
  });
});

describe('error rates', () => {
  const share = (key: Key, rows: number, p: number): Uint8Array =>
    Uint8Array.from(uniforms(key, rows), (u) => (u < p ? 1 : 0));

  // A candidate as good as the baseline is called better in 5 % of the cases (one-sided), one that is 5 % worse is called
  // non-inferior at a margin of 5 % as often. Each bound below is left once in 10,000 seeds at 6 %.
  test('an equal candidate is called better, and one at the margin non-inferior, about as often as the level says', () => {
    const runs = 150;
    let [better, passed] = [0, 0];
    for (let run = 0; run < runs; run++) {
      const key = deriveKey(rootKey(31), run);
      const base = share(deriveKey(key, 'base'), 400, 0.8);
      const equal = share(deriveKey(key, 'equal'), 400, 0.8);
      const worse = share(deriveKey(key, 'worse'), 400, 0.75);
      if (comparePaired(equal, base, { key, resamples: 300 }).verdict === 'better') better++;
      const { verdict } = comparePaired(worse, base, { key, resamples: 300, margin: 0.05 });
      if (verdict === 'better' || verdict === 'non-inferior') passed++;
    }
    const [least, most] = binomialInterval(runs, 0.06, 2e-4);
    for (const alarms of [better, passed]) {
      expect(alarms).toBeGreaterThanOrEqual(least);
      expect(alarms).toBeLessThanOrEqual(most);
    }
  });
});

test('compareMeasure draws rows for a measure that no row has of its own', () => {
  const labels = uniforms(rootKey(2), 300).map((u) => (u < 0.4 ? 1 : 0));
  const noise = normals(rootKey(3), 600);
  const good = labels.map((label, i) => 2 * label + (noise[i] ?? 0));
  const poor = labels.map((label, i) => 0.5 * label + (noise[300 + i] ?? 0));
  const auc = (scores: Float64Array) => (rows: Uint32Array) =>
    rocAuc(
      Float64Array.from(rows, (row) => scores[row] ?? 0),
      Float64Array.from(rows, (row) => labels[row] ?? 0),
    );
  const found = compareMeasure(300, auc(good), auc(poor), { resamples: 200 });
  expect(found).toMatchObject({
    verdict: 'better',
    count: 300,
    candidate: rocAuc(good, labels),
    baseline: rocAuc(poor, labels),
  });
  expect(found.difference).toBeCloseTo(found.candidate - found.baseline, 12);
  expect(compareMeasure(300, auc(good), auc(good), { resamples: 200 })).toMatchObject({
    difference: 0,
    verdict: 'non-inferior',
  });
});
