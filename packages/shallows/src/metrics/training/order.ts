/** What makes the median absolute deviation of normal numbers their standard deviation: 1 / Φ⁻¹(3/4). */
export const MAD_TO_STD = 1.4826;

/** The middle of some numbers, or the mean of the two in the middle; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const high = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? Number.NaN) + high) / 2;
}

/** Median absolute deviation, `median |x − median x|`; NaN of none. */
export function medianDeviation(values: readonly number[]): number {
  const middle = median(values);
  return median(values.map((value) => Math.abs(value - middle)));
}

/** Standard deviation around the straight line through evenly spaced numbers, `√(Σ r² / (n − 2))`; NaN of fewer than three. */
export function deviationFromLine(values: readonly number[]): number {
  const n = values.length;
  if (n < 3) return Number.NaN;
  const middle = (n - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const spread = values.reduce((sum, _, i) => sum + (i - middle) ** 2, 0);
  const slope = values.reduce((sum, value, i) => sum + (i - middle) * (value - mean), 0) / spread;
  const squares = values.reduce((sum, value, i) => sum + (value - mean - slope * (i - middle)) ** 2, 0);
  return Math.sqrt(squares / (n - 2));
}
