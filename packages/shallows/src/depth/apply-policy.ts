import { ShallowsError } from '../errors.js';
import { indexOf } from '../random/key.js';
import { findSites, type ModuleTree, requireNames } from './find-sites.js';
import type { Policy } from './policy.js';
import { PolicyError } from './policy-error.js';
import { depthSchedules } from './schedule.js';
import type { Site } from './site.js';

/** A site as a plan sees it: frozen plain data. */
export interface RatedSite {
  readonly name: string;
  /** Drop rate, in [0, 1]. */
  readonly drop: number;
  /** Where under a step's key the site draws: a function of its name alone, so other sites cannot shift its luck. */
  readonly index: number;
}

/**
 * The drop rate of each site under a policy, without touching a model.
 *
 * @param names the sites in forward order
 * @throws PolicyError when a list of rates has another length
 * @throws ShallowsError when names are empty or repeated, or a non-zero rate reaches no site
 */
export function rateSites(policy: Policy, names: readonly string[]): readonly RatedSite[] {
  requireNames('rateSites', names);
  const rates = ratesOf(policy, names.length);
  if (policy.drop > 0 && !rates.some((rate) => rate > 0)) throw new ShallowsError(unreached(policy, names));
  return Object.freeze(
    names.map((name, i) => Object.freeze({ name, drop: rates[i] ?? 0, index: indexOf('site', name) })),
  );
}

/**
 * Binds a policy to a model: names its sites, rates them, and sets how each branch counts in evaluation.
 *
 * Weights and state are untouched. Applying another policy later replaces this one; `Policy({ drop: 0 })` gives the
 * plain network back.
 *
 * @returns the rated sites, which `drawPlan` takes
 * @throws as `rateSites`; the model is then unchanged but for the names of its sites
 */
export function applyPolicy(target: ModuleTree | readonly Site[], policy: Policy): readonly RatedSite[] {
  const sites = 'namedModules' in target ? findSites(target) : target;
  const rated = rateSites(
    policy,
    sites.map((site) => site.name),
  );
  sites.forEach((site, i) => {
    const drop = rated[i]?.drop ?? 0;
    site.drop = drop;
    site.evaluationScale = policy.scale === 'paper' ? 1 - drop : 1;
  });
  return rated;
}

function ratesOf(policy: Policy, count: number): readonly number[] {
  const { drop, schedule, rates } = policy;
  if (schedule !== 'list') return depthSchedules[schedule](drop, count);
  if (rates?.length === count) return rates;
  const message = `expected one rate a site, ${count}, got ${rates?.length ?? 0} - list them in forward order`;
  throw new PolicyError([{ field: 'rates', message }]);
}

function unreached({ drop, schedule }: Policy, names: readonly string[]): string {
  if (names.length === 0) {
    return (
      `applyPolicy: expected blocks for the drop rate ${drop}, got a model without sites - ` +
      'give its residual blocks a `site` and run them through residual(), or set drop to 0'
    );
  }
  return (
    `applyPolicy: expected the drop rate ${drop} to reach a block, got rate 0 for ${names.length === 1 ? 'the only site' : `all ${names.length} sites`} ` +
    `(${names.slice(0, 3).join(', ')}) - the schedule '${schedule}' gives the first block 0: use 'linear' or 'uniform'`
  );
}
