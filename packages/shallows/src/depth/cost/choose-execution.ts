import type { Tensor } from '@shallows/torch';
import { ShallowsError } from '../../errors.js';
import type { Pass } from '../../nn/pass.js';
import { deriveKey, rootKey } from '../../random/key.js';
import { fixedPlan, type Plan } from '../plan/plan.js';
import { drawRows, keptRows, type Rows } from '../plan/rows.js';
import { findSites } from '../policy/find-sites.js';
import { type Policy, requirePolicy } from '../policy/policy.js';
import { placesOf, type RatedSite, rateSites } from '../policy/rate-sites.js';
import { requireCount } from './block-cost.js';
import { leavingNoTrace, type MeasuredModel, medianTime, type StepTimer, stepTimer } from './block-cost-timer.js';

/** How one site avoids what is dropped, and why: frozen plain data, for a record. */
export interface ExecutionChoice {
  readonly site: string;
  readonly execution: 'gate' | 'subset' | 'mask';
  /** Median milliseconds of a step with this branch alone, either way; `null` where nothing was measured. */
  readonly ms: { readonly subset: number; readonly mask: number } | null;
  readonly why: string;
}

/** Options of {@link chooseExecution}. */
export interface ChooseOptions {
  readonly policy: Policy;
  /** Rows of a training batch, which `forward` must run on. */
  readonly rows: number;
  /** Steps that each median is of. */
  readonly repeats?: number;
  /** What measures a step, in place of the clock. */
  readonly time?: StepTimer;
}

/**
 * Settles execution `auto` by measurement. For the unit row, each site runs alone, forward and backward, with as many rows kept
 * as its rate keeps, once as `subset` and once as `mask`, `repeats` times in turn; the cheaper is chosen, `subset` where they are
 * equal. For the unit block `gate` is never dearer, and nothing is measured; any other execution is left as the policy has it.
 *
 * The results of both are equal where the branch treats rows alone; batch norm sees the kept rows under `subset` and all rows
 * under `mask`. Rates change under a schedule over time: this is for those of the policy.
 *
 * @param forward the forward pass on a batch of `rows`, `(pass) => model.forward(x, pass)`
 * @throws ShallowsError for counts that are no whole numbers from 1, and as `rateSites`
 */
export function chooseExecution(
  model: MeasuredModel,
  forward: (pass: Pass) => Tensor,
  { policy, rows, repeats = 5, time = stepTimer(model, forward) }: ChooseOptions,
): readonly ExecutionChoice[] {
  requirePolicy('chooseExecution', policy);
  requireCount('rows', rows, 1, 'chooseExecution');
  requireCount('repeats', repeats, 1, 'chooseExecution');
  const sites = rateSites(policy, placesOf(findSites(model)));
  const same = (execution: ExecutionChoice['execution'], why: string): readonly ExecutionChoice[] =>
    Object.freeze(sites.map(({ name }) => Object.freeze({ site: name, execution, ms: null, why })));
  if (policy.execution !== 'auto') return same(policy.execution, 'the policy says so');
  if (policy.unit === 'block') return same('gate', 'a dropped block is not called, which costs nothing');
  return leavingNoTrace(model, () =>
    Object.freeze(sites.map((site) => Object.freeze(measured(policy, sites, site, rows, repeats, time)))),
  );
}

/**
 * A plan in which each site with execution `auto` has the chosen one.
 *
 * @throws ShallowsError where such a site has no choice
 */
export function settleExecution(plan: Plan, choices: readonly ExecutionChoice[]): Plan {
  const chosen = new Map(choices.map(({ site, execution }) => [site, execution]));
  return Object.freeze({
    ...plan,
    sites: Object.freeze(
      plan.sites.map((site) => {
        if (site.execution !== 'auto') return site;
        const execution = chosen.get(site.name);
        if (execution !== undefined) return Object.freeze({ ...site, execution });
        throw new ShallowsError(
          `settleExecution: expected a choice for the site '${site.name}', got those of ${choices.length} others - ` +
            'choose for this model and policy',
        );
      }),
    ),
  });
}

function measured(
  policy: Policy,
  sites: readonly RatedSite[],
  { name, drop }: RatedSite,
  rows: number,
  repeats: number,
  time: StepTimer,
): ExecutionChoice {
  const some = drawRows(policy, rows, drop, deriveKey(rootKey(0), 'choose', name));
  const kept = keptRows(some);
  if (kept === 0 || kept === rows) {
    return { site: name, execution: 'subset', ms: null, why: `${kept} of ${rows} rows are kept: nothing to leave out` };
  }
  const plans = { subset: alone(policy, sites, name, some, 'subset'), mask: alone(policy, sites, name, some, 'mask') };
  const ms = { subset: [] as number[], mask: [] as number[] };
  const step = (way: 'subset' | 'mask'): number => {
    const { forwardMs, backwardMs } = time(plans[way]);
    return forwardMs + backwardMs;
  };
  step('subset');
  step('mask');
  for (let repeat = 0; repeat < repeats; repeat++) {
    // Whoever goes second finds warm caches: they take turns.
    const order = repeat % 2 === 0 ? (['subset', 'mask'] as const) : (['mask', 'subset'] as const);
    for (const way of order) ms[way].push(step(way));
  }
  const middle = (times: readonly number[]): number =>
    medianTime(times.map((each) => ({ forwardMs: each, backwardMs: 0 }))).forwardMs;
  const medians = Object.freeze({ subset: middle(ms.subset), mask: middle(ms.mask) });
  const execution = medians.subset <= medians.mask ? 'subset' : 'mask';
  const other = execution === 'subset' ? 'mask' : 'subset';
  const why =
    `${execution} took ${medians[execution].toPrecision(3)} ms, ${other} ${medians[other].toPrecision(3)} ms ` +
    `with ${kept} of ${rows} rows kept`;
  return { site: name, execution, ms: medians, why };
}

/** The plan in which one site runs on some rows, and no other runs. */
function alone(
  policy: Policy,
  sites: readonly RatedSite[],
  name: string,
  rows: Rows,
  execution: 'subset' | 'mask',
): Plan {
  const dropped = sites.filter((site) => site.name !== name).map((site) => site.name);
  const plan = fixedPlan(policy, sites, dropped, { [name]: rows });
  return Object.freeze({
    ...plan,
    // A masked branch is computed also where it is dropped: the others must not be.
    sites: plan.sites.map((site) => ({ ...site, execution: site.name === name ? execution : ('subset' as const) })),
  });
}
