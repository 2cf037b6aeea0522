import type { TaskKind } from '../data/index.js';
import type { DepthReport, ExecutionChoice } from '../depth/index.js';
import type { Metrics } from '../metrics/index.js';
import type { JsonObject } from '../nn/index.js';
import type { Precision } from './precision.js';

export type { Metrics } from '../metrics/index.js';

/** Where a run stands: counts of what is finished. Plain JSON data, as all events are. */
export interface Progress {
  /** Finished epochs. */
  readonly epoch: number;
  /** Finished batches (optimizer steps) since the start of the run. */
  readonly batch: number;
  /** Training samples seen. */
  readonly sample: number;
  readonly elapsedMs: number;
  /** Share of the duration that is done, in [0, 1]. */
  readonly fraction: number;
}

/** What is known of a model before it trains. */
export interface ModelSummary {
  readonly name: string;
  readonly parameters: number;
  readonly sites: readonly SiteSummary[];
}

/** A residual branch as a run begins. */
export interface SiteSummary {
  readonly name: string;
  /** What the branch is, such as `attention`. */
  readonly kind: string;
  /** Its layer in forward order, from 0: the sites of one block share it. */
  readonly layer: number;
  /** Drop rate asked for, before any schedule over time. */
  readonly requested: number;
}

/** Both sides measured in evaluation mode, without augmentation, and their difference. */
export interface Evaluation {
  /** Over the first rows of the training set. */
  readonly train: Metrics;
  readonly validation: Metrics;
  /** validation − train of metrics that should be low, such as `loss`, train − validation of others: positive where the model overfits. */
  readonly gap: Metrics;
}

/** Durations of the training steps, in milliseconds. */
export interface Timing {
  readonly medianStepMs: number;
  /** Median over the steps that ran every block; null where there was none. */
  readonly medianFullStepMs: number | null;
  /** Median over the steps that dropped a block or more; null where there was none. */
  readonly medianDroppedStepMs: number | null;
  readonly totalMs: number;
}

/** Why a run ended: its duration was over, a signal came, or an algorithm said so. */
export type EndReason = 'done' | 'interrupted' | 'stopped';

/** The metric by which models of a task are judged. */
export interface PrimaryMetric {
  /** Key of the metric in {@link Metrics}. */
  readonly name: string;
  readonly better: 'higher' | 'lower';
}

/** What happens to a batch whose loss or gradient is not finite, as told by the trainer's options. */
export type NonFiniteAction = 'stop' | 'skip' | 'lower';

/** What became of a snapshot that was given away to be saved. */
export interface CheckpointFacts {
  /** Where it lies. */
  readonly path: string;
  readonly bytes: number;
}

/** What a trainer tells its callbacks. Plain JSON data. */
export type TrainEvent =
  | {
      readonly kind: 'fit-start';
      readonly at: Progress;
      readonly model: ModelSummary;
      /** How each site avoids what is dropped, where execution `auto` leaves it to a measurement; else null. */
      readonly executions: readonly ExecutionChoice[] | null;
      /** Null where the duration is given in seconds. */
      readonly totalBatches: number | null;
      readonly totalEpochs: number | null;
      readonly batchesPerEpoch: number;
      /** Rows of a whole batch, over all ranks. */
      readonly batchSize: number;
      readonly microbatches: number;
      readonly task: TaskKind;
      readonly primary: PrimaryMetric;
      /** In the order in which they are asked. */
      readonly algorithms: readonly { readonly name: string; readonly options: JsonObject }[];
      readonly optimizer: string;
      readonly precision: Precision;
      readonly channelsLast: boolean;
      readonly deterministic: boolean;
      readonly device: string;
      readonly worldSize: number;
    }
  | {
      /** The run goes on from a snapshot: comes after `fit-start`. */
      readonly kind: 'resumed';
      readonly at: Progress;
      /** Where the snapshot was; null where it was not read from anywhere. */
      readonly from: string | null;
      /** Newer ones that were left out, and why. */
      readonly skipped: readonly { readonly path: string; readonly why: string }[];
    }
  | {
      readonly kind: 'batch-end';
      readonly at: Progress;
      /** Null for the batches whose loss was not read back. */
      readonly loss: number | null;
      readonly lr: number;
      /** The step, without waiting for data. */
      readonly durationMs: number;
      /** Waiting for the batch to be read. */
      readonly dataWaitMs: number;
      /** Norm of the whole gradient before clipping; null where it was not measured or not read back. */
      readonly gradNorm: number | null;
      /** Rows of the batch, over all ranks. */
      readonly samples: number;
      /** Branches that ran; one that ran on some rows counts as their share. The mean over microbatches. */
      readonly active: number;
      /** Sites that were reached. */
      readonly sites: number;
      /** Factor of the schedule over time on every drop rate; 1 where there is none. */
      readonly factor: number;
    }
  | ({ readonly kind: 'evaluation'; readonly at: Progress; readonly durationMs: number } & Evaluation)
  | {
      readonly kind: 'epoch-end';
      readonly at: Progress;
      /** Mean loss of the epoch's steps, as they were trained. */
      readonly trainLoss: number;
      readonly durationMs: number;
      /** Mean number of branches that ran. */
      readonly realised: number;
      readonly meanStepMs: number;
      readonly dataWaitMs: number;
      /** What `float16` multiplies losses by; null elsewhere. */
      readonly lossScale: number | null;
    }
  | {
      /** A batch whose loss or gradient is NaN or infinite. The first one, where it ends the run. */
      readonly kind: 'non-finite';
      readonly at: Progress;
      readonly action: NonFiniteAction;
      /** The epoch that the batch is in, from 0. */
      readonly epoch: number;
      /** Number of the batch in its epoch, from 0. */
      readonly batch: number;
      /** Its rows of the dataset, on this rank. */
      readonly indices: readonly number[];
      readonly loss: number;
      /** Factor on the learning rate from now on: 1 unless the action is `lower`. */
      readonly lrFactor: number;
    }
  | {
      /** A snapshot was saved, or could not be. `at` is what it holds. */
      readonly kind: 'checkpoint';
      readonly at: Progress;
      readonly name: string;
      /** Null where it failed. */
      readonly path: string | null;
      readonly bytes: number | null;
      /** From the snapshot to the end of writing. */
      readonly saveMs: number;
      /** How long training stood still for it. */
      readonly stallMs: number;
      readonly failure: string | null;
    }
  | {
      readonly kind: 'fit-end';
      readonly at: Progress;
      readonly reason: EndReason;
      /** What an algorithm said when it stopped the run; null where none did. */
      readonly why: string | null;
      /** The last evaluation; null where none was made. */
      readonly metrics: Evaluation | null;
      /** Null without a policy. */
      readonly depth: DepthReport | null;
      /** Factor of the schedule over time at the end: how branches count in evaluation from now on. */
      readonly factor: number;
      readonly timing: Timing | null;
      /** Of the process so far; of the device where that is not the CPU. */
      readonly peakMemoryBytes: number;
    }
  | {
      /** Something that the user should know and that does not end the run. */
      readonly kind: 'warning';
      readonly at: Progress;
      /**
       * `advice` before a run; `resume` where it goes on under other settings; `drop-rates`, an alarm of the depth report,
       * after it; `algorithm` where one of them speaks.
       */
      readonly topic: 'advice' | 'drop-rates' | 'algorithm' | 'resume';
      readonly message: string;
    };

/** Something that listens to a run. The trainer waits for what it returns. Only rank 0 tells its callbacks. */
export interface Callback {
  onEvent(event: TrainEvent): void | Promise<void>;
}
