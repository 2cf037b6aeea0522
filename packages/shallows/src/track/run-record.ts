import { z } from 'zod';
import type { DepthReport } from '../depth/index.js';
import type { EfficiencyReport, GapReading, StabilityReport, TargetOptions, TargetReport } from '../metrics/index.js';
import type { JsonObject } from '../nn/index.js';
import type { Evaluation, ModelSummary, PrimaryMetric, Timing } from '../train/events.js';
import type { RegularizationBudget } from '../train/index.js';
import { type ContainerRecord, containerRecord } from './container.js';
import { type DataRecord, dataRecordShape } from './data-record.js';
import { type GpuRecord, gpuRecord } from './gpus.js';
import { type HostRecord, hostRecordShape } from './host.js';
import { count, number } from './lossless-json.js';
import { type PolicyRecord, policyRecord } from './policy-record.js';
import { regularizationBudget } from './regularization-shape.js';
import { depthReport, evaluation, modelSummary, oneOf, primaryMetric, timing } from './shapes.js';
import { type StochasticSite, stochasticSite } from './stochastic-site.js';
import { efficiencyReport, gapReading, stabilityReport, targetOptions, targetReport } from './training-shapes.js';

/**
 * Where a run stands: `stopped` by an algorithm before its time, `interrupted` by a signal. `running` is also what a run that
 * was killed leaves behind.
 */
export type RunStatus = 'running' | 'done' | 'stopped' | 'interrupted' | 'failed';

/** The commit that a run was started from. */
export interface GitState {
  readonly commit: string;
  /** Null for a clean tree; else the SHA-256 of what differs from the commit, or `unknown` where that took too long. */
  readonly dirty: string | null;
}

/** Versions of what a run computes with. */
export interface Versions {
  readonly shallows: string;
  readonly torch: string;
  readonly libtorch: string;
  readonly node: string;
  /** CUDA that libtorch was built with; null for a build without. */
  readonly cuda: string | null;
  /** The graphics driver; null where there is none. */
  readonly driver: string | null;
}

/** A part of a run by its name, with its settings. */
export interface NamedPart {
  readonly name: string;
  readonly options: JsonObject;
}

/** A time that a run was taken up again. */
export interface Resumption {
  /** ISO 8601, UTC. */
  readonly time: string;
  /** Finished batches that it went on from. */
  readonly batch: number;
  readonly command: readonly string[];
  readonly worldSize: number;
  readonly versions: Versions;
  readonly git: GitState | null;
}

/** Everything that is needed to tell what a run was, and what came out of it: the contents of `run.json`. */
export interface RunRecord {
  readonly schema: 2;
  /** Unique: a UUID. */
  readonly id: string;
  readonly name: string;
  /** The run that this one continues; null for a fresh start. */
  readonly parent: string | null;
  readonly command: readonly string[];
  readonly user: string | null;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly finishedAt: string | null;
  readonly status: RunStatus;
  /** The message of the error that ended a failed run. */
  readonly failure: string | null;
  /** What an algorithm said when it stopped the run. */
  readonly stopReason: string | null;
  readonly recipe: Readonly<Record<string, unknown>>;
  /** SHA-256 of the recipe's canonical JSON (RFC 8785). */
  readonly recipeDigest: string;
  readonly seed: number;
  /** The derived random keys by name, as hexadecimal digits: every draw is a function of one of them and of a count. */
  readonly keys: Readonly<Record<string, string>>;
  readonly versions: Versions;
  /** Null outside of a repository, or without git. */
  readonly git: GitState | null;
  /** SHA-256 of the nearest lock file of a package manager. */
  readonly lockfileDigest: string | null;
  /** Null outside of a container. */
  readonly container: ContainerRecord | null;
  readonly host: HostRecord;
  readonly gpus: readonly GpuRecord[];
  /** Processes that train together. */
  readonly worldSize: number;
  /** Rows of a batch, over all processes; null before the first step. */
  readonly batchSize: number | null;
  readonly microbatches: number | null;
  /** Number type of the computation. */
  readonly precision: string;
  /** Switches of libtorch that change what two equal runs compute. */
  readonly determinism: Readonly<Record<string, boolean | number | string>>;
  readonly data: DataRecord;
  readonly model: ModelSummary;
  /** How blocks are dropped, with every default filled in; null where none are. */
  readonly policy: PolicyRecord | null;
  /** Every place where training is random, with its rate. */
  readonly stochasticity: readonly StochasticSite[];
  /** All that holds the network back, in one sum; null where nobody added it up. */
  readonly regularization: RegularizationBudget | null;
  readonly optimizer: NamedPart | null;
  readonly schedule: NamedPart | null;
  /** In the order in which they are asked. */
  readonly algorithms: readonly NamedPart[];
  /** What the run is judged by. */
  readonly primary: PrimaryMetric;
  /** What it was to reach, and when it did; null where nothing was asked for. */
  readonly goal: TargetOptions | null;
  readonly target: TargetReport | null;
  /** The last evaluation. */
  readonly metrics: Evaluation | null;
  /** The gap of the primary metric there, and what it means; null before the end. */
  readonly gap: GapReading | null;
  readonly depth: DepthReport | null;
  /** Factor of the schedule over time at the end, which says how branches count in evaluation under `paper` scaling. */
  readonly factor: number;
  readonly timing: Timing | null;
  readonly stability: StabilityReport | null;
  readonly efficiency: EfficiencyReport | null;
  /** Of the process, or of the device where that is not the CPU; null before the end. */
  readonly peakMemoryBytes: number | null;
  readonly resumptions: readonly Resumption[];
  /** Lines of the journal at the end and the digest of the last, which seals them all; null before the end. */
  readonly journal: { readonly lines: number; readonly digest: string } | null;
}

const digest = z.string().regex(/^[0-9a-f]{64}$/, { error: 'expected 64 hexadecimal digits' });
const instant = z.iso.datetime({ error: 'expected a time such as 2026-01-05T10:15:00.000Z' });
const namedPart: z.ZodType<NamedPart> = z.object({ name: z.string(), options: z.record(z.string(), z.json()) });
const git = z.object({ commit: z.string(), dirty: z.string().nullable() }).nullable();

const versions: z.ZodType<Versions> = z.object({
  shallows: z.string(),
  torch: z.string(),
  libtorch: z.string(),
  node: z.string(),
  cuda: z.string().nullable(),
  driver: z.string().nullable(),
});

const resumption: z.ZodType<Resumption> = z.object({
  time: instant,
  batch: count,
  command: z.array(z.string()),
  worldSize: count,
  versions,
  git,
});

/** Schema of `run.json`. Keys that it does not know are left out. */
export const runRecord: z.ZodType<RunRecord> = z.object({
  schema: z.literal(2, { error: 'expected schema 2, as this version of shallows writes it' }),
  id: z.uuid(),
  name: z.string().min(1),
  parent: z.string().nullable(),
  command: z.array(z.string()),
  user: z.string().nullable(),
  startedAt: instant,
  finishedAt: instant.nullable(),
  status: oneOf<RunStatus>({ running: 1, done: 1, stopped: 1, interrupted: 1, failed: 1 }),
  failure: z.string().nullable(),
  stopReason: z.string().nullable(),
  recipe: z.record(z.string(), z.unknown()),
  recipeDigest: digest,
  seed: count,
  keys: z.record(z.string(), z.string()),
  versions,
  git,
  lockfileDigest: digest.nullable(),
  container: containerRecord.nullable(),
  host: hostRecordShape,
  gpus: z.array(gpuRecord),
  worldSize: count,
  batchSize: count.nullable(),
  microbatches: count.nullable(),
  precision: z.string(),
  determinism: z.record(z.string(), z.union([z.boolean(), number, z.string()])),
  data: dataRecordShape,
  model: modelSummary,
  policy: policyRecord.nullable(),
  stochasticity: z.array(stochasticSite),
  regularization: regularizationBudget.nullable().default(null),
  optimizer: namedPart.nullable(),
  schedule: namedPart.nullable(),
  algorithms: z.array(namedPart),
  primary: primaryMetric,
  goal: targetOptions.nullable(),
  target: targetReport.nullable(),
  metrics: evaluation.nullable(),
  gap: gapReading.nullable(),
  depth: depthReport.nullable(),
  factor: number,
  timing: timing.nullable(),
  stability: stabilityReport.nullable(),
  efficiency: efficiencyReport.nullable(),
  peakMemoryBytes: number.nullable(),
  resumptions: z.array(resumption),
  journal: z.object({ lines: count, digest }).nullable(),
});
