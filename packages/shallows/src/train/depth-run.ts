import { clearGrads, gradsOf, scope, type Tensor, zeros } from '@shallows/torch';
import {
  type BranchParameters,
  branchParameters,
  chooseExecution,
  DepthLedger,
  type DepthReport,
  droppedParameters,
  type ExecutionChoice,
  keptRows,
  type Moment,
  measureWork,
  type Plan,
  type Policy,
  type RatedSite,
  recompute,
  setEvaluation,
  timeFactor,
  type Work,
  withPlan,
} from '../depth/index.js';
import type { JsonObject, Module, Parameter, Pass } from '../nn/index.js';
import type { Key } from '../random/index.js';
import { missingGradients, plansOverRanks } from './distributed/step-over-ranks.js';
import { executionsJson, readExecutions } from './executions.js';
import type { ExpectedGradients } from './parallel.js';

/** What the stochastic depth of a run needs. */
export interface DepthRunOptions {
  readonly model: Module;
  readonly policy: Policy | null;
  readonly sites: readonly RatedSite[];
  /** Null: it is measured. */
  readonly work: Work | null;
  /** What every drop decision derives from. */
  readonly key: Key;
  /** Whether branches are computed again in the backward pass instead of kept. */
  readonly checkpoint: boolean;
  /** So many rows of input, of any content. */
  readonly example: (rows: number) => Tensor;
  /** Rows of a pass. */
  readonly rows: number;
}

/** What ran in a step, over all its microbatches. */
export interface StepCount {
  readonly active: number;
  readonly sites: number;
  readonly factor: number;
}

/** The stochastic depth of one run: its plans, what they mean for the optimizer, and the count of what ran. */
export class DepthRun {
  readonly #options: DepthRunOptions;
  readonly #ledger = new DepthLedger();
  #policy: Policy | null;
  #sites: readonly RatedSite[];
  #executions: readonly ExecutionChoice[] | null = null;
  #branches: BranchParameters | null = null;
  #recomputed: ((pass: Pass) => Pass) | null = null;
  #parameters: ReadonlyMap<string, Parameter> = new Map();
  #work: Work | null;

  constructor(options: DepthRunOptions) {
    this.#options = options;
    this.#policy = options.policy;
    this.#sites = options.sites;
    this.#work = options.work;
  }

  get policy(): Policy | null {
    return this.#policy;
  }

  get sites(): readonly RatedSite[] {
    return this.#sites;
  }

  /** Puts a policy in force from the next step on. */
  use(policy: Policy | null, sites: readonly RatedSite[]): void {
    this.#policy = policy;
    this.#sites = sites;
    this.#executions = null;
    this.#branches = null;
    this.#recomputed = null;
  }

  /** How each site avoids what is dropped, measured where the policy leaves it open; else null. */
  get executions(): readonly ExecutionChoice[] | null {
    const policy = this.#policy;
    if (policy?.execution !== 'auto') return null;
    const { model, rows, example } = this.#options;
    this.#executions ??= scope(() => {
      const x = example(rows);
      return chooseExecution(model, (pass) => model.forward(x, pass), { policy, rows });
    });
    return this.#executions;
  }

  /** Takes choices that were made elsewhere: by another rank, or before the run was interrupted. */
  settle(executions: readonly ExecutionChoice[]): void {
    if (this.#policy?.execution === 'auto') this.#executions = executions;
  }

  /**
   * What all ranks drop in a step, `[rank][microbatch]`; empty lists without a policy.
   *
   * @param rows of the global batch that each rank has
   */
  plans(rows: readonly number[], microbatches: number, moment: Moment): readonly (readonly Plan[])[] {
    const { executions } = this;
    if (this.#policy === null) return rows.map(() => []);
    const { key } = this.#options;
    const step = { policy: this.#policy, sites: this.#sites, key, step: moment.batch, moment };
    return plansOverRanks({ ...step, rows, microbatches, executions });
  }

  /** A training pass that follows a plan, drawn before anything runs. */
  pass(own: Pass, plan: Plan | null): Pass {
    const { checkpoint, model } = this.#options;
    if (checkpoint) this.#recomputed ??= recompute(model, this.#branchParameters());
    const pass = this.#recomputed?.(own) ?? own;
    return plan === null ? pass : withPlan(pass, plan);
  }

  /** Which parameters get no gradient in a step, from the plans of all ranks. */
  expected(plans: readonly (readonly Plan[])[], rows: readonly number[], rank: number): ExpectedGradients {
    const branches = this.#branchParameters();
    const known = this.#policy === null ? rows.map((own) => (own > 0 ? [wholePlan] : [])) : plans;
    const { absent, localAbsent } = missingGradients(known, rank, branches);
    return { absent: this.#named(absent), localAbsent: this.#named(localAbsent) };
  }

  /** Counts the passes of a step. */
  count(passes: readonly Pass[], all: readonly Plan[]): StepCount {
    const factor = all[0]?.factor ?? 1;
    if (this.#policy === null) return { active: this.#sites.length, sites: this.#sites.length, factor };
    const counts = passes.map((pass) => this.#ledger.record(pass));
    if (counts.length > 0) {
      const active = counts.reduce((sum, each) => sum + each.active, 0) / counts.length;
      return { active, sites: counts[0]?.sites ?? 0, factor };
    }
    // A rank without rows says what the others run.
    const shares = all.flatMap(({ sites }) =>
      sites.map(({ kept, rows }) => (rows === null ? Number(kept) : keptRows(rows) / rows.of)),
    );
    return { active: shares.reduce((sum, each) => sum + each, 0) / all.length, sites: this.#sites.length, factor };
  }

  /**
   * Sees to the gradients of branches that every rank dropped in all of a step: zero where the policy lets the optimizer
   * move them, none where it does not.
   */
  settleGradients(all: readonly Plan[]): void {
    if (this.#policy === null) return;
    const { optimizer, execution } = this.#policy;
    // A branch that did not run has no gradient, and an optimizer leaves alone what has none.
    if (optimizer === 'frozen' && (execution === 'gate' || execution === 'subset')) return;
    const dropped = [...this.#named(droppedParameters(all, this.#branchParameters()))];
    if (optimizer === 'frozen') {
      clearGrads(dropped);
      return;
    }
    scope(() => {
      const grads = gradsOf(dropped);
      for (const [i, parameter] of dropped.entries()) {
        if (grads[i] !== null) continue;
        const { shape, dtype, device } = parameter;
        parameter.grad = zeros(shape, { dtype, device });
      }
    });
  }

  /** Factor of the schedule over time at a moment. */
  factorAt(moment: Moment): number {
    return this.#policy === null ? 1 : timeFactor(this.#policy.time, moment);
  }

  /** Makes branches count in evaluation as they should at a moment of the run. */
  readyToEvaluate(moment: Moment): void {
    if (this.#policy !== null) setEvaluation(this.#options.model, this.#policy, this.factorAt(moment));
  }

  /** Null without a policy. */
  report(): DepthReport | null {
    if (this.#policy === null) return null;
    const { model, example } = this.#options;
    this.#work ??= scope(() => {
      const x = example(1);
      return measureWork((pass) => model.forward(x, pass));
    });
    return this.#ledger.report({ work: this.#work });
  }

  /** What was counted, and what was measured: plain JSON. */
  state(): JsonObject {
    return { counted: this.#ledger.state(), executions: executionsJson(this.#executions) };
  }

  load({ counted, executions }: JsonObject): void {
    this.#ledger.load(counted as JsonObject);
    const settled = readExecutions(executions);
    if (settled !== null) this.settle(settled);
  }

  #named(keys: readonly string[]): ReadonlySet<Parameter> {
    return new Set(keys.flatMap((key) => this.#parameters.get(key) ?? []));
  }

  #branchParameters(): BranchParameters {
    const { model, example } = this.#options;
    if (this.#branches === null) {
      this.#branches = scope(() => {
        const x = example(1);
        return branchParameters(model, (pass) => model.forward(x, pass));
      });
      this.#parameters = new Map(model.namedParameters());
    }
    return this.#branches;
  }
}

/** The plan of a step in which everything runs. */
const wholePlan: Plan = Object.freeze({ step: 0, microbatch: 0, rank: null, factor: 1, sites: Object.freeze([]) });
