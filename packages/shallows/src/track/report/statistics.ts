/** The q-quantile of finite numbers, linear between neighbours; null of none. */
export function quantile(values: readonly number[], q: number): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  const at = q * (sorted.length - 1);
  const low = sorted[Math.floor(at)];
  const high = sorted[Math.ceil(at)];
  return low === undefined || high === undefined ? null : low + (high - low) * (at - Math.floor(at));
}

/** The middle value; null of none. */
export function median(values: readonly number[]): number | null {
  return quantile(values, 0.5);
}

/** The arithmetic mean; NaN of none. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** At most `most` items, evenly spaced, the first among them: the same each time. */
export function thinned<T>(items: readonly T[], most: number): T[] {
  if (items.length <= most) return [...items];
  return Array.from({ length: most }, (_, i) => items[Math.floor((i * items.length) / most)] as T);
}

/** A point of a scatter. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** `y = intercept + slope·x`. */
export interface Line {
  readonly slope: number;
  readonly intercept: number;
}

/**
 * The line of Theil and Sen: the median slope over pairs of points, through the median residual. A third of the points
 * may be outliers, as the pauses of a busy machine are.
 *
 * @returns null where all points have the same x
 * @see Sen, "Estimates of the regression coefficient based on Kendall's tau", 1968
 */
export function theilSen(points: readonly Point[]): Line | null {
  const slopes: number[] = [];
  points.forEach((a, i) => {
    for (const b of points.slice(i + 1)) if (a.x !== b.x) slopes.push((b.y - a.y) / (b.x - a.x));
  });
  const slope = median(slopes);
  if (slope === null) return null;
  return { slope, intercept: median(points.map(({ x, y }) => y - slope * x)) ?? 0 };
}
