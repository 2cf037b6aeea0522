import { Operator, scope, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../../errors.js';
import { evaluation, type Pass } from '../../nn/pass.js';
import { spread, spreadAlong } from '../../nn/spread.js';
import { skipSlot } from '../after-training/early-exit.js';
import { meterSlot } from '../cost/work.js';
import { addBranch, joinRelu, type Partial, runMasked, runSubset } from '../plan/partial.js';
import type { SitePlan } from '../plan/plan.js';
import { type PlannedPass, planSlot } from '../plan/planned-pass.js';
import type { ResidualBlock, Site } from '../policy/site.js';
import { runBranch } from './run-branch.js';

const relu_ = new Operator('aten::relu_');

const whole: readonly (Tensor | null)[] = Object.freeze([]);

/**
 * Runs a residual block: `activation(shortcut(x) + scale · branch(x))`. Where the plan drops the branch for the whole batch
 * it is `activation(shortcut(x))`, or `x` itself where that is the shortcut; where it drops rows, each row is one or the
 * other.
 *
 * A dropped branch is not called, or called with the kept rows alone: it costs nothing, its parameters get no gradient
 * from what was dropped, and batch statistics are those of the kept rows. Only under execution `mask` all of it is computed
 * and then left out. Evaluation drops nothing but what `skipSites` names, and counts the branch `site.evaluationScale`
 * times. The block's intermediates are freed on return; autograd holds on to what it needs.
 *
 * @param x `[B, …]`, any rank
 * @param extras tensors `[B, …]` that the branch reads beside `x`, such as attention masks: gathered with its rows
 * @throws ShallowsError when the site has a rate but the pass no plan, when the plan does not know the site or is for another
 *   number of rows, or when shortcut and branch differ in shape
 * @see Huang et al., "Deep networks with stochastic depth", ECCV 2016
 */
export function residual(
  block: ResidualBlock,
  x: Tensor,
  pass: Pass = evaluation,
  extras: readonly (Tensor | null)[] = whole,
): Tensor {
  const { site } = block;
  if (pass.get(skipSlot)?.has(site.name) === true) return scope(() => skip(block, x, pass));
  const meter = pass.get(meterSlot);
  if (meter !== undefined) {
    return scope(() =>
      sum(
        block,
        x,
        pass,
        meter(site.name, () => runBranch(block, x, pass, extras)),
        site.evaluationScale,
      ),
    );
  }
  const planned = pass.mode === 'evaluation' || !site.droppable ? undefined : pass.get(planSlot);
  if (planned === undefined) {
    const scale = unplannedScale(site, pass);
    return scope(() =>
      scale === 0
        ? skip(block, x, pass)
        : sum(block, x, pass, runBranch(block, x, pass, along(extras, x, pass)), scale),
    );
  }
  const decision = decisionFor(site, planned);
  return scope(() => follow(block, { x, pass, extras }, decision, planned));
}

function follow(block: ResidualBlock, input: Partial, decision: SitePlan, planned: PlannedPass): Tensor {
  const { rows, scale, kept, execution } = decision;
  const { pass, extras } = input;
  const x = rows === null ? input.x : spread(input.x, pass, block.site.name);
  const { executed } = planned;
  const { name } = block.site;
  if (rows !== null) requireRows(block.site, x, rows.of);
  const count = rows === null ? Number(kept) : 'index' in rows ? rows.index.length : rows.length;
  executed.set(name, { kept: count, of: rows?.of ?? 1 });
  // Computed and left out, for parity with systems that do so.
  const own = { x, pass, extras: along(extras, x, pass) };
  if (execution === 'mask') return finish(block, runMasked(block, own, rows, count, scale));
  if (!kept) return skip(block, x, pass);
  if (rows === null || count === rows.of) return sum(block, x, pass, runBranch(block, x, pass, own.extras), scale);
  const joined = runSubset(block, own, rows, scale);
  return block.activation === 'relu' ? joined : finish(block, joined);
}

/** What goes along with x, for the passes that x has rows for. */
function along(extras: readonly (Tensor | null)[], x: Tensor, pass: Pass): readonly (Tensor | null)[] {
  return extras.length === 0 ? extras : extras.map((each) => each && spreadAlong(each, x, pass));
}

/** The block without its branch. */
function skip(block: ResidualBlock, x: Tensor, pass: Pass): Tensor {
  const shortcut = block.shortcut(x, pass);
  return shortcut === x ? x : finish(block, shortcut);
}

function sum(block: ResidualBlock, x: Tensor, pass: Pass, branch: Tensor, scale: number): Tensor {
  // A branch that is random itself has more rows than the shortcut where the pass stands for several.
  const shortcut = spreadAlong(block.shortcut(x, pass), branch, pass);
  requireSameShape(block.site, shortcut, branch);
  // In training the relu is formed in the pass that adds, and its gradient in the one that shares it out.
  if (pass.training && block.activation === 'relu' && branch.shape.length > 0) return joinRelu(shortcut, branch, scale);
  return finish(block, addBranch(shortcut, branch, scale));
}

function finish(block: ResidualBlock, y: Tensor): Tensor {
  const { activation } = block;
  if (activation === undefined) return y;
  return activation === 'relu' ? (relu_.call([y]) as Tensor) : activation.call(block, y);
}

function decisionFor(site: Site, { decisions, plan }: PlannedPass): SitePlan {
  const decision = decisions.get(site.name);
  if (decision !== undefined) return decision;
  const name = site.name === '' ? `an unnamed ${site.kind} site` : `the site '${site.name}'`;
  throw new ShallowsError(
    `residual: expected a plan for ${name}, got one for ${plan.sites.length} other sites - ` +
      'apply the policy to this model and draw the plan from what that returns',
  );
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

function requireRows(site: Site, x: Tensor, rows: number): void {
  const batch = x.shape[0];
  if (batch === rows) return;
  throw new ShallowsError(
    `residual: expected ${rows} rows at the site '${site.name}', as the plan has it, got ${batch ?? 'a tensor without rows'} - ` +
      'draw the plan with rows: x.shape[0]',
  );
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
