import { ShallowsError, shown } from '../../errors.js';
import { findSites, type ModuleTree } from './find-sites.js';
import type { Policy } from './policy.js';
import { placesOf, type RatedSite, rateSites } from './rate-sites.js';
import type { Site } from './site.js';

/**
 * Binds a policy to a model: names its sites, rates them, and sets how each branch counts in evaluation.
 *
 * Weights and state are untouched. Applying another policy later replaces this one, also one that starts from rate 0;
 * `Policy({ drop: 0 })` gives the plain network back.
 *
 * @returns the rated sites, which `drawPlan` takes
 * @throws as `rateSites`; the model is then unchanged but for the names of its sites
 */
export function applyPolicy(target: ModuleTree | readonly Site[], policy: Policy): readonly RatedSite[] {
  const sites = 'namedModules' in target ? findSites(target) : target;
  const rated = rateSites(policy, placesOf(sites));
  const rates = new Map(rated.map(({ name, drop }) => [name, drop]));
  const applied = Object.freeze({ unit: policy.unit, scale: policy.scale });
  for (const site of sites) {
    site.drop = rates.get(site.name) ?? 0;
    site.applied = applied;
  }
  setEvaluation(sites, policy, 1);
  return rated;
}

/**
 * Sets how each branch counts in evaluation while the rates are `factor` times those of the policy: under `paper`
 * scaling 1 − factor · drop, else 1. Trainers call it before they evaluate in the middle of a schedule over time.
 *
 * @throws ShallowsError for a factor outside [0, 1]
 */
export function setEvaluation(target: ModuleTree | readonly Site[], policy: Policy, factor: number): void {
  if (!(factor >= 0 && factor <= 1)) {
    throw new ShallowsError(
      `setEvaluation: expected a factor in [0, 1], got ${shown(factor)} - take it from timeFactor`,
    );
  }
  const sites = 'namedModules' in target ? findSites(target) : target;
  for (const site of sites) site.evaluationScale = policy.scale === 'paper' ? 1 - factor * site.drop : 1;
}
