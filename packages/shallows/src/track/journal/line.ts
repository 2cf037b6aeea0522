import { z } from 'zod';
import type { JsonObject } from '../../nn/index.js';
import type { TrainEvent } from '../../train/events.js';
import { count, number } from '../lossless-json.js';
import {
  depthReport,
  evaluation,
  evaluationShape,
  executions,
  modelSummary,
  oneOf,
  precision,
  primaryMetric,
  progress,
  taskKind,
  timing,
} from '../shapes.js';

/**
 * Consecutive batches as columns, because one object a batch would be several times as long. Batch `first + i` is at
 * index i of each column; a column of one number stands for batches that all have the same.
 */
export interface BatchColumns {
  readonly first: number;
  /** Without waiting for data. */
  readonly durationMs: readonly number[];
  readonly dataWaitMs: number | readonly number[];
  /** Rows of each, over all ranks. */
  readonly samples: number | readonly number[];
  /** Branches that ran; one that ran on some rows counts as their share. */
  readonly active: readonly number[];
  readonly sites: number;
  /** Factor of the schedule over time on every drop rate. */
  readonly factor: number | readonly number[];
  readonly lr: number | readonly number[];
  /** `[batch, loss]` of the batches whose loss was read back. */
  readonly losses: readonly (readonly [batch: number, loss: number])[];
  /** `[batch, norm]` of the batches whose gradient norm was read back. */
  readonly gradNorms: readonly (readonly [batch: number, norm: number])[];
}

/** What the journal says of itself. */
export type JournalNote =
  | {
      /** The run goes on from after this many batches: what was said of later ones counts no longer. */
      readonly kind: 'rewind';
      readonly batch: number;
    }
  | {
      /** What could not be read was taken out. */
      readonly kind: 'repaired';
      /** The line that it began with, from 1. */
      readonly line: number;
      readonly bytes: number;
      /** The file beside the journal that keeps these bytes; null where there were none. */
      readonly aside: string | null;
      readonly why: string;
    };

/** What a line of the journal says. All kinds but `batches`, `rewind` and `repaired` are the trainer's events. */
export type JournalEntry =
  | Exclude<TrainEvent, { kind: 'batch-end' }>
  | ({ readonly kind: 'batches' } & BatchColumns)
  | JournalNote;

/** A line of the journal: `seq` counts from 0 without a hole, `time` is ISO 8601 in UTC. */
export type JournalLine = { readonly seq: number; readonly time: string } & JournalEntry;

/** A line of one kind. */
export type LineOf<K extends JournalEntry['kind']> = {
  readonly seq: number;
  readonly time: string;
} & Extract<JournalEntry, { kind: K }>;

const stamp = { seq: count, time: z.iso.datetime() };

const options: z.ZodType<JsonObject> = z.record(z.string(), z.json());

const fitStart: z.ZodType<LineOf<'fit-start'>> = z.object({
  ...stamp,
  kind: z.literal('fit-start'),
  at: progress,
  model: modelSummary,
  executions,
  totalBatches: number.nullable(),
  totalEpochs: number.nullable(),
  batchesPerEpoch: number,
  batchSize: count,
  microbatches: count,
  task: taskKind,
  primary: primaryMetric,
  algorithms: z.array(z.object({ name: z.string(), options })),
  optimizer: z.string(),
  precision,
  channelsLast: z.boolean(),
  deterministic: z.boolean(),
  device: z.string(),
  worldSize: count,
});

const resumed: z.ZodType<LineOf<'resumed'>> = z.object({
  ...stamp,
  kind: z.literal('resumed'),
  at: progress,
  from: z.string().nullable(),
  skipped: z.array(z.object({ path: z.string(), why: z.string() })),
});

const column = z.union([number, z.array(number)]);
const readings = z.array(z.tuple([count, number]));

const batches: z.ZodType<LineOf<'batches'>> = z
  .object({
    ...stamp,
    kind: z.literal('batches'),
    first: count,
    durationMs: z.array(number),
    dataWaitMs: column,
    samples: column,
    active: z.array(number),
    sites: count,
    factor: column,
    lr: column,
    losses: readings,
    gradNorms: readings,
  })
  .refine(
    ({ durationMs, dataWaitMs, samples, active, factor, lr }) =>
      [dataWaitMs, samples, active, factor, lr].every(
        (each) => !Array.isArray(each) || each.length === durationMs.length,
      ),
    { error: 'expected columns of one length' },
  );

const evaluated: z.ZodType<LineOf<'evaluation'>> = z.object({
  ...stamp,
  kind: z.literal('evaluation'),
  at: progress,
  durationMs: number,
  ...evaluationShape,
});

const epochEnd: z.ZodType<LineOf<'epoch-end'>> = z.object({
  ...stamp,
  kind: z.literal('epoch-end'),
  at: progress,
  trainLoss: number,
  durationMs: number,
  realised: number,
  meanStepMs: number,
  dataWaitMs: number,
  lossScale: number.nullable(),
});

const nonFinite: z.ZodType<LineOf<'non-finite'>> = z.object({
  ...stamp,
  kind: z.literal('non-finite'),
  at: progress,
  action: oneOf<LineOf<'non-finite'>['action']>({ stop: 1, skip: 1, lower: 1 }),
  epoch: count,
  batch: count,
  indices: z.array(count),
  loss: number,
  lrFactor: number,
});

const checkpoint: z.ZodType<LineOf<'checkpoint'>> = z.object({
  ...stamp,
  kind: z.literal('checkpoint'),
  at: progress,
  name: z.string(),
  path: z.string().nullable(),
  bytes: number.nullable(),
  saveMs: number,
  stallMs: number,
  failure: z.string().nullable(),
});

const fitEnd: z.ZodType<LineOf<'fit-end'>> = z.object({
  ...stamp,
  kind: z.literal('fit-end'),
  at: progress,
  reason: oneOf<LineOf<'fit-end'>['reason']>({ done: 1, interrupted: 1, stopped: 1 }),
  why: z.string().nullable(),
  metrics: evaluation.nullable(),
  depth: depthReport.nullable(),
  factor: number,
  timing: timing.nullable(),
  peakMemoryBytes: number,
});

const warning: z.ZodType<LineOf<'warning'>> = z.object({
  ...stamp,
  kind: z.literal('warning'),
  at: progress,
  topic: oneOf<LineOf<'warning'>['topic']>({ advice: 1, 'drop-rates': 1, algorithm: 1, resume: 1 }),
  message: z.string(),
});

const rewind: z.ZodType<LineOf<'rewind'>> = z.object({ ...stamp, kind: z.literal('rewind'), batch: count });

const repaired: z.ZodType<LineOf<'repaired'>> = z.object({
  ...stamp,
  kind: z.literal('repaired'),
  line: count,
  bytes: count,
  aside: z.string().nullable(),
  why: z.string(),
});

/** Schemas of a line by its kind. Keys that they do not know are left out. */
export const journalLines: { readonly [K in JournalEntry['kind']]: z.ZodType<LineOf<K>> } = {
  'fit-start': fitStart,
  resumed,
  batches,
  evaluation: evaluated,
  'epoch-end': epochEnd,
  'non-finite': nonFinite,
  checkpoint,
  'fit-end': fitEnd,
  warning,
  rewind,
  repaired,
};
