import { didYouMean, ShallowsError, shown } from '../../errors.js';
import { uniform } from '../../random/draws.js';
import { deriveKey, type Key } from '../../random/key.js';
import type { Policy } from '../policy/policy.js';
import type { RatedSite } from '../policy/rate-sites.js';
import { type Moment, timeFactor } from '../policy/time-schedule.js';
import { drawBudget } from './budget.js';
import { drawRows, independentRows, keptRows, type Rows } from './rows.js';

/** What a plan decides about one site. */
export interface SitePlan {
  readonly name: string;
  /** The rate at which it was drawn, in [0, 1]. */
  readonly drop: number;
  /** False where the branch does not run at all. */
  readonly kept: boolean;
  /** The rows that keep the branch; `null` where the decision was about the whole batch. */
  readonly rows: Rows | null;
  /** Factor on the branch where it is kept, 0 where it does not run. Always finite. */
  readonly scale: number;
  /** How what is dropped is avoided; `auto` is settled by `chooseExecution` or means the policy's cheapest. */
  readonly execution: Policy['execution'];
}

/**
 * Every drop decision of one forward pass, made before it runs: frozen plain data that JSON keeps exactly.
 */
export interface Plan {
  readonly step: number;
  readonly microbatch: number;
  /** The rank it holds for; `null` where all ranks share it. */
  readonly rank: number | null;
  /** Factor of the schedule over time on every rate. */
  readonly factor: number;
  /** One entry a site, in forward order. */
  readonly sites: readonly SitePlan[];
}

/** Where in a run a plan is drawn. */
export interface PlanAt {
  /** The key of the run. */
  readonly key: Key;
  /** Optimizer step, from 0. */
  readonly step: number;
  /** Part of an accumulated batch, from 0; not read where each `sample` decides. */
  readonly microbatch?: number;
  /** Data-parallel rank, from 0; only read where the policy's ranks are `independent`. */
  readonly rank?: number;
  /** Rows of the batch that this pass sees: needed for the unit row. */
  readonly rows?: number;
  /** Number of its first row in the global batch of the step, over all ranks and microbatches; read where each `sample` decides. */
  readonly firstRow?: number;
  /** How far the run is: needed for a schedule over time. */
  readonly moment?: Moment;
}

/**
 * Draws the plan of a forward pass. Unit block: site s is dropped where u(key, step, microbatch[, rank], name of s) < rate
 * of s. Unit row: the kept rows of each site are drawn likewise; where each `sample` decides, from its number in the global
 * batch of the step alone.
 *
 * A pure function: equal arguments give equal plans in any process, thread, order and on any device, and a site's
 * decisions do not depend on which other sites exist (but for a budget, which is about all of them).
 *
 * @param sites from `applyPolicy` or `rateSites`
 * @throws ShallowsError for a step, microbatch, rank or row that is no whole number from 0, rows or moment missing
 */
export function drawPlan(policy: Policy, sites: readonly RatedSite[], at: PlanAt): Plan {
  const { step, microbatch = 0, rank = 0, rows, firstRow = 0, moment } = at;
  requireCounts({ step, microbatch, rank, firstRow, rows: rows ?? 0 });
  const factor = factorAt(policy, moment);
  const perSample = policy.ranks === 'sample';
  const common = perSample ? deriveKey(at.key, 'depth', step, 'sample') : deriveKey(at.key, 'depth', step, microbatch);
  const key = policy.ranks === 'independent' ? deriveKey(common, 'rank', rank) : common;
  const rated = factor === 1 ? sites : sites.map((site) => ({ ...site, drop: site.drop * factor }));
  return Object.freeze({
    step,
    microbatch: perSample ? 0 : microbatch,
    rank: policy.ranks === 'independent' ? rank : null,
    factor,
    sites: Object.freeze(
      policy.unit === 'row'
        ? rated.map((site) => decideRows(policy, site, rowsOf(policy, site, requireRows(rows), firstRow, key)))
        : drawBlocks(policy, rated, key),
    ),
  });
}

/**
 * The plan that drops exactly the named sites and keeps the others, or the given rows of them, scaled as the policy says:
 * for replays, tests and comparisons with other systems.
 *
 * @param rows the kept rows of sites that are dropped in part
 * @throws ShallowsError for a name that no site has, or a kept site of rate 1 under `inverted` scaling
 */
export function fixedPlan(
  policy: Policy,
  sites: readonly RatedSite[],
  dropped: readonly string[],
  rows: Readonly<Record<string, Rows>> = {},
): Plan {
  const names = sites.map((site) => site.name);
  for (const name of [...dropped, ...Object.keys(rows)]) {
    if (!names.includes(name)) {
      const hint = didYouMean(name, names);
      throw new ShallowsError(`fixedPlan: expected the name of a site, got '${name}'${hint} - use a name of findSites`);
    }
  }
  const decisions = sites.map((site) => {
    const some = Object.hasOwn(rows, site.name) ? rows[site.name] : undefined;
    return some === undefined
      ? decide(policy, site, !dropped.includes(site.name))
      : decideRows(policy, site, Object.freeze(some));
  });
  for (const { name, kept, scale } of decisions) {
    if (kept && !Number.isFinite(scale)) {
      throw new ShallowsError(
        `fixedPlan: expected '${name}' dropped, as its rate is 1, got it kept - name it as dropped`,
      );
    }
  }
  return Object.freeze({ step: 0, microbatch: 0, rank: null, factor: 1, sites: Object.freeze(decisions) });
}

function drawBlocks(policy: Policy, sites: readonly RatedSite[], key: Key): readonly SitePlan[] {
  if (policy.budget === null) return sites.map((site) => decide(policy, site, keeps(key, site)));
  const rates = sites.map(({ drop }) => drop);
  const dropped = drawBudget(rates, policy.budget, deriveKey(key, 'budget'));
  return sites.map((site, i) => decide(policy, site, dropped[i] !== true));
}

function keeps(key: Key, { drop, index }: RatedSite): boolean {
  if (drop === 0) return true;
  if (drop === 1) return false;
  return uniform(key, index) >= drop;
}

function rowsOf(policy: Policy, { drop, index }: RatedSite, rows: number, firstRow: number, key: Key): Rows {
  if (drop === 0) return Object.freeze({ of: rows, start: 0, length: rows });
  const own = deriveKey(key, index);
  if (policy.ranks !== 'sample') return drawRows(policy, rows, drop, own);
  return independentRows(
    Array.from({ length: rows }, (_, row) => uniform(own, firstRow + row)),
    drop,
  );
}

function decide(policy: Policy, { name, drop }: RatedSite, kept: boolean): SitePlan {
  const scale = kept ? keptScale(policy, drop, 1) : 0;
  return Object.freeze({ name, drop, kept, rows: null, scale, execution: policy.execution });
}

function decideRows(policy: Policy, { name, drop }: RatedSite, rows: Rows): SitePlan {
  const count = keptRows(rows);
  const kept = count > 0;
  const scale = kept ? keptScale(policy, drop, rows.of / count) : 0;
  return Object.freeze({ name, drop, kept, rows, scale, execution: policy.execution });
}

function keptScale({ scale }: Policy, drop: number, realised: number): number {
  if (scale === 'inverted') return 1 / (1 - drop);
  return scale === 'realised' ? realised : 1;
}

function factorAt({ time }: Policy, moment: Moment | undefined): number {
  if (time.kind === 'constant') return 1;
  if (moment !== undefined) return timeFactor(time, moment);
  throw new ShallowsError(
    `drawPlan: expected the moment for a policy with a ${time.kind} over time, got none - give { batch, timeline }`,
  );
}

function requireRows(rows: number | undefined): number {
  if (rows !== undefined) return rows;
  throw new ShallowsError('drawPlan: expected the rows of the batch for unit row, got none - give rows: x.shape[0]');
}

function requireCounts(counts: Readonly<Record<string, number>>): void {
  for (const [field, value] of Object.entries(counts)) {
    if (Number.isSafeInteger(value) && value >= 0) continue;
    throw new ShallowsError(`drawPlan: ${field}: expected a whole number from 0, got ${shown(value)} - count from 0`);
  }
}
