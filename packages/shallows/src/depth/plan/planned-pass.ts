import { ShallowsError, shown } from '../../errors.js';
import { type Pass, passSlot } from '../../nn/pass.js';
import type { Plan, SitePlan } from './plan.js';

/** What `residual` did at a site: on `kept` of `of` rows the branch counts; one decision about a whole batch is 1 row. */
export interface Executed {
  readonly kept: number;
  readonly of: number;
}

/** A plan on its way through a forward pass, and what really happened to it. */
export interface PlannedPass {
  readonly plan: Plan;
  readonly decisions: ReadonlyMap<string, SitePlan>;
  /** By site name; written by `residual`, absent for a site that was never reached. */
  readonly executed: Map<string, Executed>;
}

/** Where a pass carries its plan. */
export const planSlot = passSlot<PlannedPass>('depth plan');

/**
 * A pass like the given one that follows a plan, with a fresh record of what runs.
 *
 * @throws ShallowsError for an evaluation pass, which never drops, and for a plan whose sites repeat or whose scales
 *   are not finite
 */
export function withPlan(pass: Pass, plan: Plan): Pass {
  if (pass.mode === 'evaluation') {
    throw new ShallowsError(
      'withPlan: expected a training or Monte-Carlo pass, got an evaluation pass - it drops nothing',
    );
  }
  const decisions = new Map<string, SitePlan>();
  for (const site of plan.sites) {
    if (decisions.has(site.name)) {
      throw new ShallowsError(`withPlan: expected each site once, got '${site.name}' twice - draw the plan anew`);
    }
    if (site.kept && !(site.scale > 0 && site.scale < Number.POSITIVE_INFINITY)) {
      throw new ShallowsError(
        `withPlan: expected a positive scale for the kept site '${site.name}', got ${shown(site.scale)} - draw the plan anew`,
      );
    }
    decisions.set(site.name, site);
  }
  return pass.with(planSlot, { plan, decisions, executed: new Map() });
}
