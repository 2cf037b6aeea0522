import { scope, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../errors.js';
import { evaluation, type Pass } from '../nn/pass.js';
import { type PlannedPass, planSlot } from './planned-pass.js';
import { addBranch, type ResidualBlock, type Site } from './site.js';
import { meterSlot } from './work.js';

/**
 * Runs a residual block: `merge(shortcut(x), scale · branch(x))`, or `merge(shortcut(x), null)` where the plan drops it.
 *
 * A dropped branch is not called: it costs nothing, its parameters get no gradient and its batch statistics do not
 * move. Evaluation never drops and counts the branch `site.evaluationScale` times. The block's intermediates are
 * freed on return; autograd holds on to what it needs.
 *
 * @param x `[B, …]`, any rank
 * @throws ShallowsError when the site has a rate but the pass no plan, when the plan does not know the site, or when
 *   shortcut and branch differ in shape
 * @see Huang et al., "Deep networks with stochastic depth", ECCV 2016
 */
export function residual(block: ResidualBlock, x: Tensor, pass: Pass = evaluation): Tensor {
  const { site } = block;
  const planned = pass.mode === 'evaluation' ? undefined : pass.get(planSlot);
  const meter = pass.get(meterSlot);
  const scale =
    meter !== undefined ? 1 : planned !== undefined ? plannedScale(site, planned) : unplannedScale(site, pass);
  return scope(() => {
    let branch: Tensor | null = null;
    if (meter !== undefined) branch = meter(site.name, () => block.branch(x, pass));
    else if (scale !== 0) branch = block.branch(x, pass);
    planned?.executed.set(site.name, branch !== null);

    const shortcut = block.shortcut(x, pass);
    if (branch !== null) requireSameShape(site, shortcut, branch);
    return block.merge === undefined ? addBranch(shortcut, branch, scale) : block.merge(shortcut, branch, scale);
  });
}

function plannedScale(site: Site, { decisions, plan }: PlannedPass): number {
  const decision = decisions.get(site.name);
  if (decision === undefined) {
    const name = site.name === '' ? `an unnamed ${site.kind} site` : `the site '${site.name}'`;
    throw new ShallowsError(
      `residual: expected a plan for ${name}, got one for ${plan.sites.length} other sites - ` +
        'apply the policy to this model and draw the plan from what that returns',
    );
  }
  return decision.scale;
}

function unplannedScale(site: Site, pass: Pass): number {
  if (pass.training && site.drop > 0) {
    throw new ShallowsError(
      `residual: expected a plan for the site '${site.name}' (drop rate ${site.drop}), got a training pass without one - ` +
        'pass withPlan(pass, drawPlan(policy, sites, at)), or apply a policy with drop 0',
    );
  }
  return pass.training ? 1 : site.evaluationScale;
}

function requireSameShape(site: Site, shortcut: Tensor, branch: Tensor): void {
  const a = shortcut.shape;
  const b = branch.shape;
  if (a.length === b.length && a.every((size, i) => size === b[i])) return;
  throw new ShallowsError(
    `residual: expected shortcut and branch of one shape at the site '${site.name || site.kind}', ` +
      `got [${a.join(', ')}] and [${b.join(', ')}] - project the shortcut`,
  );
}
