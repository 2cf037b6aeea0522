import { z } from 'zod';
import { ShallowsError } from '../errors.js';
import type { JsonObject, JsonValue } from '../nn/index.js';
import type { Evaluation } from './events.js';
import type { AlgorithmEvent } from './handlers.js';
import type { Stage } from './run.js';
import type { Snapshot } from './state.js';

const count = z.number().int().nonnegative();
const object = z.custom<JsonObject>((value) => typeof value === 'object' && value !== null && !Array.isArray(value));
const stages = ['epoch-start', 'batch', 'step', 'batch-end', 'after-batch', 'epoch-end', 'after-epoch'] as const;
const events = ['onEpochStart', 'onEpochEnd', 'onOptimizerStepStart', 'onBatchEnd'] as const;

const schema = z.object({
  format: z.literal(1),
  run: z.object({
    key: z.string(),
    data: z.string(),
    task: z.string(),
    batchSize: count,
    batchesPerEpoch: count,
  }),
  settings: z.object({ precision: z.string(), microbatches: count, worldSize: count, channelsLast: z.boolean() }),
  stage: z.enum(stages) satisfies z.ZodType<Stage>,
  cursor: z
    .object({ event: z.enum(events) satisfies z.ZodType<AlgorithmEvent>, asked: z.array(z.string()) })
    .nullable(),
  clock: z.object({ batch: count, sample: count, elapsedMs: z.number() }),
  epoch: z.object({
    steps: count,
    batches: count,
    active: z.number(),
    stepMs: z.number(),
    dataWaitMs: z.number(),
    startMs: z.number(),
  }),
  pending: z
    .object({
      indices: z.array(count),
      lr: z.number(),
      samples: count,
      active: z.number(),
      sites: count,
      factor: z.number(),
      dataWaitMs: z.number(),
      durationMs: z.number(),
      skipped: z.boolean(),
    })
    .nullable(),
  gradients: z.record(z.string(), z.boolean()).nullable(),
  evaluatedAt: z.number().int(),
  evaluation: z.custom<Evaluation | null>((value) => typeof value === 'object'),
  lrFactor: z.number().positive(),
  badInARow: count,
  stopReason: z.string().nullable(),
  lossScaler: object.nullable(),
  optimizer: z.custom<JsonValue>((value) => value !== undefined),
  schedule: z.custom<JsonValue>((value) => value !== undefined),
  algorithms: object,
  depth: object,
  times: object,
});

/** All of a snapshot that is no tensor. */
export type SnapshotNumbers = z.infer<typeof schema>;

/**
 * Reads the numbers of a snapshot.
 *
 * @throws ShallowsError for what is none
 */
export function readSnapshot({ json }: Snapshot): SnapshotNumbers {
  const read = schema.safeParse(json);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw new ShallowsError(
    `Trainer.load: expected the snapshot of a trainer, got ${issue?.path.join('.') ?? 'json'}: ${issue?.message ?? 'unknown'} - ` +
      'pass what state() gave, of the same version',
  );
}
