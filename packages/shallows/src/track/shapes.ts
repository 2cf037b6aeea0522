import { z } from 'zod';
import type { TaskKind } from '../data/index.js';
import type { DepthReport, ExecutionChoice } from '../depth/index.js';
import type { Evaluation, Metrics, ModelSummary, Precision, PrimaryMetric, Progress, Timing } from '../train/index.js';
import { count, number } from './lossless-json.js';

// The shapes that run.json and the journal share. `z.ZodType<T>` ties each to the type that the trainer reports.

/** Schema of a union of words. The compiler asks for all of them. */
export function oneOf<T extends string>(words: Readonly<Record<T, 1>>): z.ZodType<T> {
  const known = new Set<unknown>(Object.keys(words));
  return z.custom<T>((value) => known.has(value), { error: `expected one of ${Object.keys(words).join(', ')}` });
}

/** Schema of `Metrics`. */
export const metrics: z.ZodType<Metrics> = z.object({ loss: number }).catchall(number);

/** Schema of `PrimaryMetric`. */
export const primaryMetric: z.ZodType<PrimaryMetric> = z.object({
  name: z.string().min(1),
  better: oneOf<PrimaryMetric['better']>({ higher: 1, lower: 1 }),
});

/** Schema of `TaskKind`. */
export const taskKind: z.ZodType<TaskKind> = oneOf<TaskKind>({ classification: 1, regression: 1, language: 1 });

/** Schema of `Precision`. */
export const precision: z.ZodType<Precision> = oneOf<Precision>({ float32: 1, bfloat16: 1, float16: 1 });

/** Schema of `Progress`. */
export const progress: z.ZodType<Progress> = z.object({
  epoch: count,
  batch: count,
  sample: count,
  elapsedMs: number,
  fraction: number,
});

/** The keys of an `Evaluation`. */
export const evaluationShape = { train: metrics, validation: metrics, gap: metrics };

/** Schema of `Evaluation`. */
export const evaluation: z.ZodType<Evaluation> = z.object(evaluationShape);

const site = z.object({ name: z.string(), kind: z.string(), layer: count, requested: number });

/** Schema of `ModelSummary`. */
export const modelSummary: z.ZodType<ModelSummary> = z.object({
  name: z.string(),
  parameters: count,
  sites: z.array(site),
});

/** Schema of `Timing`. */
export const timing: z.ZodType<Timing> = z.object({
  medianStepMs: number,
  medianFullStepMs: number.nullable(),
  medianDroppedStepMs: number.nullable(),
  totalMs: number,
});

/** Schema of `DepthReport`. */
export const depthReport: z.ZodType<DepthReport> = z.object({
  sites: z.array(
    z.object({
      name: z.string(),
      requested: number,
      realised: number,
      opportunities: count,
      dropped: count,
      alarm: z.boolean(),
      interval: z.tuple([number, number]),
    }),
  ),
  expectedActive: number,
  realisedActive: number,
  workSaved: number.nullable(),
  workSavedIdeal: number.nullable(),
  falseAlarm: number,
});

/** Schema of how each site avoids what is dropped. */
export const executions: z.ZodType<readonly ExecutionChoice[] | null> = z
  .array(
    z.object({
      site: z.string(),
      execution: oneOf<ExecutionChoice['execution']>({ gate: 1, subset: 1, mask: 1 }),
      ms: z.object({ subset: number, mask: number }).nullable(),
      why: z.string(),
    }),
  )
  .nullable();
