import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { determinism, devices, getNumThreads, saveSafetensors, version } from '@shallows/torch';
import type { Advice } from '../depth/index.js';
import { stochasticityOf } from '../dropout/index.js';
import { keyToHex } from '../random/key.js';
import {
  createRun,
  dataRecord,
  journalKeeper,
  loadRun,
  type PolicyRecord,
  progressCallback,
  type Run,
  resumeRun,
  runFiles,
  type TextOutput,
  writeReport,
} from '../track/index.js';
import {
  type Algorithm,
  CheckpointStore,
  checkpointing,
  type FitResult,
  kubeflowProgress,
  modelSummary,
  type Parallel,
  type RegularizationBudget,
  type Resumed,
  resumeFrom,
} from '../train/index.js';
import { budgetText } from './budget.js';
import { type Prepared, prepareRecipe } from './prepare.js';
import type { Recipe } from './schema.js';
import { torchPackageVersion } from './torch-package.js';

/** Where and how a recipe is run. */
export interface RunOptions {
  /** The folder of the run: new or empty, or that of the run which goes on. */
  readonly folder: string;
  /** The command line, for the record. */
  readonly command: readonly string[];
  /** Ends the run after the current step, with everything saved. */
  readonly signal?: AbortSignal;
  /** Where progress is shown; nowhere by default. */
  readonly progress?: TextOutput;
  /** What the progress calls this run. */
  readonly label?: string;
  /**
   * Where it goes on: `auto`, from the newest checkpoint of the folder that verifies, or from the beginning where there is none;
   * or the path of a checkpoint or of another run.
   */
  readonly resume?: string;
  /** The ranks that train together: the first writes the folder. */
  readonly parallel?: Parallel;
}

/** What came out of a run. */
export interface RunResult extends Pick<FitResult, 'reason' | 'metrics' | 'depth' | 'factor' | 'timing'> {
  /** The folder of the run. */
  readonly run: string;
  /** Residual branches of the model that could be dropped. */
  readonly blocks: number;
  /** How they are dropped, with every default filled in; null without stochastic depth. */
  readonly policy: PolicyRecord | null;
  /** What experience says about that, the dropouts and all regularizers together, warnings first. */
  readonly advice: readonly Advice[];
  /** All that holds the network back, in one sum. */
  readonly regularization: RegularizationBudget;
}

/**
 * Trains a recipe into a run folder: `run.json`, `journal.jsonl`, `model.safetensors`, `report.html`.
 *
 * An interrupted run is saved like one that is done; one that fails keeps its record, with the error.
 */
export async function runRecipe(
  recipe: Recipe,
  { folder, command, signal, progress, label, resume, parallel }: RunOptions,
): Promise<RunResult> {
  using prepared = await prepareRecipe(recipe, parallel ?? null);
  await using store = checkpointStore(recipe, folder);
  const resumed = resume === undefined ? null : resumeFrom(resume, { folder: join(folder, runFiles.checkpoints) });
  using _ = resumed?.snapshot ?? null;
  const writes = (parallel?.rank ?? 0) === 0;
  const say = (message: string): void => {
    if (writes) progress?.write(`${message}\n`);
  };
  const opening = { folder, command, resumed, worldSize: parallel?.size ?? 1 };
  using run = writes ? await openRun(prepared, opening, say) : null;
  const shown =
    progress === undefined || !writes
      ? null
      : progressCallback({ output: progress, ...(label === undefined ? {} : { label }) });
  using __ = shown;
  for (const message of resumed?.messages ?? []) say(message);
  say(`${label === undefined ? '' : `${label}: `}${budgetText(prepared.regularization)}`);
  try {
    const { reason, metrics, depth, factor, timing } = await prepared.fit({
      callbacks: [run, shown, writes ? kubeflowProgress({ warn: say }) : null].filter((each) => each !== null),
      // The journal is on the disk before a checkpoint that a run may go on from.
      algorithms: [journalKeeper(run), ...(store === null ? [] : [saving(recipe, store)])],
      resumed,
      ...(signal === undefined ? {} : { signal }),
    });
    const { advice, regularization, sites } = prepared;
    const outcome = { reason, metrics, depth, factor, timing };
    const result = { run: folder, blocks: sites.length, ...outcome, advice, regularization };
    if (run === null) return { ...result, policy: null };
    saveSafetensors(run.file('model'), prepared.model.stateDict());
    await run.finish({ status: reason, metrics, depth, factor, timing });
    await writeReport(run.file('report'), [await loadRun(folder)]);
    return { ...result, policy: run.record.policy };
  } catch (error) {
    if (run?.record.status === 'running')
      await run.finish({ status: 'failed', failure: error instanceof Error ? error.message : String(error) });
    throw error;
  }
}

function checkpointStore({ checkpoint }: Recipe, folder: string): CheckpointStore | null {
  if (checkpoint.kind === 'none') return null;
  const { keep, best, forever } = checkpoint;
  const retention = { last: keep, ...(best && { best }), ...(forever === undefined ? {} : { every: forever }) };
  return new CheckpointStore(join(folder, runFiles.checkpoints), { retention });
}

function saving({ checkpoint }: Recipe, store: CheckpointStore): Algorithm {
  const { every, grace } = checkpoint.kind === 'none' ? {} : checkpoint;
  return checkpointing({ store, ...(every === undefined ? {} : { every }), ...(grace === undefined ? {} : { grace }) });
}

/** The run of a folder that holds one, or a new one. */
async function openRun(
  prepared: Prepared,
  {
    folder,
    command,
    resumed,
    worldSize,
  }: {
    readonly folder: string;
    readonly command: readonly string[];
    readonly resumed: Resumed | null;
    readonly worldSize: number;
  },
  say: (message: string) => void,
): Promise<Run> {
  const { recipe } = prepared;
  if (resumed === null || !existsSync(join(folder, runFiles.record))) {
    return await startRun(prepared, folder, command, worldSize);
  }
  const batch = resumed.from?.manifest.progress.batch ?? 0;
  const process = { command, worldSize, versions: { torch: torchPackageVersion(), libtorch: version().libtorch } };
  const { run, repaired } = await resumeRun(folder, { ...process, batch, recipe, devices: devices() });
  if (repaired !== null) {
    const { line, bytes, why, aside } = repaired;
    say(
      `The journal ended in ${String(bytes)} bytes from line ${String(line)} on that cannot be read (${why})${
        aside === null ? '' : `; they are in ${aside}`
      }.`,
    );
  }
  return run;
}

function startRun(
  { recipe, data, model, modelName, policy, sites, keys, regularization }: Prepared,
  folder: string,
  command: readonly string[],
  worldSize: number,
): Promise<Run> {
  return createRun(folder, {
    worldSize,
    precision: recipe.train.precision,
    determinism: { ...determinism(), deterministic: recipe.train.deterministic },
    name: recipe.name,
    command,
    recipe,
    seed: recipe.seed,
    keys: Object.fromEntries(Object.entries(keys).map(([name, key]) => [name, keyToHex(key)])),
    versions: { torch: torchPackageVersion(), libtorch: version().libtorch },
    threads: getNumThreads(),
    devices: devices(),
    data: dataRecord(data),
    model: modelSummary(modelName, model, sites),
    stochasticity: stochasticityOf(model),
    regularization,
    policy: policy && { preset: ('preset' in recipe.depth ? recipe.depth.preset : null) ?? null, ...policy },
  });
}
