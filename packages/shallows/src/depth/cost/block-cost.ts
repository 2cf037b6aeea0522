import type { Tensor } from '@shallows/torch';
import { ShallowsError, shown } from '../../errors.js';
import type { Pass } from '../../nn/pass.js';
import { fixedPlan, type Plan } from '../plan/plan.js';
import { findSites } from '../policy/find-sites.js';
import { Policy } from '../policy/policy.js';
import { placesOf, rateSites } from '../policy/rate-sites.js';
import { compensatedSum } from '../profile/compensated-sum.js';
import {
  leavingNoTrace,
  type MeasuredModel,
  medianTime,
  type StepTime,
  type StepTimer,
  stepTimer,
} from './block-cost-timer.js';
import { measureWork, type Work } from './work.js';

/** What a part of a training step takes, in milliseconds. */
export interface PartCost extends StepTime {
  /** Forward and backward. */
  readonly ms: number;
}

/** What the branch of one site takes. */
export interface BlockCost extends PartCost {
  readonly name: string;
  /** FLOPs of its forward pass on the same batch. */
  readonly flops: number;
}

/** Where the time of a training step goes: frozen plain data, JSON keeps it. The optimizer's step is not in it. */
export interface BlockCosts {
  /** The branches that a policy may drop, in forward order. */
  readonly sites: readonly BlockCost[];
  /** What no policy saves: the step with every branch dropped. */
  readonly rest: PartCost;
  /** The whole step, measured with every branch running. Nearly the sum of the parts. */
  readonly full: PartCost;
  /** Steps that each median is of. */
  readonly repeats: number;
  readonly work: Work;
}

/** Options of {@link measureCosts}. */
export interface CostOptions {
  /** Steps that each median is of, at most. */
  readonly repeats?: number;
  /** Whole steps that run before the first is timed. */
  readonly warmup?: number;
  /** Milliseconds after which no repeat begins; the first always runs. */
  readonly limitMs?: number;
  /** What measures a step, in place of the clock. */
  readonly time?: StepTimer;
  /** Told what is done, as a share of 1; 1 once, at the end. */
  readonly onProgress?: (share: number) => void;
}

/** After so many sites the step without branches is timed once more, so that a drift of the machine cancels. */
const SITES_PER_REST = 8;

const plain = Policy({ drop: 0 });

/**
 * Measures what the branch of each site takes in a training step: the time of a step with this branch alone, above that of a
 * step without any; medians over `repeats`, forward and backward apart.
 *
 * The model stays as it is, running means and gradients included; only its sites get their names. Takes about
 * `repeats` × (2 + the sites' number × the rest's share) whole steps.
 *
 * @param forward the forward pass on a batch of the size that will be trained on, `(pass) => model.forward(x, pass)`
 * @throws ShallowsError for counts that are no whole numbers, or a model without sites
 */
export function measureCosts(
  model: MeasuredModel,
  forward: (pass: Pass) => Tensor,
  options: CostOptions = {},
): BlockCosts {
  requireCount('repeats', options.repeats ?? 1, 1);
  requireCount('warmup', options.warmup ?? 0, 0);
  const sites = rateSites(plain, placesOf(findSites(model)));
  const names = sites.map(({ name }) => name);
  if (names.length === 0) {
    throw new ShallowsError('measureCosts: expected a model with sites, got none - run its blocks through residual()');
  }
  const only = (kept: (name: string) => boolean): Plan =>
    fixedPlan(
      plain,
      sites,
      names.filter((name) => !kept(name)),
    );
  const plans = {
    all: only(() => true),
    none: only(() => false),
    alone: names.map((name) => only((other) => other === name)),
  };
  const work = measureWork(forward);
  const times = leavingNoTrace(model, () => timed(plans, { time: stepTimer(model, forward), ...options }));
  const rest = medianTime(times.none);
  return Object.freeze({
    sites: Object.freeze(
      names.map((name, i) => {
        const { forwardMs, backwardMs } = medianTime(times.alone[i] ?? []);
        const above = part({
          forwardMs: Math.max(0, forwardMs - rest.forwardMs),
          backwardMs: Math.max(0, backwardMs - rest.backwardMs),
        });
        return Object.freeze({ name, ...above, flops: work.branchFlops[name] ?? 0 });
      }),
    ),
    rest: part(rest),
    full: part(medianTime(times.all)),
    repeats: times.all.length,
    work,
  });
}

interface Timed<T> {
  readonly all: T;
  readonly none: T;
  readonly alone: readonly T[];
}

function timed(plans: Timed<Plan>, options: CostOptions & { readonly time: StepTimer }): Timed<readonly StepTime[]> {
  const { repeats = 5, warmup = 1, limitMs = Number.POSITIVE_INFINITY, time, onProgress } = options;
  const start = performance.now();
  const all: StepTime[] = [];
  const none: StepTime[] = [];
  const alone = plans.alone.map((): StepTime[] => []);
  for (let step = 0; step < warmup; step++) {
    time(plans.all);
    time(plans.none);
  }
  for (let repeat = 0; repeat < repeats && (repeat === 0 || performance.now() - start < limitMs); repeat++) {
    all.push(time(plans.all));
    plans.alone.forEach((plan, i) => {
      if (i % SITES_PER_REST === 0) none.push(time(plans.none));
      alone[i]?.push(time(plan));
      const share = (repeat + (i + 1) / alone.length) / repeats;
      if (share < 1) onProgress?.(share);
    });
  }
  onProgress?.(1);
  return { all, none, alone };
}

/** What a policy makes of a cost: frozen plain data. */
export interface ExpectedCost {
  /** With every branch, in the cost's own unit. */
  readonly full: number;
  /** In the mean step of the policy. */
  readonly expected: number;
  /** `1 − expected / full` */
  readonly saved: number;
}

/**
 * The mean cost of a step in which each branch runs with probability 1 − rate: rest + Σ (1 − rate) · cost. Milliseconds from
 * measured costs, forward FLOPs from a `Work`. A branch that runs on some rows is taken to cost their share.
 *
 * @param sites the rated sites of a policy
 * @throws ShallowsError where the cost lacks a site
 */
export function expectedCost(
  cost: BlockCosts | Work,
  sites: readonly { readonly name: string; readonly drop: number }[],
): ExpectedCost {
  const { full, branch } = costParts('expectedCost', cost);
  const saved = compensatedSum(sites.map(({ name, drop }) => drop * branch(name)));
  return Object.freeze({ full, expected: full - saved, saved: full === 0 ? 0 : saved / full });
}

/** @internal A cost as its whole and the part of each site, so that the parts never exceed the whole. */
export function costParts(fn: string, cost: BlockCosts | Work): { full: number; branch: (name: string) => number } {
  const timed = 'sites' in cost;
  const parts = new Map(timed ? cost.sites.map(({ name, ms }) => [name, ms]) : Object.entries(cost.branchFlops));
  return {
    full: timed ? cost.rest.ms + compensatedSum([...parts.values()]) : cost.totalFlops,
    branch: (name) => {
      const value = parts.get(name);
      if (value !== undefined) return value;
      throw new ShallowsError(`${fn}: expected the cost of the site '${name}', got none - measure this model`);
    },
  };
}

function part({ forwardMs, backwardMs }: StepTime): PartCost {
  return Object.freeze({ forwardMs, backwardMs, ms: forwardMs + backwardMs });
}

/** @internal */
export function requireCount(field: string, value: number, least: number, fn = 'measureCosts'): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new ShallowsError(`${fn}: ${field}: expected a whole number from ${least}, got ${shown(value)} - 5 is usual`);
}
