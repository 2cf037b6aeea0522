import { readFileSync } from 'node:fs';
import { fromTypedArray, scope } from '@shallows/torch';
import { describe, expect, test } from 'vitest';
import { mase, RegressionErrors } from './index.js';

const reference = JSON.parse(readFileSync(new URL('fixtures/regression.json', import.meta.url), 'utf8'));
const measures = ['mse', 'rmse', 'mae', 'r2', 'smape'] as const;

function measured(guess: number[] | number[][], target: number[] | number[][], outputs = 1): RegressionErrors {
  const errors = new RegressionErrors(outputs);
  errors.add(guess, target);
  return errors;
}

describe('RegressionErrors', () => {
  test.each([
    ['one', 1],
    ['two', 3],
  ] as const)('agrees with scikit-learn and torchmetrics: %s', (name, outputs) => {
    const { guess, target, ...expected } = reference[name];
    const found = measured(guess, target, outputs).result();
    for (const measure of measures) {
      // torchmetrics' sMAPE is stored in float64, its sum in float32 order.
      expect(found[measure], measure).toBeAllclose(expected[measure], {
        rtol: measure === 'smape' ? 1e-7 : 1e-9,
        atol: 0,
      });
    }
    expect(found.mape).toBeAllclose(expected.mape, { rtol: 1e-9 });
    expect(found.mape).toBeAllclose(expected.torchmetricsMape, { rtol: 1e-6 });
    expect(found.mapeSkipped).toBe(0);
  });

  test('a target of 0 is left out of the MAPE and counted; scikit-learn divides it by 2e-16', () => {
    const { guess, target, mape, mapeOfOthers, smape } = reference.zeros;
    const found = measured(guess, target).result();
    expect(found.mape).toBeCloseTo(mapeOfOthers, 12);
    expect(found.mapeSkipped).toBe(5);
    expect(mape).toBeGreaterThan(1e14);
    // Zero against zero is no error in sMAPE, zero against another number the largest one.
    expect(found.smape).toBeCloseTo(smape, 6);
    expect(measured([0, 0], [0, 2]).result().smape).toBe(1);
  });

  test('parts merge, also through JSON, to the whole', () => {
    const { guess, target } = reference.two;
    const whole = measured(guess, target, 3).result();
    const merged = new RegressionErrors(3);
    for (const [start, end] of [
      [0, 7],
      [7, 8],
      [8, 40],
    ]) {
      const part = measured(guess.slice(start, end), target.slice(start, end), 3);
      merged.merge(RegressionErrors.fromJSON(JSON.parse(JSON.stringify(part))));
    }
    merged.merge(new RegressionErrors(3));
    const found = merged.result();
    for (const measure of [...measures, 'mape', 'bias'] as const) {
      expect(found[measure], measure).toBeAllclose(whole[measure] ?? Number.NaN, { rtol: 1e-11 });
    }
    expect(found.count).toBe(40);
  });

  test('takes tensors of one and of several outputs', () => {
    scope(() => {
      const errors = new RegressionErrors(2);
      errors.add(
        fromTypedArray(Float32Array.of(1, 2, 3, 4), [2, 2]),
        fromTypedArray(Float32Array.of(0, 2, 4, 6), [2, 2]),
      );
      expect(errors.result()).toMatchObject({ count: 2, mae: 1, mse: 1.5, bias: -0.5 });
      const single = new RegressionErrors();
      single.add(fromTypedArray(Float32Array.of(1, 2)), [0, 0]);
      expect(single.result()).toMatchObject({ mae: 1.5, r2: null, mape: null, mapeSkipped: 2 });
    });
  });

  test('R² is negative for a model worse than the mean', () => {
    expect(measured([3, 1], [1, 3]).result().r2).toBe(-3);
  });

  test('refuses what it cannot measure', () => {
    expect(() => new RegressionErrors().result()).toThrow('expected at least one row, got none');
    expect(() => new RegressionErrors(0)).toThrow('expected at least one output, got 0');
    expect(() => measured([[1, 2]], [[1, 2]])).toThrow('expected predictions with 1 numbers a row, got 2');
    expect(() => measured([1, 2], [1])).toThrow('got 2 and 1 rows - pair them');
    expect(() => measured([Number.NaN], [1])).toThrow('expected predictions that are finite, got NaN at 0');
    expect(() => new RegressionErrors(2).merge(new RegressionErrors(1))).toThrow('expected 2 outputs to merge, got 1');
    expect(() => RegressionErrors.fromJSON({ error: ['a'] })).toThrow('expected finite numbers for error');
  });
});

describe('mase', () => {
  const { history, target, guess, mase: expected } = reference.seasonal;

  test('is the error in units of the naive forecast, plain and seasonal', () => {
    expect(mase(guess, target, { history })).toBeCloseTo(expected[1], 12);
    expect(mase(guess, target, { history, season: 6 })).toBeCloseTo(expected[6], 12);
    expect(mase([1, 0], [2, 0], { history: [0, 1, 3] })).toBe(1 / 3);
  });

  test('refuses a history without a unit', () => {
    expect(() => mase([1], [1], { history: [2, 2, 2] })).toThrow('expected a history that changes');
    expect(() => mase([1], [1], { history: [2, 3], season: 2 })).toThrow('a history longer than a season');
    expect(() => mase([], [], { history: [1, 2] })).toThrow('got 0, 2 and 1');
    expect(() => mase([1, 2], [1], { history: [1, 2] })).toThrow('got 2 and 1 - pair them');
  });
});
