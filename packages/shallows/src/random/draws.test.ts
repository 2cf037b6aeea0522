import { describe, expect, test } from 'vitest';
import { bernoulli, uniform, uniforms } from './draws.js';
import { permutation, randint, randints } from './integers.js';
import { deriveKey, rootKey } from './key.js';
import { normal, normals } from './normals.js';

// Each statistical test below has a fixed seed. Its bound is the two-sided 99.9 % point of the statistic's null
// distribution: a correct generator with a fresh seed would fail any one of them once in a thousand times.
const Z = 3.2905;
const key = deriveKey(rootKey(20160330), 'draws');
const N = 100_000;

/** 99.9 % point of a chi-square variable with k degrees of freedom (Wilson and Hilferty, within 0.5 % for k >= 5). */
function chiSquareBound(k: number): number {
  return k * (1 - 2 / (9 * k) + 3.0902 * Math.sqrt(2 / (9 * k))) ** 3;
}

function chiSquare(counts: ArrayLike<number>, total: number): number {
  const expected = total / counts.length;
  return Array.from(counts).reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

describe('uniform', () => {
  const values = uniforms(key, N);

  test('the list and the single draws are the same numbers', () => {
    for (const i of [0, 1, 2, 3, 777, N - 1]) expect(values[i]).toBe(uniform(key, i));
    expect([...uniforms(key, 5)]).toEqual([...values.subarray(0, 5)]);
    expect(uniforms(key, 0).length).toBe(0);
  });

  test('fills [0, 1) evenly (chi-square, 256 bins)', () => {
    const bins = new Uint32Array(256);
    for (const u of values) {
      expect(u >= 0 && u < 1).toBe(true);
      bins[Math.floor(u * 256)] = (bins[Math.floor(u * 256)] ?? 0) + 1;
    }
    expect(chiSquare(bins, N)).toBeLessThan(chiSquareBound(255));
  });

  test('its lowest 8 of 53 bits are even too (chi-square, 256 bins)', () => {
    const bins = new Uint32Array(256);
    for (const u of values) {
      const low = (u * 2 ** 53) % 256;
      bins[low] = (bins[low] ?? 0) + 1;
    }
    expect(chiSquare(bins, N)).toBeLessThan(chiSquareBound(255));
  });

  test('neighbours, and the same index under neighbouring keys, are uncorrelated', () => {
    const other = uniforms(deriveKey(rootKey(20160331), 'draws'), N);
    let lag = 0;
    let across = 0;
    for (let i = 0; i + 1 < N; i++) {
      lag += 12 * ((values[i] ?? 0) - 0.5) * ((values[i + 1] ?? 0) - 0.5);
      across += 12 * ((values[i] ?? 0) - 0.5) * ((other[i] ?? 0) - 0.5);
    }
    expect(Math.abs(lag) / Math.sqrt(N)).toBeLessThan(Z);
    expect(Math.abs(across) / Math.sqrt(N)).toBeLessThan(Z);
  });

  test.each([-1, 0.5, Number.NaN, 2 ** 53])('refuses the index %s', (index) => {
    expect(() => uniform(key, index)).toThrow('uniform: expected a whole number');
  });
});

describe('bernoulli', () => {
  test('0 is never, 1 is always', () => {
    for (let i = 0; i < 1000; i++) {
      expect(bernoulli(key, 0, i)).toBe(false);
      expect(bernoulli(key, 1, i)).toBe(true);
    }
  });

  test.each([0.001, 0.1, 0.5, 0.9])('%s comes at its rate', (p) => {
    const own = deriveKey(key, 'bernoulli', String(p));
    let hits = 0;
    for (let i = 0; i < N; i++) hits += bernoulli(own, p, i) ? 1 : 0;
    expect(Math.abs(hits - N * p) / Math.sqrt(N * p * (1 - p))).toBeLessThan(Z);
  });

  test.each([-0.1, 1.1, Number.NaN, Number.POSITIVE_INFINITY])('refuses the probability %s', (p) => {
    expect(() => bernoulli(key, p)).toThrow('bernoulli: expected a probability in [0, 1]');
  });
});

describe('normal', () => {
  test('has the moments and tails of a standard normal', () => {
    const values = normals(key, N);
    for (const i of [0, 1, 2, N - 1]) expect(values[i]).toBe(normal(key, i));
    const moment = (power: number): number => values.reduce((sum, z) => sum + z ** power, 0) / N;
    expect(Math.abs(moment(1)) * Math.sqrt(N)).toBeLessThan(Z);
    expect(Math.abs(moment(2) - 1) * Math.sqrt(N / 2)).toBeLessThan(Z);
    expect(Math.abs(moment(3)) * Math.sqrt(N / 15)).toBeLessThan(Z);
    expect(Math.abs(moment(4) - 3) * Math.sqrt(N / 96)).toBeLessThan(Z);
    const beyond = values.filter((z) => Math.abs(z) > 1.959964).length;
    expect(Math.abs(beyond - 0.05 * N) / Math.sqrt(N * 0.05 * 0.95)).toBeLessThan(Z);
  });

  test('is not a function of the uniform at the same index', () => {
    const u = uniforms(key, N);
    const z = normals(key, N);
    let sum = 0;
    for (let i = 0; i < N; i++) sum += Math.sqrt(12) * ((u[i] ?? 0) - 0.5) * (z[i] ?? 0);
    expect(Math.abs(sum) / Math.sqrt(N)).toBeLessThan(Z);
  });
});

describe('randint', () => {
  test('is even over a bound that does not divide 2^32 (chi-square)', () => {
    const bins = new Uint32Array(7);
    for (let i = 0; i < N; i++) {
      const value = randint(key, 7, i);
      bins[value] = (bins[value] ?? 0) + 1;
    }
    expect(chiSquare(bins, N)).toBeLessThan(chiSquareBound(6));
  });

  test('has no bias where multiplication without rejection has one', () => {
    // Over 3 * 2^30 values, truncation alone gives every third value twice the weight of the others.
    const bins = new Uint32Array(3);
    for (let i = 0; i < N; i++) {
      const residue = randint(key, 3 * 2 ** 30, i) % 3;
      bins[residue] = (bins[residue] ?? 0) + 1;
    }
    expect(chiSquare(bins, N)).toBeLessThan(13.816);
  });

  test('many at once are the single ones, refused draws included', () => {
    // Of a bound just above 2^31, nearly every second draw is refused and drawn anew.
    for (const bound of [1, 7, 2 ** 31 + 1, 2 ** 32]) {
      const many = randints(key, bound, 101);
      expect([...many]).toEqual(Array.from({ length: 101 }, (_, i) => randint(key, bound, i)));
    }
    expect(randints(key, 3, 0)).toHaveLength(0);
  });

  test.each([0, -1, 1.5, Number.NaN, 2 ** 32 + 1])('refuses the bound %s', (bound) => {
    expect(() => randint(key, bound)).toThrow('randint: expected a bound');
    expect(() => randints(key, bound, 2)).toThrow('randint: expected a bound');
  });
});

describe('permutation', () => {
  test('holds each number once', () => {
    for (const n of [0, 1, 2, 1000]) {
      expect([...permutation(key, n)].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
    }
  });

  test('all 24 orders of four come equally often (chi-square)', () => {
    const seen = new Map<string, number>();
    for (let i = 0; i < 24_000; i++) {
      const order = permutation(deriveKey(key, i), 4).join('');
      seen.set(order, (seen.get(order) ?? 0) + 1);
    }
    expect(seen.size).toBe(24);
    expect(chiSquare([...seen.values()], 24_000)).toBeLessThan(chiSquareBound(23));
  });

  test.each([-1, 1.5, Number.NaN, 2 ** 32])('refuses the count %s', (count) => {
    expect(() => permutation(key, count)).toThrow('permutation: expected a count');
  });
});
