import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { binomialCdf, binomialInterval, binomialUpperTail, logGamma } from './binomial.js';

const exact: {
  tails: [k: number, n: number, p: number, below: number, above: number][];
  intervals: [n: number, p: number, falseAlarm: number, lo: number, hi: number][];
} = JSON.parse(readFileSync(new URL('fixtures/binomial.json', import.meta.url), 'utf8'));

test('ln Γ at known points', () => {
  expect(logGamma(1)).toBeCloseTo(0, 14);
  expect(logGamma(0.5)).toBeCloseTo(Math.log(Math.PI) / 2, 13);
  expect(logGamma(11)).toBeCloseTo(Math.log(3628800), 12);
  expect(logGamma(1001) / 5912.128178488163).toBeCloseTo(1, 13);
});

describe('binomial tails', () => {
  test('agree with rational arithmetic (fixtures/binomial.py) to 1e-10 relative, far tails included', () => {
    for (const [k, n, p, below, above] of exact.tails) {
      expect(Math.abs(binomialCdf(k, n, p) - below), `P(X <= ${k}; ${n}, ${p})`).toBeLessThanOrEqual(
        1e-10 * below + 1e-300,
      );
      expect(Math.abs(binomialUpperTail(k, n, p) - above), `P(X >= ${k}; ${n}, ${p})`).toBeLessThanOrEqual(
        1e-10 * above + 1e-300,
      );
    }
  });

  test('ends', () => {
    expect(binomialCdf(-1, 10, 0.5)).toBe(0);
    expect(binomialCdf(10, 10, 0.5)).toBe(1);
    expect(binomialUpperTail(0, 10, 0.5)).toBe(1);
    expect(binomialUpperTail(11, 10, 0.5)).toBe(0);
    expect(binomialCdf(0, 10, 0)).toBe(1);
    expect(binomialCdf(9, 10, 1)).toBe(0);
  });
});

describe('binomialInterval', () => {
  test('agrees with rational arithmetic', () => {
    for (const [n, p, falseAlarm, lo, hi] of exact.intervals) {
      expect([n, p, falseAlarm, ...binomialInterval(n, p, falseAlarm)]).toEqual([n, p, falseAlarm, lo, hi]);
    }
  });

  test('certain outcomes leave no room', () => {
    expect(binomialInterval(100, 0, 0.001)).toEqual([0, 0]);
    expect(binomialInterval(100, 1, 0.001)).toEqual([100, 100]);
    expect(binomialInterval(0, 0.5, 0.001)).toEqual([0, 0]);
  });

  test('large counts come near the normal interval', () => {
    const [lo, hi] = binomialInterval(1_000_000, 0.25, 0.001);
    const half = 3.290527 * Math.sqrt(1_000_000 * 0.25 * 0.75);
    expect(Math.abs(lo - (250_000 - half))).toBeLessThan(3);
    expect(Math.abs(hi - (250_000 + half))).toBeLessThan(3);
  });

  test.each([0, 1, -1, Number.NaN])('refuses the false-alarm rate %s', (falseAlarm) => {
    expect(() => binomialInterval(10, 0.5, falseAlarm)).toThrow('binomialInterval: expected a false-alarm rate');
  });
});
