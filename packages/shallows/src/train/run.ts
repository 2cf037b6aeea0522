import { type Tensor, zeros } from '@shallows/torch';
import { ShallowsError } from '../errors.js';
import type { Parameter } from '../nn/index.js';
import { deriveKey, type Key } from '../random/index.js';
import { parseTime } from '../time/index.js';
import type { LossFunction, Training } from './algorithm.js';
import { Clock } from './clock.js';
import { DepthRun } from './depth-run.js';
import type { EndReason, Evaluation, TrainEvent } from './events.js';
import { Handlers, isPromise } from './handlers.js';
import { LossScaler } from './loss-scaler.js';
import { LossWindow } from './loss-window.js';
import { type Objective, objectiveOf } from './objective.js';
import { deviceOf, type Placement } from './placement.js';
import { Ranks } from './ranks.js';
import { SaveQueue } from './save-queue.js';
import { StepTimes } from './step-times.js';
import { type CompleteOptions, completeOptions, type TrainerOptions } from './trainer-options.js';
import { trainingOf } from './training.js';

/**
 * What comes next in a run. A snapshot says it, so that a resumed run goes on at the same place.
 *
 * `step`: the gradients of a batch are complete. `batch-end`: its parameters have moved.
 */
export type Stage = 'epoch-start' | 'batch' | 'step' | 'batch-end' | 'after-batch' | 'epoch-end' | 'after-epoch';

/** A batch between its gradients and its end. */
export interface Pending {
  /** Mean loss over the global batch: a scalar of its own. Until ranks have agreed, this rank's share of it. */
  readonly loss: Tensor;
  readonly indices: Uint32Array;
  readonly lr: number;
  readonly samples: number;
  readonly active: number;
  readonly sites: number;
  readonly factor: number;
  dataWaitMs: number;
  /** The work on the batch so far. */
  durationMs: number;
  gradNorm: Tensor | null;
  /** Whether the batch counts for nothing, as its loss or gradients are not finite. */
  skipped: boolean;
}

/** Sums over the batches of the running epoch. */
export interface EpochTally {
  /** Batches whose loss counts. */
  steps: number;
  batches: number;
  active: number;
  stepMs: number;
  dataWaitMs: number;
  /** When the epoch began, on the run's clock. */
  readonly startMs: number;
}

/** Everything that a run is at a moment, shared by the parts that move it on. */
export class Run {
  readonly options: CompleteOptions;
  readonly objective: Objective;
  readonly clock: Clock;
  readonly times = new StepTimes();
  readonly depth: DepthRun;
  readonly ranks: Ranks;
  readonly handlers: Handlers;
  readonly training: Training;
  readonly window = new LossWindow();
  readonly saves: SaveQueue;
  /** Null but for `float16`. */
  readonly scaler: LossScaler | null;
  readonly parameters: readonly Parameter[];
  /** What a batch's draws derive from. */
  readonly stepKey: Key;
  loss: LossFunction;
  place: Placement;
  /** Whether the model lies where it should: done once. */
  isPlaced = false;
  stage: Stage = 'epoch-start';
  pending: Pending | null = null;
  epoch: EpochTally = newTally(0);
  /** Sum of the epoch's losses, float64. */
  lossSum: Tensor | null = null;
  evaluation: Evaluation | null = null;
  evaluatedAt = -1;
  /** True between the first handler of an evaluation and the last. */
  evaluating = false;
  /** True from the reading of a batch to the end of its step. */
  busy = false;
  lrFactor = 1;
  /** Batches one after the other that were not finite. */
  badInARow = 0;
  stopReason: string | null = null;
  ended: EndReason | null = null;
  /** Whether an error ended the run in the middle of something. */
  failed = false;
  /** Measured by an algorithm in the running step. */
  gradNorm: Tensor | null = null;
  readonly notices: string[] = [];

  constructor(options: TrainerOptions) {
    this.options = completeOptions(options);
    const { key, duration, batchSize, train, source, parallel, device, microbatches, model } = this.options;
    this.objective = this.options.objective ?? objectiveOf(train);
    this.ranks = new Ranks(parallel);
    this.stepKey = deriveKey(key, 'step');
    this.parameters = model.parameters();
    this.loss = this.options.loss ?? this.objective.loss;
    this.place = { device: device ?? deviceOf(model), channelsLast: this.options.channelsLast === true };
    this.scaler = this.options.precision === 'float16' ? new LossScaler(this.options.lossScaling ?? {}) : null;
    this.depth = new DepthRun({
      ...this.options,
      key: deriveKey(key, 'depth'),
      example: (rows) => this.example(rows),
      rows: Math.ceil(batchSize / this.ranks.size / microbatches),
    });
    this.clock = new Clock(parseTime(duration), {
      batchesPerEpoch: batchesPerEpoch(source(0).length),
      batchSize,
      samplesPerEpoch: train.size,
    });
    this.saves = new SaveQueue();
    this.training = trainingOf(this);
    this.handlers = new Handlers(this.options.algorithms, this.training);
  }

  /** So many rows of input, zeros. */
  example(rows: number): Tensor {
    const { inputShape, inputDtype } = this.options.train;
    return zeros([rows, ...inputShape], { dtype: inputDtype, device: this.place.device });
  }

  /** Rows of the running batch, over all ranks. */
  globalRows(own: number): number {
    if (this.ranks.size === 1) return own;
    const { batchSize, train } = this.options;
    const rows = Math.min(batchSize, train.size - this.clock.batchInEpoch * batchSize);
    const expected = this.ranks.rowsOf(rows)[this.ranks.rank] ?? 0;
    if (own === expected) return rows;
    throw new ShallowsError(
      `Trainer: expected ${expected} of the ${rows} rows of batch ${this.clock.batch} on rank ${this.ranks.rank} of ${this.ranks.size}, got ${own} - ` +
        'give a source over the whole training set, with this rank as its shard',
    );
  }

  /** Tells callbacks of an event, each once the one before it is done; nothing to wait for where none of them waits. */
  emit(event: TrainEvent): void | Promise<void> {
    if (!this.ranks.leads) return;
    const { callbacks } = this.options;
    for (let i = 0; i < callbacks.length; i++) {
      const told = callbacks[i]?.onEvent(event);
      if (isPromise(told)) return this.#emitRest(event, i + 1, told);
    }
  }

  async #emitRest(event: TrainEvent, from: number, running: PromiseLike<unknown>): Promise<void> {
    await running;
    for (const callback of this.options.callbacks.slice(from)) await callback.onEvent(event);
  }

  /** Tells callbacks what algorithms said, and which saves have ended. */
  async emitNotices(): Promise<void> {
    for (const message of this.notices.splice(0)) {
      await this.emit({ kind: 'warning', at: this.clock.progress(), topic: 'algorithm', message });
    }
    for (const event of this.saves.take()) await this.emit(event);
  }

  /** Frees what the run holds between steps. */
  dispose(): void {
    this.window.dispose();
    this.lossSum?.dispose();
    this.lossSum = null;
    this.pending?.loss.dispose();
    this.pending?.gradNorm?.dispose();
    this.pending = null;
    this.gradNorm?.dispose();
    this.gradNorm = null;
  }
}

export function newTally(startMs: number): EpochTally {
  return { steps: 0, batches: 0, active: 0, stepMs: 0, dataWaitMs: 0, startMs };
}

function batchesPerEpoch(length: number): number {
  if (length >= 1) return length;
  throw new ShallowsError('Trainer: expected at least one batch in an epoch, got none - make batches smaller');
}
