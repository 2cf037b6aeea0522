import {
  type Advice,
  applyPolicy,
  applyStochasticDepth,
  branchParameters,
  depthReport,
  measureWork,
  Policy,
  type RatedSite,
  type Work,
} from '../depth/index.js';
import type { Module } from '../nn/index.js';
import { deriveKey, type Key, rootKey } from '../random/index.js';
import { adviseDropouts, adviseRecipe, allAdvice } from './advise.js';
import { createRecipeModel } from './model.js';
import { inputOfRecipe, type ModelInput, zeroRows } from './model-input.js';
import { buildPolicy } from './policy.js';
import type { Recipe } from './schema.js';

/** A model with the policy of its recipe applied to it. */
export interface BuiltModel {
  readonly model: Module;
  /** Null where the recipe says `depth: {kind: none}`. */
  readonly policy: Policy | null;
  /** The rate of each site, in forward order: all 0 without a policy. */
  readonly sites: readonly RatedSite[];
}

/**
 * The model of a recipe: its weights are a function of the recipe's seed.
 *
 * @param input what it is for; as far as the recipe says unless given
 */
export function buildModel(recipe: Recipe, input: ModelInput = inputOfRecipe(recipe)): BuiltModel {
  const model = createRecipeModel(recipe.model, input, recipeKeys(recipe.seed).model);
  try {
    const { depth } = recipe;
    const policy = buildPolicy(depth);
    const target = 'target' in depth ? depth.target : undefined;
    const sites =
      target === undefined || policy === null
        ? applyPolicy(model, policy ?? Policy({ drop: 0 }))
        : applyStochasticDepth(model, { ...policy, target }).sites;
    return { model, policy, sites };
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** The keys of a recipe's parts, by name: initial weights, order and augmentation, and what training draws. */
export function recipeKeys(seed: number): Readonly<Record<'model' | 'data' | 'run', Key>> {
  const root = rootKey(seed);
  return { model: deriveKey(root, 'model'), data: deriveKey(root, 'data'), run: deriveKey(root, 'run') };
}

/** What a recipe would drop and save, known before any training. */
export interface DepthForecast {
  readonly sites: readonly { readonly name: string; readonly requested: number; readonly flops: number }[];
  readonly expectedActive: number;
  /** Share of the forward FLOPs of the whole model. */
  readonly workSavedIdeal: number;
  /** FLOPs of one picture's forward pass: with every branch, and on average. */
  readonly flops: { readonly full: number; readonly expected: number };
  readonly parameters: number;
  /** With every default filled in; null without stochastic depth. */
  readonly policy: Policy | null;
  /** On the policy and the dropouts, warnings first. */
  readonly advice: readonly Advice[];
}

/** Builds the model of a recipe and reads off it what its policy will do, before any schedule over time. */
export function forecastDepth(recipe: Recipe): DepthForecast {
  const { model, policy, sites } = buildModel(recipe);
  using _ = model;
  const input = inputOfRecipe(recipe);
  const work = workOf(model, input);
  const masked = policy?.execution === 'mask';
  const tallies = sites.map(({ name, drop }) => ({
    ...{ name, requested: drop, masked },
    ...{ opportunities: 0, dropped: 0, missed: 0 },
  }));
  const { expectedActive, workSavedIdeal } = depthReport(tallies, { work });
  const saved = workSavedIdeal ?? 0;
  return {
    sites: sites.map(({ name, drop }) => ({ name, requested: drop, flops: work.branchFlops[name] ?? 0 })),
    expectedActive,
    workSavedIdeal: saved,
    flops: { full: work.totalFlops, expected: Math.round(work.totalFlops * (1 - saved)) },
    parameters: model.parameterCount,
    policy,
    advice: allAdvice(
      policy === null ? [] : adviseRecipe(recipe, model, policy, sites, projectedSites(model, input)),
      adviseDropouts(recipe, model, input),
    ),
  };
}

/** FLOPs of a model's forward pass on one row. */
export function workOf(model: Module, input: ModelInput): Work {
  using x = zeroRows(input);
  return measureWork((pass) => model.forward(x, pass));
}

/** The sites whose module has weights that no branch has: those of a shortcut. */
function projectedSites(model: Module, input: ModelInput): readonly string[] {
  using x = zeroRows(input);
  const { learnt, always, branches } = branchParameters(model, (pass) => model.forward(x, pass));
  const outside = learnt.filter((key) => always.includes(key));
  return branches.flatMap(({ site }) => (outside.some((key) => key.startsWith(`${site}.`)) ? [site] : []));
}
