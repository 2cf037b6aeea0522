import { type Device, setNumThreads } from '@shallows/torch';
import { type BatchSource, batches, type DataSplits, loadData } from '../data/index.js';
import { type Advice, type Policy, type RatedSite, timeFactor, type Work } from '../depth/index.js';
import { ShallowsError } from '../errors.js';
import type { Module } from '../nn/index.js';
import type { Key } from '../random/index.js';
import { parseTime, type Timeline, timeToBatches } from '../time/index.js';
import {
  type Algorithm,
  type Callback,
  type FitResult,
  type Parallel,
  type RegularizationBudget,
  type Resumed,
  Trainer,
} from '../train/index.js';
import { adviseDropouts, adviseRecipe, allAdvice } from './advise.js';
import { recipeBudget } from './budget.js';
import { buildModel, recipeKeys, workOf } from './build.js';
import { modelName as nameOf } from './model.js';
import { inputOfData } from './model-input.js';
import type { Recipe } from './schema.js';
import { buildAlgorithms, buildOptimizer, buildSchedule } from './training-parts.js';

/** Everything that a recipe names, loaded and built: ready to train. */
export interface Prepared extends Disposable {
  readonly recipe: Recipe;
  readonly data: DataSplits;
  readonly model: Module;
  /** What events and records call the model, such as `cifar-resnet-110`. */
  readonly modelName: string;
  readonly policy: Policy | null;
  readonly sites: readonly RatedSite[];
  readonly work: Work;
  /** What experience says about the policy, the dropouts and all regularizers together, warnings first. */
  readonly advice: readonly Advice[];
  /** All that holds the network back, in one sum. */
  readonly regularization: RegularizationBudget;
  /** What each part of the run draws from; all follow from the seed. */
  readonly keys: Readonly<Record<'model' | 'data' | 'run', Key>>;
  /** Trains to the end of the duration, or to the step in which the signal comes. */
  fit(options?: FitOptions): Promise<FitResult>;
}

/** How a prepared recipe is trained. */
export interface FitOptions {
  readonly callbacks?: readonly Callback[];
  /** Beside those of the recipe, after them. */
  readonly algorithms?: readonly Algorithm[];
  /** Ends the run after the current step. */
  readonly signal?: AbortSignal;
  /** Where it goes on. */
  readonly resumed?: Resumed | null;
}

/**
 * Loads the data of a recipe and builds its model, policy, optimizer and schedule.
 *
 * @param parallel the ranks that train together; this process alone unless given
 * @throws ShallowsError where the data do not fit the model
 */
export async function prepareRecipe(recipe: Recipe, parallel: Parallel | null = null): Promise<Prepared> {
  const { train, seed } = recipe;
  if (train.threads !== undefined) setNumThreads(train.threads);
  const data = await loadRecipeData(recipe);
  return disposingOnError([data], (parts) => {
    const input = inputOfData(data.train, recipe);
    const { model, policy, sites } = buildModel(recipe, input);
    parts.push(model);
    const work = workOf(model, input);
    const optimizer = buildOptimizer(recipe, model);
    parts.push(optimizer);
    const modelName = nameOf(recipe.model);
    const keys = recipeKeys(seed);
    const source = epochSource(recipe, data, keys.data, parallel);
    const algorithms = buildAlgorithms(recipe, source);
    const timeline = timelineOf(recipe, data, source(0).length);
    const schedule = buildSchedule(recipe, timeline);
    const rows = data.train.size;
    const regularization = recipeBudget(recipe, { model, policy, sites, input, rows, schedule, timeline });
    const advice = allAdvice(
      policy === null ? [] : adviseRecipe(recipe, model, policy, sites),
      adviseDropouts(recipe, model, input, parallel?.size ?? 1),
      regularization.advice,
    );
    // Points of a schedule that come in the wrong order are found at its end: better now than then.
    if (policy !== null) timeFactor(policy.time, { batch: timeline.duration, elapsedMs: 0, timeline });
    return {
      recipe,
      data,
      model,
      modelName,
      policy,
      sites,
      work,
      advice,
      regularization,
      keys,
      fit: async ({ callbacks = [], algorithms: more = [], signal, resumed = null } = {}) => {
        const { dropLast: _, threads: __, device, ...settings } = train;
        using trainer = new Trainer({
          ...settings,
          ...(device === undefined ? {} : { device: device as Device }),
          model,
          modelName,
          train: data.train,
          validation: data.validation,
          source,
          optimizer,
          schedule,
          ...(recipe.schedule.kind === 'plateau' ? { scheduleMetric: recipe.schedule.metric } : {}),
          parallel,
          algorithms: [...algorithms, ...more],
          policy,
          sites,
          work,
          key: keys.run,
          checkpoint: recipe.depth.checkpoint ?? false,
          warnings: advice.flatMap(({ severity, message }) => (severity === 'warning' ? [message] : [])),
          callbacks,
          ...(signal === undefined ? {} : { signal }),
        });
        if (resumed !== null && resumed.snapshot !== null) {
          const { from, skipped } = resumed;
          trainer.load(resumed.snapshot, { from: from?.path ?? null, skipped });
        }
        return await trainer.fit();
      },
      [Symbol.dispose]: () => dispose(parts),
    };
  });
}

/** The data of a recipe, which must fit its model. */
export async function loadRecipeData({ data: config, model }: Recipe): Promise<DataSplits> {
  const data = await loadData(config);
  const { classes } = data.train;
  if (classes === null) return data;
  // An idx file names only the classes that occur.
  const fits = config.kind === 'idx' ? classes.length <= model.classes : classes.length === model.classes;
  if (fits) return data;
  data.dispose();
  throw new ShallowsError(
    `recipe: expected model.classes to be the ${String(classes.length)} classes of the data, got ${String(model.classes)} - write classes: ${String(classes.length)}`,
  );
}

function epochSource(
  { data: config, train: { batchSize, dropLast } }: Recipe,
  data: DataSplits,
  key: Key,
  parallel: Parallel | null,
) {
  const own = {
    ...(parallel === null ? {} : { shard: { rank: parallel.rank, size: parallel.size } }),
    ...('augment' in config ? { augment: config.augment } : {}),
    ...('workers' in config ? { workers: config.workers } : {}),
  };
  return (epoch: number): BatchSource =>
    batches(data.train, { batchSize, key, epoch, shuffle: true, dropLast, ...own });
}

function timelineOf(
  { train }: Recipe,
  data: DataSplits,
  batchesPerEpoch: number,
): Timeline & { readonly duration: number } {
  const { batchSize, duration: text } = train;
  const timeline: Timeline = {
    batchesPerEpoch,
    batchSize,
    samplesPerEpoch: Math.min(data.train.size, batchesPerEpoch * batchSize),
  };
  // A duration on the clock has no length in batches, and only schedules which need none.
  return { ...timeline, duration: parseTime(text).unit === 'sec' ? 1 : timeToBatches(text, timeline) };
}

type Part = { dispose(): void };

/** Frees what there is of a whole that could not be completed. */
function disposingOnError<T>(parts: Part[], complete: (parts: Part[]) => T): T {
  try {
    return complete(parts);
  } catch (error) {
    dispose(parts);
    throw error;
  }
}

/** The last one first. */
function dispose(parts: readonly Part[]): void {
  for (const part of parts.toReversed()) part.dispose();
}
