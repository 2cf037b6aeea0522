import { describe, expect, test } from 'vitest';
import { median, quantile, theilSen, thinned } from './statistics.js';

describe('statistics', () => {
  test('quantiles lie between neighbours', () => {
    expect([0, 0.25, 0.5, 1].map((q) => quantile([4, 1, 3, 2], q))).toEqual([1, 1.75, 2.5, 4]);
    expect(median([])).toBeNull();
  });

  test('the fit of Theil and Sen ignores a fifth of wild points', () => {
    const points = Array.from({ length: 50 }, (_, i) => ({ x: i % 10, y: i % 5 === 4 ? 1e6 : 3 + 2 * (i % 10) }));
    expect(theilSen(points)).toEqual({ slope: 2, intercept: 3 });
    expect(
      theilSen([
        { x: 1, y: 1 },
        { x: 1, y: 2 },
      ]),
    ).toBeNull();
    expect(theilSen([])).toBeNull();
  });

  test('thinning keeps order, first item and the limit', () => {
    const items = Array.from({ length: 1000 }, (_, i) => i);
    const some = thinned(items, 7);
    expect(some).toHaveLength(7);
    expect(some[0]).toBe(0);
    expect(some).toEqual([...new Set(some)].sort((a, b) => a - b));
    expect(thinned([1, 2], 7)).toEqual([1, 2]);
  });
});
