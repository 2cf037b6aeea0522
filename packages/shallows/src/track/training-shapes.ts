import { z } from 'zod';
import type {
  Divergence,
  EfficiencyReport,
  GapReading,
  StabilityReport,
  TargetOptions,
  TargetReport,
  TrainingPoint,
} from '../metrics/index.js';
import { count, number } from './lossless-json.js';
import { oneOf } from './shapes.js';

// The shapes of what was measured while a run trained.

const better = oneOf<TargetReport['better']>({ higher: 1, lower: 1 });
const point: z.ZodType<TrainingPoint> = z.object({ epoch: count, batch: count, sample: count, elapsedMs: number });

/** Schema of `StabilityReport`. */
export const stabilityReport: z.ZodType<StabilityReport> = z.object({
  readings: count,
  nonFinite: count,
  std: number.nullable(),
  meanStd: number.nullable(),
  epochStd: number.nullable(),
  spikes: count,
  spikesPerThousand: number,
  spikesAt: z.array(z.object({ batch: count, loss: number, limit: number })),
  divergence: z.object({ batch: count, why: oneOf<Divergence['why']>({ 'non-finite': 1, rising: 1 }) }).nullable(),
  trend: number.nullable(),
  bestTrend: number.nullable(),
  gradNorm: z.object({ mean: number, largest: number }).nullable(),
});

/** Schema of `TargetOptions`. */
export const targetOptions: z.ZodType<TargetOptions> = z.object({
  metric: z.string(),
  better,
  value: number,
  stays: count.exactOptional(),
  decay: number.exactOptional(),
});

/** Schema of `TargetReport`. */
export const targetReport: z.ZodType<TargetReport> = z.object({
  metric: z.string(),
  better,
  value: number,
  stays: count,
  reached: point.nullable(),
  held: count,
  evaluations: count,
  best: number.nullable(),
  last: point.nullable(),
});

/** Schema of `EfficiencyReport`. */
export const efficiencyReport: z.ZodType<EfficiencyReport> = z.object({
  devices: count,
  deviceHours: number,
  steps: count,
  samples: count,
  trainMs: number,
  dataWaitMs: number,
  evaluationMs: number,
  retriedMs: number,
  otherMs: number,
  elapsedMs: number,
  samplesPerSecond: number.nullable(),
  dataWaitShare: number.nullable(),
});

/** Schema of `GapReading`. */
export const gapReading: z.ZodType<GapReading> = z.object({
  gap: number,
  error: number.nullable(),
  atLeast: number.nullable(),
  verdict: oneOf<GapReading['verdict']>({ unknown: 1, fine: 1, warn: 1, alert: 1 }),
});
