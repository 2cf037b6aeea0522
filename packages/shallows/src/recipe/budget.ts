import type { Policy, RatedSite } from '../depth/index.js';
import { stochasticityOf } from '../dropout/index.js';
import type { LearningRateSchedule, Module } from '../nn/index.js';
import { parseTime, type Timeline, timeToBatches } from '../time/index.js';
import { type RegularizationBudget, regularizationBudget, regularizersOf } from '../train/index.js';
import { isBranch } from './advise.js';
import type { ModelInput } from './model-input.js';
import type { Recipe } from './schema.js';

/** What a budget needs to know of a recipe that is built. */
export interface BudgetParts {
  readonly model: Module;
  readonly policy: Policy | null;
  readonly sites: readonly RatedSite[];
  readonly input: ModelInput;
  /** Rows of the training set. */
  readonly rows: number;
  readonly schedule: LearningRateSchedule;
  readonly timeline: Timeline & { readonly duration: number };
}

/** All regularizers of a recipe in one sum: of several dropouts the strongest counts, of depth the mean rate over its sites. */
export function recipeBudget(recipe: Recipe, parts: BudgetParts): RegularizationBudget {
  const { model, policy, sites, input, rows, schedule, timeline } = parts;
  const { optimizer, data, algorithms } = recipe;
  const duration = parseTime(recipe.train.duration);
  // A run on the clock has no length in batches.
  const batches = duration.unit === 'sec' ? null : timeline.duration;
  const used = algorithms.map(({ kind: name, ...options }) => ({ name, options }));
  return regularizationBudget(
    {
      ...regularizersOf(used, (halflife) => shareOfRun(halflife, recipe.train.duration, timeline)),
      ...dropoutsOf(model),
      ...(policy === null ? {} : { depth: mean(sites.map(({ drop }) => drop)) }),
      weightDecay: optimizer.weightDecay,
      ...('augment' in data ? { augmentation: data.augment } : {}),
    },
    {
      optimizer: optimizer.kind,
      input: input.dtype === 'int64' ? 'text' : input.shape.length === 3 ? 'pictures' : null,
      parameters: model.parameterCount,
      rows,
      epochs: batches === null ? null : batches / timeline.batchesPerEpoch,
      rateFalls: batches !== null && falls(schedule, batches),
    },
  );
}

/** A budget in a line, the strongest regularizers first. */
export function budgetText({ rows, total, published }: RegularizationBudget): string {
  if (rows.length === 0) return 'regularization: none';
  const parts = rows.toSorted((a, b) => b.measures - a.measures).map(({ name, setting }) => `${name} ${setting}`);
  const beside = published === null ? '' : `; ${published.name} was published with ${published.total.toFixed(1)}`;
  return `regularization: ${total.toFixed(1)} full measures (${parts.join(', ')})${beside}`;
}

/** The highest rates of a model's dropouts: of attention weights, and of all others. */
function dropoutsOf(model: Module): { readonly dropout: number; readonly attentionDropout: number } {
  const dropouts = stochasticityOf(model).filter(({ kind }) => !isBranch(kind));
  const highest = (attention: boolean): number =>
    Math.max(0, ...dropouts.flatMap(({ path, rate }) => (path.endsWith('attn_drop') === attention ? [rate] : [])));
  return { dropout: highest(false), attentionDropout: highest(true) };
}

/** How much of a run a time is; 0 where they cannot be compared, as batches and seconds. */
function shareOfRun(text: string, duration: string, timeline: Timeline & { readonly duration: number }): number {
  const [time, whole] = [parseTime(text), parseTime(duration)];
  if (time.unit === 'dur') return time.value;
  if ((time.unit === 'sec') !== (whole.unit === 'sec')) return 0;
  return time.unit === 'sec' ? time.value / whole.value : timeToBatches(text, timeline) / timeline.duration;
}

/** Whether a learning rate ends at a tenth or less of its highest. */
function falls(schedule: LearningRateSchedule, steps: number): boolean {
  const samples = Array.from({ length: 101 }, (_, i) => schedule(Math.round(((steps - 1) * i) / 100)));
  return (samples.at(-1) ?? 1) <= 0.1 * Math.max(...samples);
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
