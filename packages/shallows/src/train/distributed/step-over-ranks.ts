import {
  type BranchParameters,
  drawPlan,
  type ExecutionChoice,
  gradless,
  type Moment,
  type Plan,
  type Policy,
  type RatedSite,
  settleExecution,
} from '../../depth/index.js';
import type { Key } from '../../random/index.js';
import { partRows } from '../microbatches.js';

/** A training step as all ranks take it. */
export interface StepOverRanks {
  readonly policy: Policy;
  /** From `applyPolicy`. */
  readonly sites: readonly RatedSite[];
  /** What every drop decision derives from, the same on all ranks. */
  readonly key: Key;
  readonly step: number;
  /** Rows of the global batch that each rank has, in the order of ranks. */
  readonly rows: readonly number[];
  /** Into how many parts each rank splits its rows. */
  readonly microbatches?: number;
  /** How far the run is; needed for a schedule over time, and the same on all ranks. */
  readonly moment?: Moment;
  /** How dropped branches are avoided where the policy leaves that open: the same on all ranks, so measured by one. */
  readonly executions?: readonly ExecutionChoice[] | null;
}

/**
 * What all ranks drop in a step, drawn by each of them alone: `plans[rank][microbatch]`. A rank without rows has no plan. Plans
 * are pure functions of where they are, so nothing is sent.
 *
 * @throws ShallowsError as `drawPlan` does
 */
export function plansOverRanks(step: StepOverRanks): readonly (readonly Plan[])[] {
  const { policy, rows, microbatches = 1 } = step;
  // Ranks that share decisions have one plan a microbatch; where rows are dropped, one for each number of rows.
  const drawn = new Map<string, Plan>();
  let first = 0;
  return rows.map((own, rank) => {
    const from = first;
    first += own;
    return partRows(own, microbatches).map((part, microbatch) => {
      const at = { microbatch, rank, rows: part.rows, firstRow: from + part.firstRow };
      if (policy.ranks !== 'shared') return draw(step, at);
      const same = `${microbatch} ${policy.unit === 'row' ? part.rows : ''}`;
      const plan = drawn.get(same) ?? draw(step, at);
      drawn.set(same, plan);
      return plan;
    });
  });
}

function draw(
  { policy, sites, key, step, moment, executions = null }: StepOverRanks,
  at: { readonly microbatch: number; readonly rank: number; readonly rows: number; readonly firstRow: number },
): Plan {
  const plan = drawPlan(policy, sites, { key, step, ...at, ...(moment === undefined ? {} : { moment }) });
  return executions === null ? plan : settleExecution(plan, executions);
}

/** Keys of the parameters that a step gives no gradient. */
export interface MissingGradients {
  /** Those that get none on any rank, in any microbatch. */
  readonly absent: readonly string[];
  /** Those to which this rank's last backward pass gives none, though some pass of some rank does. */
  readonly localAbsent: readonly string[];
}

/**
 * Which gradients ranks need not wait for in a step: what `Parallel.beginStep` is told. A pure function of plain data.
 *
 * @param plans from {@link plansOverRanks}
 * @param branches from `branchParameters`
 */
export function missingGradients(
  plans: readonly (readonly Plan[])[],
  rank: number,
  branches: BranchParameters,
): MissingGradients {
  const absent = gradless(plans.flat(), branches);
  const nowhere = new Set(absent);
  const last = plans[rank]?.at(-1);
  const missing = last === undefined ? branches.learnt : gradless(last, branches);
  return { absent, localAbsent: missing.filter((key) => !nowhere.has(key)) };
}
