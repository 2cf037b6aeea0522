import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fitLine, median, pairwise, spreadOf } from '../../bench/statistics.js';

describe('median and spread', () => {
  test('the middle, or the mean of the two', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([])).toBeNaN();
    const values = [2, 1];
    median(values);
    expect(values).toEqual([2, 1]);
  });

  test('of nothing there is none', () => {
    expect(spreadOf([])).toBeNull();
    expect(spreadOf([5, 1, 2])).toEqual({ median: 2, low: 1, high: 5, count: 3 });
  });

  test('ratios are those of the pairs, not of the medians', () => {
    // Medians 2 and 2 would say 1.
    expect(pairwise([1, 2, 30], [2, 1, 3])).toEqual({ median: 2, low: 0.5, high: 10, count: 3 });
  });

  test('a round that one side lacks counts for neither', () => {
    expect(pairwise([1, 2, 3], [1, null, 2])).toEqual({ median: 1.25, low: 1, high: 1.5, count: 2 });
    expect(pairwise([1, 2], [null, null])).toBeNull();
    expect(pairwise([1, 2], [])).toBeNull();
  });
});

describe('fitLine', () => {
  test('finds a line that all points lie on', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.1, max: 10, noNaN: true }),
        fc.double({ min: 0.1, max: 10, noNaN: true }),
        (intercept, slope) => {
          const line = fitLine([20, 56, 110, 218, 1202].map((x) => [x, intercept + slope * x] as const));
          expect(line.slope).toBeCloseTo(slope, 6);
          expect(line.intercept).toBeCloseTo(intercept, 4);
        },
      ),
      { seed: 1 },
    );
  });

  test('weighs errors by size: a tenth too much counts alike for small and large points', () => {
    const fitted = (points: readonly (readonly [number, number])[]): number[] => {
      const { intercept, slope } = fitLine(points);
      return points.map(([x, y]) => (intercept + slope * x) / y);
    };
    // By plain least squares the line would go through the large points and miss the small one by about a tenth.
    const [small = 0] = fitted([
      [1, 1.1],
      [100, 100],
      [1000, 1000],
    ]);
    expect(Math.abs(small - 1)).toBeLessThan(0.01);
  });
});
