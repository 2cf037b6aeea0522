import { grad, isTensor, ones, scope, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../../errors.js';
import { evaluation, type Pass } from '../../nn/pass.js';
import { meterSlot } from '../cost/work.js';
import type { Plan, SitePlan } from '../plan/plan.js';
import { findSites, type ModuleTree } from '../policy/find-sites.js';
import { branchSlot } from './run-branch.js';

/** A model whose parameters have keys. */
export interface ParameterTree extends ModuleTree {
  namedParameters(): Iterable<readonly [key: string, parameter: Tensor]>;
}

/** What one run of a branch learns. */
export interface BranchUse {
  /** Name of the site. */
  readonly site: string;
  /** Sites whose branches it runs inside of, outermost first; mostly none. */
  readonly within: readonly string[];
  /** Keys of the parameters that get a gradient from it. */
  readonly parameters: readonly string[];
}

/** Where the gradients of a model's parameters come from: frozen plain data, from {@link branchParameters}. */
export interface BranchParameters {
  /** Keys of all parameters that are learnt. */
  readonly learnt: readonly string[];
  /** Those that get a gradient whatever is dropped. */
  readonly always: readonly string[];
  /** What each branch adds, in the order in which they run. */
  readonly branches: readonly BranchUse[];
}

/**
 * Finds which parameters are learnt through which branches, by one evaluation with gradients in which every branch is cut
 * off: `branchParameters(model, (pass) => model.forward(x, pass))`.
 *
 * What autograd finds counts and not where a parameter is kept, so modules that several branches share are right, and so
 * are tensors that come to branches beside `x`. Nothing is learnt or counted in the model. The cost is that of one forward
 * and backward pass; one row of input is enough.
 *
 * @param forward gives the tensor or the tensors that a loss would be taken of
 * @throws ShallowsError where the outputs do not depend on any parameter
 */
export function branchParameters(
  model: ParameterTree,
  forward: (pass: Pass) => Tensor | readonly Tensor[],
): BranchParameters {
  findSites(model);
  const named = [...model.namedParameters()].filter(([, { requiresGrad }]) => requiresGrad);
  const learnt = named.map(([key]) => key);
  const parameters = named.map(([, parameter]) => parameter);
  const behind = (outputs: readonly Tensor[]): readonly string[] => {
    const found = outputs.filter(({ requiresGrad }) => requiresGrad);
    if (found.length === 0 || parameters.length === 0) return [];
    const gradOutputs = found.map(({ shape, dtype, device }) => ones(shape, { dtype, device }));
    const grads = grad(found, parameters, { gradOutputs, allowUnused: true, retainGraph: true });
    return learnt.filter((_, i) => grads[i] !== null);
  };

  const branches: BranchUse[] = [];
  const running: string[] = [];
  const pass = evaluation
    // The meter runs every branch, also one that counts for nothing in evaluation.
    .with(meterSlot, (_, branch) => branch())
    .with(branchSlot, (block, x, inner, extras) => {
      const { name, droppable } = block.site;
      if (!droppable) return block.branch(x, inner, extras);
      const within = [...running];
      running.push(name);
      // What comes before is learnt through the shortcut too: only what the branch adds to that is its own.
      const y = block.branch(x.detach(), inner, extras);
      running.pop();
      branches.push({ site: name, within, parameters: scope(() => behind([y])) });
      return y.detach();
    });
  const always = scope(() => {
    const outputs = forward(pass);
    return behind(isTensor(outputs) ? [outputs] : outputs);
  });
  if (always.length === 0 && branches.every((use) => use.parameters.length === 0)) {
    throw new ShallowsError(
      'branchParameters: expected outputs that parameters are learnt from, got none - give what the loss is taken of, outside of noGrad',
    );
  }
  return Object.freeze({ learnt, always, branches });
}

/**
 * The keys of the parameters that get no gradient from a plan; of several plans (microbatches, or all ranks), those that
 * get none from any. What a data-parallel reducer must know in advance: it need not search the graph for unused parameters.
 *
 * A pure function of plain data. Where execution is `mask` a dropped branch is computed and its parameters get gradients
 * of zero, so they are not among these; see {@link droppedParameters}.
 */
export function gradless(plans: Plan | readonly Plan[], { learnt, always, branches }: BranchParameters): string[] {
  const reached = reachedBy(plans, branches, ({ kept, execution }) => kept || execution === 'mask');
  for (const key of always) reached.add(key);
  return learnt.filter((key) => !reached.has(key));
}

/**
 * The keys of the parameters of which plans drop every branch that they are in, whether or not it was computed: what the
 * policy's `optimizer` is about. A parameter that no branch has is not among them.
 */
export function droppedParameters(plans: Plan | readonly Plan[], { always, branches }: BranchParameters): string[] {
  const kept = reachedBy(plans, branches, (site) => site.kept);
  for (const key of always) kept.add(key);
  const theirs = new Set(branches.flatMap(({ parameters }) => parameters));
  return [...theirs].filter((key) => !kept.has(key));
}

/** The parameters of the branches that run; a site that a plan does not know, as it cannot be dropped, does. */
function reachedBy(
  plans: Plan | readonly Plan[],
  branches: readonly BranchUse[],
  runs: (site: SitePlan) => boolean,
): Set<string> {
  const reached = new Set<string>();
  for (const { sites } of 'sites' in plans ? [plans] : plans) {
    const out = new Set(sites.filter((site) => !runs(site)).map(({ name }) => name));
    for (const { site, within, parameters } of branches) {
      if (out.has(site) || within.some((name) => out.has(name))) continue;
      for (const key of parameters) reached.add(key);
    }
  }
  return reached;
}
