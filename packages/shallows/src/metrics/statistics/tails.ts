import { logGamma } from '../../depth/proof/binomial.js';

/**
 * The upper regularised incomplete gamma function Q(a, x) = Γ(a, x) / Γ(a), for a > 0 and x ≥ 0.
 *
 * @see Abramowitz and Stegun 6.5.29 (series) and 6.5.31 (continued fraction)
 */
export function upperGamma(a: number, x: number): number {
  if (x <= 0) return 1;
  if (x === Number.POSITIVE_INFINITY) return 0;
  const front = Math.exp(a * Math.log(x) - x - logGamma(a));
  if (x < a + 1) {
    let term = 1 / a;
    let sum = term;
    for (let n = 1; term > sum * 1e-17; n++) sum += term *= x / (a + n);
    return 1 - front * sum;
  }
  let b = x + 1 - a;
  let c = 1e300;
  let d = 1 / b;
  let fraction = d;
  for (let n = 1; n < 10_000; n++) {
    const step = -n * (n - a);
    b += 2;
    d = 1 / (step * d + b);
    c = b + step / c;
    fraction *= d * c;
    if (Math.abs(d * c - 1) < 1e-16) break;
  }
  return front * fraction;
}

/** P(X > x) of a chi-square variable with `freedom` degrees of freedom. */
export function chiSquareTail(x: number, freedom: number): number {
  return upperGamma(freedom / 2, x / 2);
}

/** P(|Z| > |z|) of a standard normal variable: the two-sided p-value of a z-score. */
export function normalPValue(z: number): number {
  return upperGamma(0.5, (z * z) / 2);
}

/** P(Z ≤ z) of a standard normal variable. */
export function normalCdf(z: number): number {
  const tail = normalPValue(z) / 2;
  return z < 0 ? tail : 1 - tail;
}
