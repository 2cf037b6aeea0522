import { normalQuantile } from '../../dropout/statistics/normal.js';

/** Trials of one probability. */
export interface Trials {
  readonly count: number;
  readonly p: number;
}

/** The distribution of a number of successes: how it is drawn from a uniform number. */
export interface SuccessCount {
  readonly mean: number;
  readonly variance: number;
  /** The least count k with P(X ≤ k) ≥ u, for u in [0, 1). */
  quantile(u: number): number;
}

/** The largest variance for which the distribution is computed exactly; the normal's error falls below 0.001 above it. */
const EXACT = 100;

/**
 * The number of successes in independent trials of several probabilities: the Poisson binomial distribution.
 *
 * Up to a variance of 100 its probabilities are convolved exactly; above, the normal quantile with its skewness term
 * (Cornish and Fisher 1938) is rounded to a whole number.
 */
export function successCount(trials: readonly Trials[]): SuccessCount {
  let sure = 0;
  let mean = 0;
  let variance = 0;
  let third = 0;
  let count = 0;
  const open: Trials[] = [];
  for (const { count: n, p } of trials) {
    if (p >= 1) sure += n;
    else if (p > 0 && n > 0) open.push({ count: n, p });
    const spread = n * p * (1 - p);
    count += n;
    mean += n * p;
    variance += spread;
    third += spread * (1 - 2 * p);
  }
  if (variance <= EXACT)
    return { mean, variance, quantile: tableQuantile(open.reduce(convolve, { from: sure, mass: Float64Array.of(1) })) };
  const sd = Math.sqrt(variance);
  const skew = third / variance ** 1.5;
  return {
    mean,
    variance,
    quantile: (u) => {
      const z = normalQuantile(u);
      const shifted = z + (skew * (z * z - 1)) / 6;
      return Math.min(count, Math.max(0, Math.round(mean + sd * shifted)));
    },
  };
}

/** Probabilities of the counts from `from` on; what is left out weighs less than 1e-15. */
interface Mass {
  readonly from: number;
  readonly mass: Float64Array;
}

const NEGLIGIBLE = 1e-18;

function convolve(a: Mass, trials: Trials): Mass {
  const b = binomialMass(trials);
  const mass = new Float64Array(a.mass.length + b.mass.length - 1);
  for (let i = 0; i < a.mass.length; i++) {
    const x = a.mass[i] ?? 0;
    for (let j = 0; j < b.mass.length; j++) mass[i + j] = (mass[i + j] ?? 0) + x * (b.mass[j] ?? 0);
  }
  let start = 0;
  let end = mass.length;
  while (start < end - 1 && (mass[start] ?? 0) < NEGLIGIBLE) start++;
  while (end > start + 1 && (mass[end - 1] ?? 0) < NEGLIGIBLE) end--;
  return { from: a.from + b.from + start, mass: mass.subarray(start, end) };
}

// From the mode outwards by the ratio of neighbours, which needs no factorials, then scaled to add up to 1.
function binomialMass({ count: n, p }: Trials): Mass {
  const mode = Math.min(n, Math.floor((n + 1) * p));
  const odds = p / (1 - p);
  const below: number[] = [];
  for (let k = mode, mass = 1; k > 0; k--) {
    mass *= k / ((n - k + 1) * odds);
    if (mass < NEGLIGIBLE) break;
    below.push(mass);
  }
  const mass = [...below.reverse(), 1];
  for (let k = mode, each = 1; k < n; k++) {
    each *= ((n - k) * odds) / (k + 1);
    if (each < NEGLIGIBLE) break;
    mass.push(each);
  }
  const total = mass.reduce((sum, each) => sum + each, 0);
  return { from: mode - below.length, mass: Float64Array.from(mass, (each) => each / total) };
}

function tableQuantile({ from, mass }: Mass): (u: number) => number {
  let sum = 0;
  const upTo = Float64Array.from(mass, (each) => (sum += each));
  return (u) => {
    let low = 0;
    let high = upTo.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((upTo[middle] ?? 1) >= u) high = middle;
      else low = middle + 1;
    }
    return from + low;
  };
}
