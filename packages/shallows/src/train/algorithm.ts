import type { Tensor } from '@shallows/torch';
import type { TaskKind } from '../data/index.js';
import type { Policy, RatedSite } from '../depth/index.js';
import type { JsonObject, LearningRateSchedule, Module, Optimizer, Pass } from '../nn/index.js';
import type { Key } from '../random/index.js';
import type { Timeline } from '../time/index.js';
import type { CheckpointFacts, EndReason, Evaluation, Progress } from './events.js';
import type { Precision } from './precision.js';
import type { AlgorithmState, Snapshot } from './state.js';

/** Mean loss over the rows of a batch: a scalar. Classification takes class numbers `[B]` or probabilities `[B, C]`. */
export type LossFunction = (outputs: Tensor, targets: Tensor) => Tensor;

/** What a run learns from. */
export interface DataFacts {
  readonly task: TaskKind;
  /** Null where targets are no classes. */
  readonly classes: readonly string[] | null;
  /** Sizes of one input, without the batch. */
  readonly inputShape: readonly number[];
  /** Sizes of one target, without the batch. */
  readonly targetShape: readonly number[];
  /** Rows of the training set. */
  readonly size: number;
  /** Rows of a whole batch, over all ranks. */
  readonly batchSize: number;
}

/** The ranks that train together. */
export interface World {
  readonly rank: number;
  readonly size: number;
}

/** A training run as an algorithm sees it: the same object from start to end. */
export interface Training {
  readonly model: Module;
  readonly optimizer: Optimizer;
  readonly schedule: LearningRateSchedule;
  /** The policy in force; null where nothing is dropped. */
  readonly policy: Policy | null;
  readonly progress: Progress;
  /** What times of this run stand against. */
  readonly timeline: Timeline;
  readonly precision: Precision;
  readonly world: World;
  readonly data: DataFacts;
  /** What the run's draws derive from: derive a key by the algorithm's name from it. */
  readonly key: Key;
  /** What is minimised, from the next forward pass on. Evaluation keeps the plain loss of the task. */
  loss: LossFunction;
  /** The last evaluation; null before the first. */
  readonly evaluation: Evaluation | null;
  /**
   * Norm of the whole gradient of this step, a scalar, before clipping: set by what measures it, for the record. Null
   * where nothing did. The run frees it.
   */
  gradNorm: Tensor | null;
  /** How the run ended, for `onFitEnd`; null while it runs, and where it failed. */
  readonly ended: EndReason | null;
  /** One row of input, zeros `[1, …]`: to find out how the model runs. */
  exampleRow(): Tensor;
  /**
   * Puts another policy in force, from the next step on.
   *
   * @param sites from `applyPolicy`, for the model of this run
   */
  useDepth(policy: Policy | null, sites: readonly RatedSite[]): void;
  /** Ends the run after the current step: it is then evaluated like one that is done. */
  stop(reason: string): void;
  /** Tells the callbacks something that the user should know. */
  warn(message: string): void;
  /**
   * The run as it stands: see `Trainer.state`.
   *
   * @throws ShallowsError in the middle of an accumulation, an optimizer step or an evaluation
   */
  state(): Snapshot;
  /**
   * Takes a snapshot between the checkpoint events and gives it to `save`, which must copy it before it first waits. The
   * run goes on meanwhile; callbacks hear of the checkpoint, or of its failure, once `save` has settled.
   */
  checkpoint(name: string, save: (snapshot: Snapshot) => Promise<CheckpointFacts>): Promise<void>;
}

/** One microbatch on its way through the model. */
export interface Step {
  /** Finished batches before this one. */
  readonly batch: number;
  /** Number of this part of the batch, from 0. */
  readonly microbatch: number;
  /** Parts of the batch. */
  readonly microbatches: number;
  /** Number of its first row in the global batch. */
  readonly firstRow: number;
  /** Its rows of the dataset. */
  readonly indices: Uint32Array;
  /** The batch's own key, the same for all its microbatches: what draws derive from. */
  readonly key: Key;
  readonly pass: Pass;
  inputs: Tensor;
  targets: Tensor;
  /** Null before the forward pass. */
  outputs: Tensor | null;
  /** Null before the loss: the mean over the rows of the microbatch. */
  loss: Tensor | null;
}

/** A batch before it is split into microbatches. */
export interface WholeBatch {
  /** Finished batches before this one. */
  readonly batch: number;
  /** The batch's own key: what draws derive from. */
  readonly key: Key;
  inputs: Tensor;
  targets: Tensor;
  /** Rows of the dataset. */
  readonly indices: Uint32Array;
  /** Rows on this rank. */
  readonly size: number;
}

type Waits = void | Promise<void>;

/**
 * Something that changes how a model is trained, given to a trainer as one of its `algorithms`. Each method is an event;
 * those that an algorithm does not have are not its business.
 *
 * At each `…Start` algorithms are asked in the order in which they were given, at each `…End` in reverse. Where a method
 * may return a promise the trainer waits for it; the others run inside of a step and must be synchronous: what they make
 * is freed with the step, unless it becomes part of the batch or is kept by `keep`.
 */
export interface Algorithm {
  /** Unique in a run: errors, records and snapshots say it. */
  readonly name: string;
  /** Its settings, for the record. */
  readonly options?: JsonObject;
  /** Before the first step, and before anything is told to callbacks. */
  onFitStart?(training: Training): Waits;
  /** After the last step and evaluation, also where the run was interrupted or failed. */
  onFitEnd?(training: Training): Waits;
  onEpochStart?(training: Training): Waits;
  onEpochEnd?(training: Training): Waits;
  /** The batch is read; its inputs and targets may be replaced. */
  onBatchStart?(training: Training, batch: WholeBatch): void;
  onMicrobatchStart?(training: Training, step: Step): void;
  /** Inputs and targets may still be replaced. */
  onForwardStart?(training: Training, step: Step): void;
  /** The outputs are there, and may be replaced. */
  onForwardEnd?(training: Training, step: Step): void;
  onLossStart?(training: Training, step: Step): void;
  /** The loss is there, and may be replaced: what is added to it is learnt too. */
  onLossEnd?(training: Training, step: Step): void;
  onBackwardStart?(training: Training, step: Step): void;
  onBackwardEnd?(training: Training, step: Step): void;
  onMicrobatchEnd?(training: Training, step: Step): void;
  /**
   * Gradients are complete: those of the mean loss over the global batch. They may be changed. Neither this nor its end
   * comes in a step that is skipped because a loss or a gradient is not finite.
   */
  onOptimizerStepStart?(training: Training): void;
  /** The parameters have moved. */
  onOptimizerStepEnd?(training: Training): void;
  /** The batch counts as finished. */
  onBatchEnd?(training: Training): Waits;
  /** The model may be changed for the evaluation, and must be changed back at its end. */
  onEvaluationStart?(training: Training): Waits;
  onEvaluationEnd?(training: Training, evaluation: Evaluation): Waits;
  onCheckpointStart?(training: Training): Waits;
  onCheckpointEnd?(training: Training): Waits;
  /** What it carries from step to step; left out by an algorithm that carries nothing. */
  stateDict?(): AlgorithmState;
  /** Takes a copy of a state. Called after `onFitStart`, before the first step. */
  loadStateDict?(state: AlgorithmState): void;
}
