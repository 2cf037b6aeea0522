import { join } from 'node:path';
import { loadSafetensors, setNumThreads } from '@shallows/torch';
import { ShallowsError } from '../errors.js';
import { dataRecord, type RunRecord, runFiles } from '../track/index.js';
import { type Evaluation, evaluateModel } from '../train/index.js';
import { buildModel } from './build.js';
import { parseRecipe } from './parse.js';
import { loadRecipeData } from './prepare.js';

/**
 * Computes the metrics of a run anew from its saved weights and the data of its recipe: nothing is random.
 *
 * @throws ShallowsError where the weights are not there, or the data are no longer those of the run
 */
export async function evaluateRun(folder: string, record: RunRecord): Promise<Evaluation> {
  const recipe = parseRecipe(JSON.stringify(record.recipe), { file: join(folder, runFiles.record) });
  if (recipe.train.threads !== undefined) setNumThreads(recipe.train.threads);
  using data = await loadRecipeData(recipe);
  const { digest } = dataRecord(data);
  if (digest !== record.data.digest) {
    throw new ShallowsError(
      `evaluateRun: expected the data of the run (${record.data.digest.slice(0, 12)}), got others (${digest.slice(0, 12)}) - restore the files of its recipe's data`,
    );
  }
  using model = buildModel(recipe, data.train.shape[0]).model;
  model.loadStateDict(loadSafetensors(join(folder, runFiles.model)).tensors);
  const { size } = data.train;
  return evaluation(
    evaluateModel(model, data.train, { normalise: data, rows: Math.min(recipe.train.trainSubset, size) }),
    evaluateModel(model, data.validation, { normalise: data }),
  );
}

function evaluation(train: Evaluation['train'], validation: Evaluation['validation']): Evaluation {
  const gap = { loss: validation.loss - train.loss, accuracy: train.accuracy - validation.accuracy };
  return { train, validation, gap };
}
