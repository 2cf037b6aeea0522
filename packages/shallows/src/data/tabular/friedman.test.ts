import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { deriveKey, rootKey } from '../../random/index.js';
import { friedman, friedmanTarget, generateFriedman } from './friedman.js';

const sklearn = JSON.parse(readFileSync(new URL('fixtures/encoding.json', import.meta.url), 'utf8')) as {
  readonly friedman: { readonly x: readonly (readonly number[])[]; readonly y: readonly number[] };
};
const key = deriveKey(rootKey(3), 'friedman');

test("targets are those of scikit-learn's make_friedman1", () => {
  const { x, y } = sklearn.friedman;
  expect(x.map((row) => friedmanTarget(row))).toBeAllclose(y, { rtol: 1e-12 });
});

test('features are uniform, noise is normal of the given deviation', () => {
  const count = 20_000;
  const { inputs, targets } = friedman({ key, count, noise: 2, features: 6 });
  const residuals = Array.from(targets, (y, i) => y - friedmanTarget(inputs.subarray(6 * i, 6 * i + 6)));
  const mean = residuals.reduce((sum, each) => sum + each, 0) / count;
  const variance = residuals.reduce((sum, each) => sum + each ** 2, 0) / count;
  // 5 standard errors: a false alarm in 1.7 million.
  expect(Math.abs(mean)).toBeLessThan((5 * 2) / Math.sqrt(count));
  expect(Math.abs(variance - 4)).toBeLessThan(5 * 4 * Math.sqrt(2 / count));
  const average = inputs.reduce((sum, each) => sum + each, 0) / inputs.length;
  expect(Math.abs(average - 0.5)).toBeLessThan(5 / Math.sqrt(12 * inputs.length));
  expect(Math.min(...inputs)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...inputs)).toBeLessThanOrEqual(1);
});

test('row i is a function of (key, i), and validation targets are exact', () => {
  const [few, many] = [10, 20].map((count) => friedman({ key, count }));
  expect(many?.inputs.subarray(0, 100)).toEqual(few?.inputs);
  expect(many?.targets.subarray(0, 10)).toEqual(few?.targets);
  using data = generateFriedman({ kind: 'friedman', train: 30, validation: 20, noise: 5, limit: { train: 12 } }, key);
  expect([data.train.size, data.validation.size]).toEqual([12, 20]);
  const { inputs, targets } = data.validation.batches({ batchSize: 20 }).at(0);
  const rows = Array.from(inputs.toArray(), Number);
  const exact = Array.from({ length: 20 }, (_, i) => friedmanTarget(rows.slice(10 * i, 10 * i + 10)));
  expect(targets).toBeAllclose(exact, { rtol: 1e-5 });
  expect(targets.shape).toEqual([20, 1]);
  inputs.dispose();
  targets.dispose();
  using other = generateFriedman({ kind: 'friedman', train: 30, validation: 20, noise: 5 }, key);
  expect(other.validation.digest).toBe(data.validation.digest);
  expect(other.train.digest).not.toBe(data.train.digest);
});

test.each([
  [{ count: 0 }, 'expected a whole number from 1 as count, got 0'],
  [{ features: 4 }, 'expected a whole number from 5 as features, got 4'],
  [{ noise: -1 }, 'expected a number from 0 as noise, got -1'],
  [{ noise: Number.NaN }, 'as noise, got NaN'],
])('refuses %j', (options, message) => {
  expect(() => friedman({ key, count: 5, ...options })).toThrow(message);
});
