import type { Device } from '@shallows/torch';
import type { BatchSource, Dataset } from '../data/index.js';
import type { Policy, RatedSite, Work } from '../depth/index.js';
import { didYouMean, ShallowsError, shown } from '../errors.js';
import type { LearningRateSchedule, Module, Optimizer } from '../nn/index.js';
import type { Key } from '../random/index.js';
import type { Time } from '../time/index.js';
import type { Algorithm, LossFunction } from './algorithm.js';
import type { Callback, NonFiniteAction } from './events.js';
import type { LossScalerOptions } from './loss-scaler.js';
import type { Objective } from './objective.js';
import type { Parallel } from './parallel.js';
import { type Precision, precisions } from './precision.js';

/** What a trainer needs. */
export interface TrainerOptions {
  readonly model: Module;
  /** What the events call the model. */
  readonly modelName: string;
  readonly train: Dataset;
  readonly validation: Dataset;
  /**
   * The batches of an epoch; `source(epoch).at(i)` is a pure function of its arguments. With ranks, those of this rank's
   * shard.
   */
  readonly source: (epoch: number) => BatchSource;
  /** Rows of a whole batch, over all ranks. */
  readonly batchSize: number;
  readonly optimizer: Optimizer;
  /** Factor on the optimizer's rate at each step. */
  readonly schedule: LearningRateSchedule;
  /** Which validation metric a schedule that listens is told, such as a plateau's. */
  readonly scheduleMetric?: string;
  /** What is minimised; the plain loss of the task unless given. Evaluation always reports the plain one. */
  readonly loss?: LossFunction;
  /** What the task is and how it is measured; that of the training set's task unless given. */
  readonly objective?: Objective;
  /** Null, the default, trains the plain network, or what an algorithm makes of it. */
  readonly policy?: Policy | null;
  /** From `applyPolicy`. */
  readonly sites?: readonly RatedSite[];
  /** From `measureWork`, for the saved work in the report; measured at the end unless given. */
  readonly work?: Work | null;
  /** What every random draw of the run derives from. */
  readonly key: Key;
  readonly duration: string | Time;
  readonly evaluateEvery?: string | Time;
  /** Rows of a batch in evaluation, on each rank. */
  readonly evaluationBatchSize?: number;
  /** How many of the first training rows are evaluated in evaluation mode. */
  readonly trainSubset?: number;
  /** Batches from one loss that is read back to the next. */
  readonly logEvery?: number;
  /** Whether the norm of the gradient is measured where a loss is read back. */
  readonly logGradNorm?: boolean;
  /**
   * Parts that a batch is split into along its rows, which run one after the other before the optimizer steps: less memory
   * for the same gradient, but for batch statistics, which are those of the parts.
   */
  readonly microbatches?: number;
  /** Whether branches are computed again in the backward pass instead of kept: see `recompute`. */
  readonly checkpoint?: boolean;
  readonly precision?: Precision;
  /** For `float16` alone. */
  readonly lossScaling?: LossScalerOptions;
  /**
   * Whether pictures and filters have their channels innermost in memory. `auto` measures a step either way when the run
   * starts and takes the faster one: two runs may then differ in rounding. A resumed run keeps what was chosen.
   */
  readonly channelsLast?: boolean | 'auto';
  /** Whether operators must compute the same bits in every run, or throw: see `setDeterministic`. */
  readonly deterministic?: boolean;
  /** Where the model is trained; where it lies unless given. */
  readonly device?: Device;
  /**
   * What happens where a loss or gradient is NaN or infinite. `stop`, the default, ends the run with an error that names the
   * first such batch, found when losses are read back. `skip` leaves the batch out; `lower` also halves the learning rate
   * from then on. Both keep weights and buffers as they were before the batch, and wait for the device once a step.
   */
  readonly onNonFinite?: NonFiniteAction;
  /** The ranks that train together; null, the default, for this process alone. */
  readonly parallel?: Parallel | null;
  readonly algorithms?: readonly Algorithm[];
  /** What the user should know before it starts; told to the callbacks as warnings. */
  readonly warnings?: readonly string[];
  readonly callbacks?: readonly Callback[];
  /** Ends the run after the current step. */
  readonly signal?: AbortSignal;
}

type Optional = 'signal' | 'loss' | 'objective' | 'device' | 'lossScaling';

/** The options with their defaults. */
export type CompleteOptions = Required<Omit<TrainerOptions, Optional>> & {
  readonly [K in Optional]: Required<TrainerOptions>[K] | null;
};

const actions: readonly NonFiniteAction[] = ['stop', 'skip', 'lower'];

/** @throws ShallowsError for counts that are no whole numbers from 1, and words that are unknown */
export function completeOptions(options: TrainerOptions): CompleteOptions {
  const complete: CompleteOptions = {
    policy: null,
    sites: [],
    work: null,
    scheduleMetric: 'loss',
    evaluateEvery: '1ep',
    evaluationBatchSize: 256,
    trainSubset: 1000,
    logEvery: 10,
    logGradNorm: false,
    microbatches: 1,
    checkpoint: false,
    precision: 'float32',
    channelsLast: false,
    deterministic: false,
    onNonFinite: 'stop',
    parallel: null,
    algorithms: [],
    warnings: [],
    callbacks: [],
    ...options,
    loss: options.loss ?? null,
    objective: options.objective ?? null,
    device: options.device ?? null,
    lossScaling: options.lossScaling ?? null,
    signal: options.signal ?? null,
  };
  requireWhole('microbatches', complete.microbatches, '1 does not split a batch');
  requireWhole('batchSize', complete.batchSize, 'count the rows of a batch');
  requireWhole('evaluationBatchSize', complete.evaluationBatchSize, 'leave it out');
  requireWhole('trainSubset', complete.trainSubset, 'leave it out');
  requireWhole('logEvery', complete.logEvery, '1 reads every loss back');
  requireWord('precision', complete.precision, precisions);
  requireWord('onNonFinite', complete.onNonFinite, actions);
  return complete;
}

function requireWhole(name: string, value: number, advice: string): void {
  if (Number.isSafeInteger(value) && value >= 1) return;
  throw new ShallowsError(`Trainer: expected a whole number of ${name} from 1, got ${shown(value)} - ${advice}`);
}

function requireWord(name: string, value: string, words: readonly string[]): void {
  if (words.includes(value)) return;
  const hint = didYouMean(String(value), words);
  throw new ShallowsError(
    `Trainer: expected ${name} of ${words.join(', ')}, got ${shown(value)}${hint} - use one of these words`,
  );
}
