import { join } from 'node:path';
import { loadSafetensors } from '@shallows/torch';
import type { DataSplits } from '../data/index.js';
import { type Advice, setEvaluation } from '../depth/index.js';
import { advisePlacement, type Inventory, inventory } from '../dropout/index.js';
import { ShallowsError } from '../errors.js';
import type { Module } from '../nn/index.js';
import { buildModel } from '../recipe/build.js';
import { inputOfData, inputOfRecipe, type ModelInput, zeroRows } from '../recipe/model-input.js';
import { parseRecipe } from '../recipe/parse.js';
import { loadRecipeData } from '../recipe/prepare.js';
import type { Recipe } from '../recipe/schema.js';
import { runFiles } from '../track/run-files.js';
import type { RunRecord } from '../track/run-record.js';

/** What `shallows inspect` shows. */
export interface InspectFacts {
  readonly inventory: Inventory;
  readonly advice: readonly Advice[];
  /** Why the shift of variances was not measured, where there was one to measure; else null. */
  readonly unmeasured: string | null;
}

/** Rows of the batch that variances are measured on. */
const measuredRows = 256;

/** The inventory of a recipe's model, untrained. The data are read only where nothing else says the shape of its input. */
export async function inspectRecipe(recipe: Recipe): Promise<InspectFacts> {
  const input = await inputOf(recipe);
  const { model } = buildModel(recipe, input);
  using _ = model;
  using x = zeroRows(input, 2);
  const found = inventory(model, x, { measure: false });
  const unmeasured = found.shifts.length === 0 ? null : 'the weights of a recipe are not trained: give a run';
  return { inventory: found, advice: adviceOn(found, recipe), unmeasured };
}

/** The inventory of a run's model, with its weights; where batch norm stands behind dropout also measured on its data. */
export async function inspectRun(folder: string, record: RunRecord): Promise<InspectFacts> {
  const recipe = parseRecipe(JSON.stringify(record.recipe), { file: join(folder, runFiles.record) });
  const input = await inputOf(recipe);
  const { model, policy } = buildModel(recipe, input);
  using _ = model;
  if (policy !== null) setEvaluation(model, policy, record.factor);
  model.loadStateDict(loadSafetensors(join(folder, runFiles.model)).tensors);
  using x = zeroRows(input, 2);
  const found = inventory(model, x, { measure: false });
  if (found.shifts.length === 0) return { inventory: found, advice: adviceOn(found, recipe), unmeasured: null };
  const { measured, why } = await measuredOnData(model, recipe);
  const all = measured ?? found;
  return { inventory: all, advice: adviceOn(all, recipe), unmeasured: why };
}

async function measuredOnData(
  model: Module,
  recipe: Recipe,
): Promise<{ readonly measured: Inventory | null; readonly why: string | null }> {
  let data: DataSplits;
  try {
    data = await loadRecipeData(recipe);
  } catch (error) {
    if (error instanceof ShallowsError) return { measured: null, why: error.message };
    throw error;
  }
  using all = data;
  const { inputs, targets } = all.train.batches({ batchSize: Math.min(measuredRows, all.train.size) }).at(0);
  using x = inputs;
  targets.dispose();
  return { measured: inventory(model, x), why: null };
}

function adviceOn(found: Inventory, { train: { batchSize, microbatches } }: Recipe): readonly Advice[] {
  return advisePlacement(found, { batchSize: Math.ceil(batchSize / microbatches) });
}

async function inputOf(recipe: Recipe): Promise<ModelInput> {
  try {
    return inputOfRecipe(recipe);
  } catch (error) {
    if (!(error instanceof ShallowsError)) throw error;
    using data = await loadRecipeData(recipe);
    return inputOfData(data.train, recipe);
  }
}
