import { readFileSync } from 'node:fs';
import { scope, tensor } from '@shallows/torch';
import { describe, expect, test } from 'vitest';
import { rootKey } from '../../random/index.js';
import { cellOf } from './calibration-bins.js';
import {
  binaryProbabilities,
  brierScore,
  CalibrationBins,
  classwiseCalibration,
  equalMassCalibration,
  logLoss,
  ProbabilityScores,
  successCount,
  topLabel,
} from './index.js';
import { againstChance } from './null-distribution.js';

const reference = JSON.parse(readFileSync(new URL('fixtures/calibration.json', import.meta.url), 'utf8'));
const { multiclass, binary, edges } = reference;
const stored = (state: unknown): unknown => JSON.parse(JSON.stringify(state));

function softmax(rows: number[][]): number[][] {
  return rows.map((row) => {
    const powers = row.map((z) => Math.exp(z - Math.max(...row)));
    const sum = powers.reduce((a, b) => a + b);
    return powers.map((power) => power / sum);
  });
}

const probabilities = softmax(multiclass.logits);
const { confidence, correct } = topLabel(probabilities, multiclass.target);

describe('CalibrationBins', () => {
  const bins = new CalibrationBins();
  bins.add(probabilities, multiclass.target);
  const report = bins.result();

  test('agrees with torchmetrics on confidences inside the bins, to 1e-9', () => {
    expect(report.ece.value).toBeCloseTo(multiclass.errors.l1, 9);
    expect(report.rmsce.value).toBeCloseTo(multiclass.errors.l2, 9);
    expect(report.mce.value).toBeCloseTo(multiclass.errors.max, 9);
  });

  test('confidence 1 belongs to the last bin, where torchmetrics has a sixteenth', () => {
    const few = new CalibrationBins();
    few.add(edges.p, edges.target);
    // All eight rows are above 14/15: right 7/8, mean confidence 0.975.
    const { ece, mce, rmsce, bins: drawn } = few.result();
    for (const { value } of [ece, mce, rmsce]) expect(value).toBeCloseTo(0.1, 12);
    expect(drawn[14]).toMatchObject({ count: 8, accuracy: 0.875 });
    expect(edges.torchmetrics.l1).toBeCloseTo(0.15, 6);
    expect(edges.torchmetrics.max).toBeCloseTo(0.25, 6);
  });

  test('bins are (lo, hi], with 0 in the first and the bounds themselves below', () => {
    const counts = new CalibrationBins(5);
    counts.addConfidences([0, 0.2, 0.2000001, 0.4, 0.6, 0.8, 1], [0, 0, 0, 0, 1, 1, 1]);
    expect(counts.result().bins.map(({ count }) => count)).toEqual([2, 2, 1, 1, 1]);
    // Every bound i / n and the next double above it, for cells where n · (i / n) rounds up or down.
    for (const n of [15, 960, 49, 1000]) {
      for (let i = 1; i < n; i++) {
        expect(cellOf(i / n, n)).toBe(i - 1);
        expect(cellOf((i / n) * (1 + 2 ** -52), n)).toBe(i);
      }
      expect([cellOf(0, n), cellOf(5e-324, n), cellOf(1, n)]).toEqual([0, 0, n - 1]);
    }
  });

  test('two classes: the top label, where torchmetrics asks for the frequency of class 1', () => {
    const { p, y, torchmetrics } = reference.topLabel;
    const two = new CalibrationBins();
    two.add(binaryProbabilities(p), y);
    // Both rows are 0.9 sure and half are right: 0.4. Of p itself: (|0 − 0.1| + |0 − 0.9|) / 2 = 0.5.
    expect(two.result().ece.value).toBeCloseTo(0.4, 12);
    expect(torchmetrics).toBeCloseTo(0.5, 6);
    const top = new CalibrationBins();
    top.add(binaryProbabilities(binary.p), binary.y);
    expect(top.result().ece.value).toBeCloseTo(binary.topLabel, 9);
    const positive = new CalibrationBins();
    positive.addConfidences(binary.p, binary.y);
    expect(positive.result().ece.value).toBeCloseTo(binary.positive, 9);
  });

  test('the reliability diagram adds up to the errors', () => {
    const filled = report.bins.filter(({ count }) => count > 0);
    const gap = (bin: (typeof filled)[number]): number => (bin.accuracy ?? 0) - bin.confidence;
    const sum = filled.reduce((total, bin) => total + (bin.count / 400) * Math.abs(gap(bin)), 0);
    expect(sum).toBeCloseTo(report.ece.value, 12);
    expect(report.accuracy - report.confidence).toBeCloseTo(report.ece.value - 2 * report.overconfidence, 12);
    for (const { from, to, confidence: mean, chance } of filled) {
      expect(mean).toBeGreaterThan(from);
      expect(mean).toBeLessThanOrEqual(to);
      expect(chance?.[0]).toBeLessThanOrEqual(mean);
      expect(chance?.[1]).toBeGreaterThanOrEqual(mean);
    }
    const empty = report.bins.find(({ count }) => count === 0);
    expect(empty).toMatchObject({
      accuracy: null,
      chance: null,
      confidence: ((empty?.from ?? 0) + (empty?.to ?? 0)) / 2,
    });
  });

  test('parts merge, also through JSON, to the whole; the same key gives the same verdict', () => {
    const [first, second] = [new CalibrationBins(), new CalibrationBins()];
    first.addConfidences(confidence.slice(0, 123), correct.slice(0, 123));
    second.addConfidences(confidence.slice(123), correct.slice(123));
    const merged = CalibrationBins.fromJSON(stored(second));
    merged.merge(CalibrationBins.fromJSON(stored(first)));
    const found = merged.result({ key: rootKey(4) });
    const whole = bins.result({ key: rootKey(4) });
    expect(found.ece.value).toBeCloseTo(whole.ece.value, 14);
    expect(found.pValue).toBe(whole.pValue);
    expect(found.verdict).toBe('miscalibrated');
    expect(JSON.stringify(merged).length).toBeLessThan(40_000);
  });

  test('few rows: a verdict only where it is sure', () => {
    const judge = (rows: number, p: number, right: number): string => {
      const few = new CalibrationBins();
      few.addConfidences(
        Array(rows).fill(p),
        Array.from({ length: rows }, (_, i) => i < right),
      );
      return few.result().verdict;
    };
    expect(judge(8, 0.6, 5)).toBe('not enough data');
    expect(judge(8, 0.95, 2)).toBe('miscalibrated');
    expect(judge(400, 0.6, 240)).toBe('calibrated');
    expect(judge(400, 0.6, 180)).toBe('miscalibrated');
  });

  test('refuses what are no confidences', () => {
    const empty = new CalibrationBins();
    expect(() => empty.result()).toThrow('expected at least one row, got none');
    expect(() => empty.addConfidences([1.5], [1])).toThrow(
      'expected confidences in [0, 1], got 1.5 at 0 - apply softmax',
    );
    expect(() => empty.addConfidences([0.5], [1, 0])).toThrow('got 1 and 2');
    expect(() => empty.add([[2, -1]], [0])).toThrow('got a least value of -1');
    expect(() => empty.add([[0.5], [0.5]], [0, 0])).toThrow('give 1 - p and p');
    expect(() => empty.merge(new CalibrationBins(3))).toThrow('expected 15 bins to merge, got 3');
    expect(() => new CalibrationBins(0)).toThrow('expected 1 to 10000 bins, got 0');
    expect(() => bins.result({ resamples: 3 })).toThrow('expected at least 100 resamples, got 3');
    expect(() => bins.result({ alpha: 1 })).toThrow('expected alpha in (0, 1)');
    expect(() => CalibrationBins.fromJSON({ bins: 2, cell: [999], count: [1], confidence: [1], correct: [1] })).toThrow(
      'expected cells from 0 to 127, got 999',
    );
  });
});

describe('equal mass and classwise', () => {
  test.each([15, 7, 1])('equal mass in %s bins agrees with NumPy', (bins) => {
    const found = equalMassCalibration(confidence, correct, { bins });
    expect(found.ece.value).toBeCloseTo(multiclass.equalMass[bins], 9);
    expect(found.bins.map(({ count }) => count)).toEqual(
      Array.from({ length: bins }, (_, b) => Math.floor(400 / bins) + (b < 400 % bins ? 1 : 0)),
    );
  });

  test('rows of equal confidence share a bin, so the order of the rows does not matter', () => {
    const p = [0.5, 0.5, 0.5, 0.5, 0.9, 0.9, 0.9, 0.95];
    const outcomes = [0, 1, 1, 0, 1, 1, 0, 1];
    const one = equalMassCalibration(p, outcomes, { bins: 4 });
    expect(one.bins.map(({ count }) => count)).toEqual([4, 3, 1]);
    expect(equalMassCalibration(p.toReversed(), outcomes.toReversed(), { bins: 4 })).toEqual(one);
    expect(equalMassCalibration([0.3], [1], { bins: 15 }).bins).toHaveLength(1);
    expect(() => equalMassCalibration([], [])).toThrow('expected at least one row');
    expect(() => equalMassCalibration([0.5], [1], { bins: 0 })).toThrow('expected at least one bin, got 0');
  });

  test('classwise is the mean of the calibration errors of the classes, as torchmetrics has them one by one', () => {
    const found = classwiseCalibration(probabilities, multiclass.target);
    expect([...found.classes]).toBeAllclose(multiclass.classwise, { rtol: 1e-9, atol: 1e-9 });
    const mean = (values: number[]): number => values.reduce((sum, each) => sum + each, 0) / values.length;
    expect(found.value).toBeCloseTo(mean(multiclass.classwise), 9);
    expect(found.pValue).toBeLessThan(0.05);
    expect(() => classwiseCalibration([], [])).toThrow('expected rows, at least one bin');
  });
});

describe('ProbabilityScores', () => {
  const scores = new ProbabilityScores();
  scores.add(probabilities, multiclass.target);
  const found = scores.result();

  test('agrees with scikit-learn and SciPy to 1e-9', () => {
    expect(found.nll.value).toBeCloseTo(multiclass.logLoss, 10);
    expect(found.brier.value).toBeCloseTo(multiclass.brier, 10);
    expect(found.nll.standardError).toBeCloseTo(multiclass.nllError, 10);
    expect(found.nll.z).toBeCloseTo(multiclass.nllZ, 8);
    expect(logLoss(probabilities, multiclass.target)).toBe(found.nll.value);
    expect(brierScore(probabilities, multiclass.target)).toBe(found.brier.value);
  });

  test("two classes: scikit-learn's Brier score is half, and the z-score is Spiegelhalter's", () => {
    const two = new ProbabilityScores();
    two.add(binaryProbabilities(binary.p), binary.y);
    const { brier, brierHalf, nll } = two.result();
    expect(brierHalf).toBeCloseTo(binary.brier, 12);
    expect(nll.value).toBeCloseTo(binary.logLoss, 10);
    expect(brier.z).toBeCloseTo(binary.z, 9);
  });

  test('a probability of 0 for the target costs -ln 1e-12, and no z-score without an uncertain row', () => {
    const sure = new ProbabilityScores();
    sure.add([[1, 0]], [1]);
    expect(sure.result().nll).toMatchObject({ value: -Math.log(1e-12), expected: 0, z: null, pValue: null });
    expect(sure.result().brier.value).toBe(2);
    const few = new ProbabilityScores();
    few.add([[0.9, 0.1]], [0]);
    expect(few.result().nll.z).not.toBeNull();
    expect(few.result().nll.pValue).toBeNull();
  });

  test('parts merge, also through JSON, to the whole', () => {
    const [first, second] = [new ProbabilityScores(), new ProbabilityScores()];
    first.add(probabilities.slice(0, 11), multiclass.target.slice(0, 11));
    second.add(probabilities.slice(11), multiclass.target.slice(11));
    const merged = ProbabilityScores.fromJSON(stored(first));
    merged.merge(second);
    expect(merged.result().nll.value).toBeCloseTo(found.nll.value, 13);
    expect(merged.result().brier.z).toBeCloseTo(found.brier.z ?? 0, 10);
    expect(() => new ProbabilityScores().result()).toThrow('got none');
    expect(() => ProbabilityScores.fromJSON({ count: 1 })).toThrow('expected a finite number for nll, got undefined');
  });
});

interface Counts {
  readonly trials: readonly [count: number, p: number][];
  readonly levels: readonly number[];
  readonly quantiles: readonly number[];
}
test.each(reference.successCounts as readonly Counts[])(
  'the number of successes is distributed as NumPy convolves it, case %#',
  ({ trials, levels, quantiles }) => {
    const counts = successCount(trials.map(([count, p]) => ({ count, p })));
    // Above a variance of 100 the corrected normal may be one off.
    const off = counts.variance > 100 ? 1 : 0;
    for (const [i, level] of levels.entries()) {
      if (level === 0) continue;
      expect(Math.abs(counts.quantile(level) - (quantiles[i] ?? 0)), `level ${level}`).toBeLessThanOrEqual(off);
    }
  },
);

test('an error is compared with its draws: mean, upper point, p-value with the error itself counted', () => {
  const found = againstChance(0.3, Float64Array.of(0.4, 0.1, 0.3, 0.2), 0.05);
  expect(found).toMatchObject({ value: 0.3, pValue: 3 / 5 });
  expect(found.chance).toBeCloseTo(0.25, 14);
  expect(found.chanceUpper).toBeCloseTo(0.385, 14);
  expect(found.corrected).toBeCloseTo(Math.sqrt(0.09 - 0.3 / 4), 14);
  expect(againstChance(0.1, Float64Array.of(0.4, 0.1), 0.05)).toMatchObject({ corrected: 0, pValue: 1 });
});

test('topLabel takes the first of equal probabilities and tensors of any dtype', () => {
  expect(topLabel([[0.5, 0.5]], [1])).toEqual({ confidence: Float64Array.of(0.5), correct: Uint8Array.of(0) });
  scope(() => {
    const { confidence: p } = topLabel(
      tensor([[3, 1]])
        .softmax(1)
        .to('bfloat16'),
      [0],
    );
    expect(p[0]).toBeCloseTo(0.88, 2);
  });
  expect(() => binaryProbabilities([1.2])).toThrow('expected probabilities in [0, 1], got 1.2 at 0 - apply a sigmoid');
});
