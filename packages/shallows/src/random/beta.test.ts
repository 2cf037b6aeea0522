import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ShallowsError } from '../errors.js';
import { beta, deriveKey, gamma, rootKey } from './index.js';

interface Reference {
  readonly gamma: readonly { readonly shape: number; readonly borders: readonly number[] }[];
  readonly beta: readonly { readonly shapes: readonly [number, number]; readonly borders: readonly number[] }[];
}
const reference: Reference = JSON.parse(readFileSync(new URL('fixtures/beta.json', import.meta.url), 'utf8'));

const N = 10_000;
const root = rootKey(2026);
// P(χ² > 33.72) = 1e-4 at 9 degrees of freedom: 13 tests of a right sampler fail with probability 0.0013, for other seeds.
const MOST = 33.72;

function chiSquare(draw: (i: number) => number, borders: readonly number[]): number {
  const bins = new Array<number>(borders.length + 1).fill(0);
  for (let i = 0; i < N; i++) {
    const value = draw(i);
    const bin = borders.findIndex((border) => value < border);
    const at = bin < 0 ? borders.length : bin;
    bins[at] = (bins[at] ?? 0) + 1;
  }
  const expected = N / bins.length;
  return bins.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

describe("SciPy's distributions (fixtures/beta.py)", () => {
  test.each(reference.gamma)('gamma $shape', ({ shape, borders }) => {
    const key = deriveKey(root, 'gamma', String(shape));
    expect(chiSquare((i) => gamma(deriveKey(key, i), shape), borders)).toBeLessThan(MOST);
  });

  test.each(reference.beta)('beta $shapes', ({ shapes: [a, b], borders }) => {
    const key = deriveKey(root, 'beta', `${a} ${b}`);
    expect(chiSquare((i) => beta(deriveKey(key, i), a, b), borders)).toBeLessThan(MOST);
  });
});

test('draws are functions of the key, and never NaN, however small the shapes', () => {
  for (let i = 0; i < 200; i++) {
    const key = deriveKey(root, 'small', i);
    const value = beta(key, 1e-4, 1e-4);
    expect(value).toBe(beta(key, 1e-4, 1e-4));
    expect(value >= 0 && value <= 1).toBe(true);
  }
});

test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('refuses the shape %s', (shape) => {
  for (const draw of [() => gamma(root, shape), () => beta(root, shape, 1), () => beta(root, 1, shape)]) {
    expect(draw).toThrow(ShallowsError);
    expect(draw).toThrow('expected a shape above 0');
  }
});
