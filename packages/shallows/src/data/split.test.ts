import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { keyToHex, rootKey } from '../random/index.js';
import { requireBothSides, splitByHash } from './split.js';

const rows = Array.from({ length: 2000 }, (_, i) => Buffer.from(`row ${i}`));

test('a row validates by the first 48 bits of its SHA-256', () => {
  const { train, validation } = splitByHash(rows, 0.25);
  const fraction = (i: number, prefix = ''): number =>
    Number.parseInt(
      createHash('sha256')
        .update(prefix)
        .update(rows[i] ?? '')
        .digest('hex')
        .slice(0, 12),
      16,
    ) /
    2 ** 48;
  expect([...train, ...validation].sort((a, b) => a - b)).toEqual(rows.map((_, i) => i));
  for (const i of validation) expect(fraction(i)).toBeLessThan(0.25);
  for (const i of train) expect(fraction(i)).toBeGreaterThanOrEqual(0.25);
  // 5 standard deviations of a binomial count.
  expect(Math.abs(validation.length - 500)).toBeLessThan(5 * Math.sqrt(2000 * 0.25 * 0.75));
  const key = rootKey(4);
  for (const i of splitByHash(rows, 0.25, key).validation) expect(fraction(i, keyToHex(key))).toBeLessThan(0.25);
});

test('order does not matter, copies stay together, a larger share adds rows', () => {
  const { validation } = splitByHash(rows, 0.25);
  const names = new Set([...validation].map((i) => String(rows[i])));
  const doubled = [...rows, ...rows].reverse();
  for (const i of splitByHash(doubled, 0.25).validation) expect(names.has(String(doubled[i]))).toBe(true);
  const more = new Set(splitByHash(rows, 0.5).validation);
  for (const i of validation) expect(more.has(i)).toBe(true);
  expect(splitByHash(rows, 0.25, rootKey(1)).validation).not.toEqual(validation);
});

test('refuses shares that are none, and empty sides', () => {
  for (const share of [0, 1, -1, Number.NaN])
    expect(() => splitByHash(rows, share)).toThrow('expected a share of rows between 0 and 1 that validates, got');
  expect(() => splitByHash(rows.slice(0, 1), 0.5)).toThrow(/got none for (training|validation) of 1 in the rows given/);
  expect(() => requireBothSides('f', { train: 0, validation: 3 }, 'x.csv')).toThrow(
    'f: expected rows on both sides of the split by content, got none for training of 3 in x.csv',
  );
});
