import { describe, expect, test } from 'vitest';
import { deriveKey, rootKey } from '../../random/index.js';
import { ChunkOrder } from './chunk-order.js';

const key = deriveKey(rootKey(1), 'order');
const counts = [5, 0, 8, 3, 1, 7, 6, 0, 2];
const total = counts.reduce((sum, count) => sum + count, 0);
const firsts = counts.map((_, chunk) => counts.slice(0, chunk).reduce((sum, count) => sum + count, 0));

describe.each([
  ['in order', null, 1],
  ['windows of one', key, 1],
  ['windows of three', key, 3],
  ['one window', key, 100],
] as const)('%s', (_, own, window) => {
  const order = new ChunkOrder(counts, own, window);

  test('holds each row once, at its place in its chunk', () => {
    const rows = order.rows(0, total);
    expect(rows.map(({ index }) => index).sort((a, b) => a - b)).toEqual(Array.from({ length: total }, (_, i) => i));
    for (const { chunk, row, index } of rows) expect((firsts[chunk] ?? 0) + row).toBe(index);
  });

  test('any part is that of the whole, in any order of asking', () => {
    const whole = order.rows(0, total);
    for (const [start, end] of [
      [20, 25],
      [0, 3],
      [31, 32],
      [7, 30],
      [4, 4],
    ] as const) {
      expect(order.rows(start, end)).toEqual(whole.slice(start, end));
      expect(new ChunkOrder(counts, own, window).rows(start, end)).toEqual(whole.slice(start, end));
    }
  });

  test('the chunks of a part hold its rows, and are few', () => {
    for (let start = 0; start < total; start += 5) {
      const end = Math.min(total, start + 5);
      const chunks = order.chunks(start, end, 0);
      for (const { chunk } of order.rows(start, end)) expect(chunks).toContain(chunk);
      expect(new Set(chunks).size).toBe(chunks.length);
      expect(chunks.every((chunk) => (counts[chunk] ?? 0) > 0)).toBe(true);
      const ahead = order.chunks(start, end, 1);
      expect(ahead.slice(0, chunks.length)).toEqual(chunks);
      expect(ahead.length).toBeLessThanOrEqual(chunks.length + (own === null ? 1 : window));
    }
  });
});

test('in order without a key; mixed within windows, another for each key', () => {
  expect(new ChunkOrder(counts, null, 3).rows(0, total).map(({ index }) => index)).toEqual(
    Array.from({ length: total }, (_, i) => i),
  );
  const indices = (own: typeof key): number[] =>
    new ChunkOrder(counts, own, 3).rows(0, total).map(({ index }) => index);
  expect(indices(key)).not.toEqual(indices(deriveKey(key, 'other')));
  expect(indices(key)).not.toEqual(indices(key).toSorted((a, b) => a - b));
});

test('one window mixes all rows evenly (chi-square at 0.1 % false alarms)', () => {
  const even = [10, 10, 10, 10];
  const places = Array.from({ length: 40 }, () => 0);
  for (let i = 0; i < 4000; i++) {
    const [first] = new ChunkOrder(even, deriveKey(key, i), 4).rows(0, 1);
    places[first?.index ?? -1] = (places[first?.index ?? -1] ?? Number.NaN) + 1;
  }
  const chiSquare = places.reduce((sum, count) => sum + (count - 100) ** 2 / 100, 0);
  // 99.9 % point with 39 degrees of freedom.
  expect(chiSquare).toBeLessThan(72.06);
});
