import { readFileSync } from 'node:fs';
import { fromTypedArray, scope, setNumThreads, type Tensor, tensor } from '@shallows/torch';
import { beforeAll, describe, expect, test } from 'vitest';
import { binomialInterval } from '../../depth/index.js';
import { deriveKey, type Key, normals, rootKey, uniforms } from '../../random/index.js';
import {
  applyTemperature,
  CalibrationBins,
  type CalibrationReport,
  type Confidences,
  classwiseCalibration,
  equalMassCalibration,
  fitTemperature,
  ProbabilityScores,
  temperatureFromJSON,
  topLabel,
} from './index.js';

const CLASSES = 4;

interface Simulated {
  readonly logits: Float64Array;
  readonly probabilities: { readonly values: Float64Array; readonly rows: number; readonly columns: number };
  readonly targets: Int32Array;
}

/** Logits 2 · N(0, 1) of four classes whose labels come from softmax(logits / temperature). */
function simulate(key: Key, rows: number, temperature: number): Simulated {
  const logits = normals(deriveKey(key, 'logits'), rows * CLASSES).map((z) => 2 * z);
  const values = logits.map(Math.exp);
  const draws = uniforms(deriveKey(key, 'labels'), rows);
  const targets = new Int32Array(rows);
  for (let row = 0; row < rows; row++) {
    const own = logits.subarray(row * CLASSES, (row + 1) * CLASSES);
    const odds = own.map((z) => Math.exp(z / temperature));
    let left = (draws[row] ?? 0) * odds.reduce((sum, each) => sum + each, 0);
    targets[row] = Math.max(
      0,
      odds.findIndex((each) => (left -= each) < 0),
    );
    const p = values.subarray(row * CLASSES, (row + 1) * CLASSES);
    const sum = p.reduce((total, each) => total + each, 0);
    for (let c = 0; c < CLASSES; c++) p[c] = (p[c] ?? 0) / sum;
  }
  return { logits, probabilities: { values, rows, columns: CLASSES }, targets };
}

/** Confidences in [¼, 1) that are right as often as they say. */
function honest(key: Key, rows: number): Confidences {
  const confidence = uniforms(deriveKey(key, 'confidence'), rows).map((u) => 0.25 + 0.75 * Math.sqrt(u));
  const draws = uniforms(deriveKey(key, 'right'), rows);
  return { confidence, correct: Uint8Array.from(confidence, (p, i) => ((draws[i] ?? 1) < p ? 1 : 0)) };
}

function tempered(key: Key, rows: number, temperature = 1): Confidences {
  const { probabilities, targets } = simulate(key, rows, temperature);
  return topLabel(probabilities, targets);
}

function equalWidth({ confidence, correct }: Confidences, key: Key): CalibrationReport {
  const bins = new CalibrationBins();
  bins.addConfidences(confidence, correct);
  return bins.result({ key, resamples: 400 });
}

function equalMass({ confidence, correct }: Confidences, key: Key): CalibrationReport {
  return equalMassCalibration(confidence, correct, { key, resamples: 400 });
}

beforeAll(() => setNumThreads(1));

describe('verdicts', () => {
  // A model called calibrated in 95 % of the cases leaves any one of these bounds once in 10,000 seeds.
  test.each([
    ['equal width', equalWidth],
    ['equal mass', equalMass],
  ] as const)(
    '%s: of perfect models with 200, 1000 and 10 000 rows, 95 in 100 are called calibrated',
    (name, judge) => {
      const [runs, calibrated] = [
        [250, 150, 80],
        [0, 0, 0],
      ];
      for (const [size, rows] of [200, 1000, 10_000].entries()) {
        for (let run = 0; run < (runs[size] ?? 0); run++) {
          const key = deriveKey(rootKey(101), name, rows, run);
          const { verdict } = judge(rows < 10_000 ? tempered(key, rows) : honest(key, rows), key);
          if (verdict === 'calibrated') calibrated[size] = (calibrated[size] ?? 0) + 1;
        }
      }
      const total = (counts: readonly number[]): number => counts.reduce((sum, each) => sum + each, 0);
      const counted = [...runs.map((each, size) => [each, calibrated[size]]), [total(runs), total(calibrated)]];
      for (const [of = 0, found = 0] of counted) {
        const [least, most] = binomialInterval(of, 0.95, 2e-4);
        expect(found).toBeGreaterThanOrEqual(least);
        expect(found).toBeLessThanOrEqual(most);
      }
    },
  );

  // The expected calibration error is then about 0.08 beside a chance of 0.02 ± 0.004 each seed.
  test.each([1.5, 1 / 1.5])(
    'a model whose logits should be divided by %s is caught at 2000 rows, every time',
    (temperature) => {
      for (let run = 0; run < 15; run++) {
        const key = deriveKey(rootKey(102), run);
        expect(equalMass(tempered(key, 2000, temperature), key).verdict).toBe('miscalibrated');
      }
    },
  );

  test('chance is what perfect models show on average, and the corrected error of an imperfect one is near the true one', () => {
    const of = (temperature: number, rows: number) =>
      Array.from({ length: 60 }, (_, run) => {
        const key = deriveKey(rootKey(103), rows, run);
        return equalWidth(tempered(key, rows, temperature), key).ece;
      });
    const mean = (values: number[]): number => values.reduce((sum, each) => sum + each, 0) / values.length;
    const perfect = of(1, 500);
    const [value, chance] = [mean(perfect.map((each) => each.value)), mean(perfect.map((each) => each.chance))];
    // The mean of 60 errors is known to 2.5 %.
    expect(Math.abs(value / chance - 1)).toBeLessThan(0.1);
    const truth = equalWidth(tempered(rootKey(104), 100_000, 1.5), rootKey(104)).ece.value;
    const few = of(1.5, 500);
    // It is known to 0.003; the value itself is 0.011 above the truth.
    expect(Math.abs(mean(few.map(({ corrected }) => corrected)) - truth)).toBeLessThan(0.008);
    expect(mean(perfect.map(({ corrected }) => corrected))).toBeLessThan(value / 2);
  });

  test('the z-scores of perfect models are standard normal, classwise errors are at most as often called wrong', () => {
    const runs = 200;
    let [nll, brier, classwise] = [0, 0, 0];
    for (let run = 0; run < runs; run++) {
      const key = deriveKey(rootKey(105), run);
      const { probabilities, targets } = simulate(key, 300, 1);
      const scores = new ProbabilityScores();
      scores.add(probabilities, targets);
      const found = scores.result();
      if ((found.nll.pValue ?? 1) < 0.05) nll++;
      if ((found.brier.pValue ?? 1) < 0.05) brier++;
      if (classwiseCalibration(probabilities, targets, { key, resamples: 100 }).pValue < 0.05) classwise++;
    }
    const [least, most] = binomialInterval(runs, 0.05, 2e-4);
    for (const alarms of [nll, brier, classwise]) {
      expect(alarms).toBeGreaterThanOrEqual(least);
      expect(alarms).toBeLessThanOrEqual(most);
    }
  });
});

describe('temperature scaling', () => {
  interface Case extends Readonly<Record<'temperature' | 'standardError' | 'before' | 'after' | 'pValue', number>> {
    readonly logits: number[][];
    readonly target: number[];
  }
  const reference: { readonly temperature: readonly Case[] } = JSON.parse(
    readFileSync(new URL('fixtures/calibration.json', import.meta.url), 'utf8'),
  );

  test.each(reference.temperature)('agrees with SciPy to 1e-9, case %#', ({ logits, target, ...expected }) => {
    const fit = fitTemperature(logits, target);
    expect(fit.refusal).toBeNull();
    expect(fit.temperature).toBeAllclose(expected.temperature, { rtol: 1e-9 });
    expect(fit.standardError).toBeAllclose(expected.standardError, { rtol: 1e-8 });
    expect(fit.nll?.before).toBeAllclose(expected.before, { rtol: 1e-10 });
    expect(fit.nll?.after).toBeAllclose(expected.after, { rtol: 1e-10 });
    expect(fit.pValue).toBeAllclose(expected.pValue, { rtol: 1e-6, atol: 0 });
    expect(fit.heldOut?.after).toBeLessThan(fit.heldOut?.before ?? 0);
  });

  // The standard error at 40,000 rows is 0.68 %, so 2 % is three of them: once in 300 seeds.
  test('recovers 0.3, 1, 3 and 10 within 2 %', () => {
    const { logits, targets } = simulate(rootKey(106), 40_000, 1);
    for (const temperature of [0.3, 1, 3, 10]) {
      // Labels come from softmax(logits): a model that gives `temperature` times the logits is to be divided by it.
      scope(() => {
        const given = fromTypedArray(logits, [40_000, CLASSES]).mul(temperature);
        const { estimate, refusal, standardError } = fitTemperature(given, targets);
        expect(Math.abs((estimate ?? 0) / temperature - 1)).toBeLessThan(0.02);
        expect((standardError ?? 1) / temperature).toBeCloseTo(0.0068, 4);
        if (temperature !== 1) expect(refusal).toBeNull();
      });
    }
  });

  test('its standard error is how far estimates spread', () => {
    const fits = Array.from({ length: 60 }, (_, run) => {
      const { logits, targets } = simulate(deriveKey(rootKey(107), run), 400, 2);
      return scope(() => fitTemperature(fromTypedArray(logits, [400, CLASSES]), targets));
    });
    const mean = (values: number[]): number => values.reduce((sum, each) => sum + each, 0) / values.length;
    const estimates = fits.map(({ estimate }) => estimate ?? 0);
    const spread = Math.sqrt(mean(estimates.map((each) => (each - mean(estimates)) ** 2)));
    // 60 estimates know their spread to 9 %.
    expect(mean(fits.map(({ standardError }) => standardError ?? 0)) / spread).toBeGreaterThan(0.65);
    expect(mean(fits.map(({ standardError }) => standardError ?? 0)) / spread).toBeLessThan(1.5);
  });

  test('refuses where the answer would not hold', () => {
    const { probabilities, logits, targets } = simulate(rootKey(108), 300, 1);
    const table = { ...probabilities, values: logits };
    expect(
      fitTemperature({ values: logits.slice(0, 99 * CLASSES), rows: 99, columns: CLASSES }, targets.slice(0, 99)),
    ).toEqual({
      temperature: 1,
      refusal: 'too few rows',
      estimate: null,
      standardError: null,
      pValue: null,
      nll: null,
      heldOut: null,
      count: 99,
    });
    const best = topLabel(probabilities, targets);
    const top = targets.map((_, row) => {
      const own = logits.subarray(row * CLASSES, (row + 1) * CLASSES);
      return own.indexOf(Math.max(...own));
    });
    expect(best.correct.includes(0)).toBe(true);
    expect(fitTemperature(table, top).refusal).toBe('all right');
    expect(
      fitTemperature(
        table,
        top.map((c) => (c + 1) % CLASSES),
      ).refusal,
    ).toBe('all wrong');
    // Right exactly where the other class is ahead by more: the less the model says, the better.
    const upside = Float64Array.from({ length: 400 }, (_, i) => (i % 2 === 0 ? 0 : i % 4 === 1 ? 1 : 3));
    const labels = Array.from({ length: 200 }, (_, i) => (i % 2 === 0 ? 1 : 0));
    const wrongWay = fitTemperature({ values: upside, rows: 200, columns: 2 }, labels);
    expect(wrongWay).toMatchObject({ temperature: 1, refusal: 'at a bound', estimate: null });
  });

  test('refuses a gain that rows held out do not show: of calibrated models about half', () => {
    const runs = 40;
    const fits = Array.from({ length: runs }, (_, run) => {
      const { logits, targets } = simulate(deriveKey(rootKey(109), run), 200, 1);
      return scope(() => fitTemperature(fromTypedArray(logits, [200, CLASSES]), targets));
    });
    const refused = fits.filter(({ refusal }) => refusal === 'no gain on held-out rows');
    expect(refused.length).toBeGreaterThan(runs / 5);
    for (const { temperature, estimate, heldOut } of refused) {
      expect(temperature).toBe(1);
      expect(estimate).not.toBe(1);
      expect(heldOut?.after).toBeGreaterThanOrEqual(heldOut?.before ?? 0);
    }
  });

  test('goes through JSON and onto logits of any shape and dtype', () => {
    const { logits, targets } = simulate(rootKey(110), 500, 2);
    scope(() => {
      const z: Tensor = fromTypedArray(logits, [500, CLASSES]).to('float32');
      const fit = fitTemperature(z, targets);
      const temperature = temperatureFromJSON(JSON.parse(JSON.stringify(fit)));
      expect(temperature).toBe(fit.temperature);
      const scaled = applyTemperature(z.reshape([5, 100, CLASSES]), fit);
      expect([scaled.dtype, scaled.shape]).toEqual(['float32', [5, 100, CLASSES]]);
      expect(scaled.reshape([500, CLASSES])).toBeAllclose(z.div(temperature));
      expect(() => applyTemperature(z, 0)).toThrow('expected a temperature above 0, got 0');
      expect(() => temperatureFromJSON({ temperature: 0 })).toThrow('expected a temperature above 0, got 0');
      expect(() => temperatureFromJSON({})).toThrow('expected a finite number from 0 for temperature, got undefined');
      expect(() => fitTemperature(tensor([[1, Number.NaN]]), [0])).toThrow('expected finite logits');
      expect(() => fitTemperature(tensor([1, 2]), [0])).toThrow('expected floating-point logits [N, C]');
      expect(() => fitTemperature(z, [0])).toThrow('got 500 and 1 - pair them');
      expect(() =>
        fitTemperature(
          z,
          targets.map(() => 4),
        ),
      ).toThrow('classes from 0 to 3, got 4');
    });
  });
});
