/** A figure over rounds. */
export interface Spread {
  readonly median: number;
  /** Smallest and largest. */
  readonly low: number;
  readonly high: number;
  /** How many rounds. */
  readonly count: number;
}

/** The middle value, or the mean of the two; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const high = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? high : (high + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** Median, smallest and largest; null of no values. */
export function spreadOf(values: readonly number[]): Spread | null {
  if (values.length === 0) return null;
  return { median: median(values), low: Math.min(...values), high: Math.max(...values), count: values.length };
}

/** Ours ÷ peer of each round, both of which ran one after the other; rounds that lack one of them are left out. */
export function pairwise(ours: readonly (number | null)[], peer: readonly (number | null)[]): Spread | null {
  const ratios = ours.flatMap((each, i) => {
    const other = peer[i] ?? null;
    return each === null || other === null ? [] : [each / other];
  });
  return spreadOf(ratios);
}

/** A straight line. */
export interface Line {
  readonly intercept: number;
  readonly slope: number;
}

/**
 * The line y = a + b·x whose squared relative errors Σ(1 − (a + b·x) / y)² are least: a small point counts as much as a large one.
 *
 * @param points at least two, with different x and y above 0
 */
export function fitLine(points: readonly (readonly [x: number, y: number])[]): Line {
  // Weighted least squares with weights 1 / y².
  let [w, wx, wxx, wy, wxy] = [0, 0, 0, 0, 0];
  for (const [x, y] of points) {
    const weight = 1 / (y * y);
    w += weight;
    wx += weight * x;
    wxx += weight * x * x;
    wy += weight * y;
    wxy += weight * x * y;
  }
  const slope = (w * wxy - wx * wy) / (w * wxx - wx * wx);
  return { intercept: (wy - slope * wx) / w, slope };
}
