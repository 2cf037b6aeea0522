import { keep, Operator, scope, type Tensor, zeros } from '@shallows/torch';
import type { Batch } from '../data/index.js';
import type { Plan } from '../depth/index.js';
import { dropoutMomentSlot } from '../dropout/index.js';
import { ShallowsError } from '../errors.js';
import { type Pass, trainingPass } from '../nn/index.js';
import { deriveKey, type Key } from '../random/index.js';
import type { Step, WholeBatch } from './algorithm.js';
import { BufferBackup } from './buffer-backup.js';
import { gradientNorm, readFinite } from './finite.js';
import { type Microbatch, microbatches } from './microbatches.js';
import { placed } from './placement.js';
import { inPrecision } from './precision.js';
import type { Pending, Run } from './run.js';

const add_ = new Operator('aten::add_', 'Tensor');
const mul = new Operator('aten::mul', 'Scalar');

/** What a step's loss and gradients turned out to be: `overflow` is what loss scaling is there for. */
export type Verdict = 'finite' | 'overflow' | 'non-finite';

/** The work on one batch: its gradients, then its update. */
export class StepRunner {
  readonly #run: Run;
  readonly #buffers: BufferBackup | null;
  /** Plans of the running step, `[rank][microbatch]`. */
  #plans: readonly (readonly Plan[])[] = [];

  constructor(run: Run) {
    this.#run = run;
    this.#buffers = run.options.onNonFinite === 'stop' ? null : new BufferBackup(run.options.model);
  }

  /** Forward and backward over a batch, microbatch by microbatch. */
  accumulate(batch: Batch): Pending {
    const run = this.#run;
    const { options, clock, handlers, depth, ranks, place } = run;
    const { optimizer, schedule } = options;
    const { indices, size } = batch;
    const { moment } = clock;
    const rows = run.globalRows(size);
    this.#buffers?.save();
    const factor = schedule(moment.batch) * run.lrFactor;
    for (const group of optimizer.groups) group.lr = group.baseLr * factor;
    optimizer.zeroGrad();

    const key = deriveKey(run.stepKey, moment.batch);
    const whole: WholeBatch = {
      batch: moment.batch,
      key,
      inputs: placed(batch.inputs, place),
      targets: placed(batch.targets, place),
      indices,
      size,
    };
    if (size > 0) handlers.run('onBatchStart', whole);
    const rankRows = ranks.rowsOf(rows);
    this.#plans = depth.plans(rankRows, options.microbatches, moment);
    const plans = this.#plans[ranks.rank] ?? [];
    const parts = microbatches(whole, options.microbatches);
    const passes = parts.map((_, microbatch) => {
      const own = trainingPass({ key: passKey(key, ranks.rank, microbatch) }).with(dropoutMomentSlot, moment);
      return depth.pass(ranks.parallel?.pass?.(own) ?? own, plans[microbatch] ?? null);
    });
    const expectGradients = (): void => ranks.parallel?.beginStep(depth.expected(this.#plans, rankRows, ranks.rank));
    const losses = parts.map((part, microbatch) =>
      this.#backward(whole, part, {
        microbatch,
        microbatches: parts.length,
        firstRow: ranks.firstRow(rows) + part.firstRow,
        weight: part.rows / rows,
        pass: passes[microbatch] as Pass,
        beforeBackward: microbatch === parts.length - 1 ? expectGradients : null,
      }),
    );
    if (losses.length === 0) expectGradients();
    const [first = zeros([], { device: place.device }), ...rest] = losses;
    for (const each of rest) add_.call([first, each]);
    return {
      loss: keep(first),
      indices,
      lr: optimizer.groups[0]?.lr ?? 0,
      samples: rows,
      ...depth.count(passes, this.#plans.flat()),
      dataWaitMs: 0,
      durationMs: 0,
      gradNorm: null,
      skipped: false,
    };
  }

  /** Sees to gradients that no rank has, once those of all ranks are there, and looks whether they are finite. */
  judge(pending: Pending): Verdict | Promise<Verdict> {
    const { depth, scaler, options, ranks, parameters } = this.#run;
    depth.settleGradients(this.#plans.flat());
    if (scaler === null && options.onNonFinite === 'stop') return 'finite';
    const finite = scope(() => readFinite(pending.loss, parameters, scaler?.unscale(parameters) ?? null));
    const bad = [finite.loss ? 0 : 1, finite.gradients ? 0 : 1];
    return ranks.parallel === null ? this.#verdict(bad) : ranks.sum(bad).then((sums) => this.#verdict(sums));
  }

  /** The optimizer's step, on gradients that are complete. */
  update(pending: Pending): void {
    const run = this.#run;
    const { handlers, options, parameters, clock } = run;
    scope(() => {
      const measure = options.logGradNorm && isLogged(clock.batch + 1, options.logEvery);
      if (measure && pending.gradNorm === null) run.gradNorm = gradientNorm(parameters);
      handlers.run('onOptimizerStepStart');
      if (run.gradNorm !== null) {
        pending.gradNorm?.dispose();
        pending.gradNorm = keep(run.gradNorm);
        run.gradNorm = null;
      }
      options.optimizer.step();
      handlers.run('onOptimizerStepEnd');
    });
  }

  /** Leaves a batch out: the model stays what it was before it. */
  skip(pending: Pending, verdict: Verdict): void {
    this.#run.options.optimizer.zeroGrad();
    if (verdict !== 'non-finite') return;
    this.#buffers?.restore();
    pending.skipped = true;
  }

  dispose(): void {
    this.#buffers?.dispose();
  }

  /** Adds the gradients of one part of a batch, weighted by its rows, so that the parts' are those of the whole. */
  #backward(whole: WholeBatch, part: Microbatch, place: PartPlace): Tensor {
    const run = this.#run;
    const { options, handlers, scaler } = run;
    const { microbatch, microbatches: count, firstRow, weight, pass, beforeBackward } = place;
    const { inputs, targets, rows } = part;
    const step: Step = {
      batch: whole.batch,
      microbatch,
      microbatches: count,
      firstRow,
      indices: count === 1 ? whole.indices : whole.indices.subarray(part.firstRow, part.firstRow + rows),
      key: whole.key,
      pass,
      inputs,
      targets,
      outputs: null,
      loss: null,
    };
    return scope(() => {
      handlers.run('onMicrobatchStart', step);
      handlers.run('onForwardStart', step);
      step.outputs = inPrecision(options.precision, run.place.device, () => options.model.forward(step.inputs, pass));
      handlers.run('onForwardEnd', step);
      handlers.run('onLossStart', step);
      step.loss = run.loss(required(step.outputs, 'outputs'), step.targets);
      handlers.run('onLossEnd', step);
      const mean = required(step.loss, 'a loss');
      const weighted = weight === 1 ? mean : (mul.call([mean, weight]) as Tensor);
      beforeBackward?.();
      handlers.run('onBackwardStart', step);
      (scaler?.scaled(weighted) ?? weighted).backward();
      handlers.run('onBackwardEnd', step);
      handlers.run('onMicrobatchEnd', step);
      return weighted.detach();
    });
  }

  #verdict([loss = 0, gradients = 0]: readonly number[]): Verdict {
    const { scaler } = this.#run;
    // Below 1 it is not the scale that makes gradients overflow.
    const scaled = scaler !== null && scaler.scale >= 1;
    const verdict = loss > 0 || (gradients > 0 && !scaled) ? 'non-finite' : gradients > 0 ? 'overflow' : 'finite';
    scaler?.update(verdict === 'finite');
    return verdict;
  }
}

interface PartPlace {
  readonly microbatch: number;
  readonly microbatches: number;
  /** Number of its first row in the global batch. */
  readonly firstRow: number;
  /** Its share of the rows of the global batch. */
  readonly weight: number;
  readonly pass: Pass;
  readonly beforeBackward: (() => void) | null;
}

/** Whether the loss of a batch is read back. */
export function isLogged(batch: number, logEvery: number): boolean {
  return batch % logEvery === 0 || batch === 1;
}

/** Each microbatch of each rank draws its own numbers. */
function passKey(key: Key, rank: number, microbatch: number): Key {
  const own = microbatch === 0 ? key : deriveKey(key, 'microbatch', microbatch);
  return rank === 0 ? own : deriveKey(own, 'rank', rank);
}

function required(tensor: Tensor | null, what: string): Tensor {
  if (tensor !== null) return tensor;
  throw new ShallowsError(
    `Trainer: expected ${what} after the handlers of algorithms, got none - set a tensor, not null`,
  );
}
