import { didYouMean, ShallowsError, shown } from '../errors.js';
import { uniform } from '../random/draws.js';
import { deriveKey, type Key } from '../random/key.js';
import type { RatedSite } from './apply-policy.js';
import type { Policy } from './policy.js';

/** What a plan decides about one site. */
export interface SitePlan {
  readonly name: string;
  /** The rate at which it was drawn, in [0, 1]. */
  readonly drop: number;
  readonly kept: boolean;
  /** Factor on the branch: 1/(1 − drop) or 1 where kept, 0 where dropped. Always finite. */
  readonly scale: number;
}

/**
 * Every drop decision of one forward pass, made before it runs: frozen plain data that JSON keeps exactly.
 */
export interface Plan {
  readonly step: number;
  readonly microbatch: number;
  /** The rank it holds for; `null` where all ranks share it. */
  readonly rank: number | null;
  /** One entry a site, in forward order. */
  readonly sites: readonly SitePlan[];
}

/** Where in a run a plan is drawn. */
export interface PlanAt {
  /** The key of the run. */
  readonly key: Key;
  /** Optimizer step, from 0. */
  readonly step: number;
  /** Part of an accumulated batch, from 0. */
  readonly microbatch?: number;
  /** Data-parallel rank, from 0; only read where the policy's ranks are `independent`. */
  readonly rank?: number;
}

/**
 * Draws the plan of a forward pass: site s is dropped where `u(key, step, microbatch[, rank], name of s) < drop of s`.
 *
 * A pure function: equal arguments give equal plans in any process, thread, order and on any device, and a site's
 * decisions do not depend on which other sites exist. Rates 0 and 1 draw nothing.
 *
 * @param sites from `applyPolicy` or `rateSites`
 * @throws ShallowsError for a step, microbatch or rank that is no whole number from 0
 */
export function drawPlan(policy: Policy, sites: readonly RatedSite[], at: PlanAt): Plan {
  const { step, microbatch = 0, rank = 0 } = at;
  requireCount('step', step);
  requireCount('microbatch', microbatch);
  requireCount('rank', rank);
  const common = deriveKey(at.key, 'depth', step, microbatch);
  const shared = policy.ranks === 'shared';
  const key = shared ? common : deriveKey(common, 'rank', rank);
  return Object.freeze({
    step,
    microbatch,
    rank: shared ? null : rank,
    sites: Object.freeze(sites.map((site) => decide(policy, site, keeps(key, site)))),
  });
}

/**
 * The plan that drops exactly the named sites and keeps the others, scaled as the policy says: for replays, tests and
 * comparisons with other systems.
 *
 * @throws ShallowsError for a name that no site has, or a kept site of rate 1 under `inverted` scaling
 */
export function fixedPlan(policy: Policy, sites: readonly RatedSite[], dropped: readonly string[]): Plan {
  const names = sites.map((site) => site.name);
  for (const name of dropped) {
    if (!names.includes(name)) {
      const hint = didYouMean(name, names);
      throw new ShallowsError(`fixedPlan: expected the name of a site, got '${name}'${hint} - use a name of findSites`);
    }
  }
  const decisions = sites.map((site) => decide(policy, site, !dropped.includes(site.name)));
  for (const { name, kept, scale } of decisions) {
    if (kept && !Number.isFinite(scale)) {
      throw new ShallowsError(
        `fixedPlan: expected '${name}' dropped, as its rate is 1, got it kept - name it as dropped`,
      );
    }
  }
  return Object.freeze({ step: 0, microbatch: 0, rank: null, sites: Object.freeze(decisions) });
}

function keeps(key: Key, { drop, index }: RatedSite): boolean {
  if (drop === 0) return true;
  if (drop === 1) return false;
  return uniform(key, index) >= drop;
}

function decide(policy: Policy, { name, drop }: RatedSite, kept: boolean): SitePlan {
  const scale = kept ? (policy.scale === 'inverted' ? 1 / (1 - drop) : 1) : 0;
  return Object.freeze({ name, drop, kept, scale });
}

function requireCount(field: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new ShallowsError(`drawPlan: ${field}: expected a whole number from 0, got ${shown(value)} - count from 0`);
  }
}
