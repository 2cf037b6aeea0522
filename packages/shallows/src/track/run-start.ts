import { randomUUID } from 'node:crypto';
import type { TargetOptions } from '../metrics/index.js';
import type { JsonObject } from '../nn/index.js';
import type { ModelSummary, PrimaryMetric } from '../train/events.js';
import type { RegularizationBudget } from '../train/index.js';
import { canonicalDigest } from './canonical-json.js';
import { findContainer } from './container.js';
import type { DataRecord } from './data-record.js';
import { gitState } from './git-state.js';
import { askForGpus, type Gpus } from './gpus.js';
import { hostRecord, packageVersion, userName } from './host.js';
import type { JournalOptions } from './journal/index.js';
import { lockfileDigest } from './lockfile.js';
import type { PolicyRecord } from './policy-record.js';
import type { NamedPart, RunRecord, Versions } from './run-record.js';
import type { StochasticSite } from './stochastic-site.js';

/** What only the caller knows of the process that a run is in. */
export interface RunProcess {
  readonly command: readonly string[];
  readonly versions: { readonly torch: string; readonly libtorch: string; readonly cuda?: string | null };
  readonly worldSize?: number;
  /** Where to look for the commit and the lock file; the current folder unless given. */
  readonly workingFolder?: string;
  readonly journal?: JournalOptions;
}

/** What only the caller knows of a run that starts. The rest of the record is collected. */
export interface RunStart extends RunProcess {
  readonly name: string;
  /** The whole recipe, as plain JSON data. */
  readonly recipe: Readonly<Record<string, unknown>>;
  readonly seed: number;
  /** The derived random keys by name, as hexadecimal digits. */
  readonly keys?: Readonly<Record<string, string>>;
  readonly threads: number;
  readonly devices: readonly string[];
  readonly determinism?: Readonly<Record<string, boolean | number | string>>;
  readonly data: DataRecord;
  readonly model: ModelSummary;
  /** How blocks are dropped; null, the default, where none are. */
  readonly policy?: PolicyRecord | null;
  /** Every place where training is random; none unless given. */
  readonly stochasticity?: readonly StochasticSite[];
  /** All that holds the network back, in one sum; null, the default, where nobody added it up. */
  readonly regularization?: RegularizationBudget | null;
  /** Taken from the recipe's section unless given. */
  readonly optimizer?: NamedPart | null;
  readonly schedule?: NamedPart | null;
  /** By the task unless given: accuracy, RMSE or perplexity. */
  readonly primary?: PrimaryMetric;
  /** What the run is to reach. */
  readonly goal?: TargetOptions | null;
  readonly parent?: string | null;
  readonly precision?: string;
}

/** What a run that is under way has no record of yet. */
export const nothingMeasured = Object.freeze({
  stopReason: null,
  target: null,
  metrics: null,
  gap: null,
  depth: null,
  factor: 1,
  timing: null,
  stability: null,
  efficiency: null,
  peakMemoryBytes: null,
  journal: null,
});

const PRIMARY = {
  classification: { name: 'accuracy', better: 'higher' },
  regression: { name: 'rmse', better: 'lower' },
  language: { name: 'perplexity', better: 'lower' },
} as const;

/** The record of a run as it starts: what the caller said, and what is found out here. */
export async function firstRecord(start: RunStart): Promise<RunRecord> {
  const { recipe } = start;
  const [{ versions, git, gpus }, lockfile, container] = await Promise.all([
    processFacts(start, start.devices),
    lockfileDigest(start.workingFolder ?? process.cwd()),
    findContainer(),
  ]);
  return {
    schema: 2,
    id: randomUUID(),
    name: start.name,
    parent: start.parent ?? null,
    command: [...start.command],
    user: userName(),
    startedAt: new Date().toISOString(),
    finishedAt: null,
    status: 'running',
    failure: null,
    recipe,
    recipeDigest: canonicalDigest(recipe),
    seed: start.seed,
    keys: start.keys ?? {},
    versions,
    git,
    lockfileDigest: lockfile,
    container,
    host: hostRecord(start),
    gpus,
    worldSize: start.worldSize ?? 1,
    batchSize: null,
    microbatches: null,
    precision: start.precision ?? 'float32',
    determinism: start.determinism ?? {},
    data: start.data,
    model: start.model,
    policy: start.policy ?? null,
    stochasticity: [...(start.stochasticity ?? [])],
    regularization: start.regularization ?? null,
    optimizer: start.optimizer ?? sectionOf(recipe, 'optimizer'),
    schedule: start.schedule ?? sectionOf(recipe, 'schedule'),
    algorithms: [],
    primary: start.primary ?? PRIMARY[start.data.task],
    goal: start.goal ?? null,
    resumptions: [],
    ...nothingMeasured,
  };
}

/** What a record says of the process that writes it. */
export async function processFacts(
  { versions, workingFolder = process.cwd() }: RunProcess,
  devices: readonly string[],
): Promise<{ readonly versions: Versions; readonly git: RunRecord['git']; readonly gpus: Gpus['gpus'] }> {
  const onGpu = devices.some((device) => device.startsWith('cuda'));
  const [shallows, git, { gpus, driver }] = await Promise.all([
    packageVersion(),
    gitState(workingFolder),
    onGpu ? askForGpus() : { gpus: [], driver: null },
  ]);
  const { torch, libtorch, cuda = null } = versions;
  return { versions: { shallows, torch, libtorch, node: process.version, cuda, driver }, git, gpus };
}

/** A section of a recipe, `{ kind, …fields }`, as a part and its settings. */
function sectionOf(recipe: RunStart['recipe'], key: string): NamedPart | null {
  const section = recipe[key];
  if (!isObject(section) || typeof section.kind !== 'string') return null;
  const { kind: name, ...options } = section;
  return { name, options };
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
