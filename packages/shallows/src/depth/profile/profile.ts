import { ShallowsError, shown } from '../../errors.js';
import type { Policy } from '../policy/policy.js';
import { compensatedSum } from './compensated-sum.js';
import { type Keeps, keepsOf } from './keeps.js';

/**
 * How deep a network is under a policy, before anything runs: frozen plain data. Depth is counted in branches that run, of
 * the L that have a site.
 */
export interface DepthProfile {
  /** Drop rate of each site in forward order, in [0, 1]. */
  readonly rates: readonly number[];
  /** Probability that each site runs: 1 − rate, but for counts of rows that are rounded. */
  readonly keeps: readonly number[];
  /** Probability of exactly k active branches, at index k = 0 … L. */
  readonly distribution: readonly number[];
  /** Σ keeps. */
  readonly mean: number;
  readonly variance: number;
  /** √variance, in branches. */
  readonly sd: number;
}

/** Options of {@link depthProfile}. */
export interface ProfileOptions {
  /** The policy that the rates come from: its budget, and which rows it keeps. Without it each site decides alone. */
  readonly policy?: Pick<Policy, 'budget' | 'rows' | 'count'> | null;
  /** Rows of a batch: needed for rows that are neighbours, and for count `dinov2`. */
  readonly rows?: number | null;
  /** Factor of a schedule over time on every rate, in [0, 1]. */
  readonly factor?: number;
}

const alone: Pick<Policy, 'budget' | 'rows' | 'count'> = { budget: null, rows: null, count: null };

/**
 * The exact distribution of the number of active branches: the convolution of one Bernoulli a site, mean Σ q and variance
 * Σ q(1 − q) with q = 1 − rate.
 *
 * For the unit block it is that of a step; for the unit row that of one sample, averaged over the places of a batch. Under a
 * budget of n it is the point L − n. Only additions and products of numbers in [0, 1] form it, so each probability is exact to
 * about L·10⁻¹⁶ of itself, also at L = 600.
 *
 * @param sites drop rates in forward order, or the sites from `applyPolicy` or `rateSites`
 * @throws ShallowsError for a rate or factor outside [0, 1], and where the rows of the batch are needed and missing
 */
export function depthProfile(
  sites: readonly (number | { readonly drop: number })[],
  { policy = null, rows = null, factor = 1 }: ProfileOptions = {},
): DepthProfile {
  requireShare('factor', factor);
  const rates = sites.map((site, i) => factor * requireShare(`rate ${i}`, typeof site === 'number' ? site : site.drop));
  const { budget, ...kinds } = policy ?? alone;
  const groups = keepsOf(rates, kinds, rows);
  const keeps = rates.map((_, i) => compensatedSum(groups.map((group) => group.weight * (group.keeps[i] ?? 0))));
  const mean = budget === null ? compensatedSum(keeps) : rates.length - budget;
  const variance = budget === null ? varianceOf(groups, mean) : 0;
  const distribution = budget === null ? blend(groups) : point(mean, rates.length);
  return Object.freeze({
    ...{ rates: Object.freeze(rates), keeps: Object.freeze(keeps), distribution: Object.freeze(distribution) },
    ...{ mean, variance, sd: Math.sqrt(variance) },
  });
}

/** P(low ≤ active ≤ high) under a profile, both ends included. */
export function activeProbability({ distribution }: DepthProfile, low: number, high: number): number {
  return compensatedSum(distribution.filter((_, k) => k >= low && k <= high));
}

/**
 * The least k with P(active ≤ k) ≥ `share`.
 *
 * @throws ShallowsError for a share outside [0, 1]
 */
export function activeQuantile({ distribution }: DepthProfile, share: number): number {
  requireShare('share', share, 'activeQuantile');
  const last = distribution.length - 1;
  // From the nearer end, so that a far tail is not lost in the roundings of 1.
  if (share <= 0.5) {
    let below = 0;
    for (let k = 0; k < last; k++) {
      below += distribution[k] ?? 0;
      if (below >= share && below > 0) return k;
    }
    return last;
  }
  let above = 0;
  for (let k = last; k > 0; k--) {
    above += distribution[k] ?? 0;
    if (above > 1 - share) return k;
  }
  return 0;
}

/**
 * The range that the number of active branches stays in with probability `share` at least: no more than (1 − share) / 2 lies
 * below it, and no more above.
 *
 * @throws ShallowsError for a share outside [0, 1]
 */
export function activeInterval(profile: DepthProfile, share = 0.99): readonly [low: number, high: number] {
  requireShare('share', share, 'activeInterval');
  const tail = (1 - share) / 2;
  return [activeQuantile(profile, tail), activeQuantile(profile, 1 - tail)];
}

function varianceOf(groups: readonly Keeps[], mean: number): number {
  return compensatedSum(
    groups.map(({ weight, keeps }) => {
      const own = compensatedSum(keeps);
      return weight * (compensatedSum(keeps.map((keep) => keep * (1 - keep))) + (own - mean) ** 2);
    }),
  );
}

function blend(groups: readonly Keeps[]): number[] {
  const [first, ...others] = groups;
  if (first === undefined) return [1];
  if (others.length === 0) return convolved(first.keeps);
  const total = new Array<number>(first.keeps.length + 1).fill(0);
  for (const { weight, keeps } of groups) convolved(keeps).forEach((p, k) => (total[k] = (total[k] ?? 0) + weight * p));
  return total;
}

/** Site by site: k branches are active where k were before and this one is not, or k − 1 were and it is. */
function convolved(keeps: readonly number[]): number[] {
  const p = new Float64Array(keeps.length + 1);
  p[0] = 1;
  keeps.forEach((keep, done) => {
    for (let k = done + 1; k > 0; k--) p[k] = (p[k] ?? 0) * (1 - keep) + (p[k - 1] ?? 0) * keep;
    p[0] = (p[0] ?? 0) * (1 - keep);
  });
  return [...p];
}

function point(active: number, sites: number): number[] {
  return Array.from({ length: sites + 1 }, (_, k) => (k === active ? 1 : 0));
}

function requireShare(what: string, value: number, fn = 'depthProfile'): number {
  if (value >= 0 && value <= 1) return value;
  throw new ShallowsError(`${fn}: ${what}: expected a number in [0, 1], got ${shown(value)} - correct it`);
}
