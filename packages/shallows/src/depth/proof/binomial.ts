import { ShallowsError, shown } from '../../errors.js';

// Lanczos' approximation with g = 7 and nine terms: relative error below 1e-15 for x > 0 (Godfrey 2001).
const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];

/** ln Γ(x) for x > 0. */
export function logGamma(x: number): number {
  const base = x + 6.5;
  let series = LANCZOS[0] ?? 0;
  for (let i = 1; i < LANCZOS.length; i++) series += (LANCZOS[i] ?? 0) / (x - 1 + i);
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(base) - base + Math.log(series);
}

/**
 * The regularised incomplete beta function I_x(a, b), a, b > 0, x in [0, 1]: Lentz' evaluation of its continued fraction.
 *
 * @see Abramowitz and Stegun 26.5.8
 */
export function regularisedBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  // The fraction converges fast below the mean; above it, its mirror image does.
  if (x > (a + 1) / (a + b + 2)) return 1 - regularisedBeta(1 - x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x)) / a;
  const away = (value: number): number => (Math.abs(value) < 1e-300 ? 1e-300 : value);
  let c = 1;
  let d = 1 / away(1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m <= 10_000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away(1 + even * d);
    c = away(1 + even / c);
    fraction *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away(1 + odd * d);
    c = away(1 + odd / c);
    fraction *= d * c;
    if (Math.abs(d * c - 1) < 1e-15) break;
  }
  return front * fraction;
}

/** P(X ≤ k) of a binomial count X of n trials at probability p. */
export function binomialCdf(k: number, n: number, p: number): number {
  if (k < 0) return 0;
  if (k >= n || p === 0) return 1;
  return regularisedBeta(1 - p, n - k, k + 1);
}

/** P(X ≥ k), exact in the far tail where `1 − binomialCdf` would cancel. */
export function binomialUpperTail(k: number, n: number, p: number): number {
  if (k <= 0) return 1;
  if (k > n) return 0;
  return regularisedBeta(p, k, n - k + 1);
}

/**
 * The counts that chance explains: the narrowest `[lo, hi]` around the mean n·p with `P(X < lo) ≤ α/2` and
 * `P(X > hi) ≤ α/2`, so that a count outside comes by chance at most with the false-alarm rate α.
 *
 * It holds too when the n trials have different probabilities of mean p: their sum leaves an interval that contains n·p
 * no more often (Hoeffding, "On the distribution of the number of successes in independent trials", 1956, theorem 4).
 *
 * @throws ShallowsError for a false-alarm rate outside (0, 1)
 */
export function binomialInterval(n: number, p: number, falseAlarm: number): readonly [lo: number, hi: number] {
  if (!(falseAlarm > 0 && falseAlarm < 1)) {
    throw new ShallowsError(
      `binomialInterval: expected a false-alarm rate in (0, 1), got ${shown(falseAlarm)} - use 0.001`,
    );
  }
  const tail = falseAlarm / 2;
  // Both searches start at the mean, so the interval contains it.
  const lo = search(0, Math.floor(n * p), (k) => binomialCdf(k, n, p) > tail);
  const hi = search(Math.ceil(n * p), n, (k) => binomialUpperTail(k + 1, n, p) <= tail);
  return [lo, hi];
}

// The least k of [from, to] at which a condition that stays true once true holds; `to` where none is.
function search(from: number, to: number, holds: (k: number) => boolean): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
