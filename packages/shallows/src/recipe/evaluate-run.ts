import { join } from 'node:path';
import { loadSafetensors, setNumThreads } from '@shallows/torch';
import type { Dataset } from '../data/index.js';
import { setEvaluation } from '../depth/index.js';
import { ShallowsError } from '../errors.js';
import { evaluation, type Module, type Pass } from '../nn/index.js';
import {
  type CalibrationMeasures,
  dataRecord,
  type RunRecord,
  runFiles,
  type SkippedDepth,
  type StoredEvaluation,
} from '../track/index.js';
import { type Evaluation, evaluateModel, gapOf, objectiveOf } from '../train/index.js';
import { buildModel } from './build.js';
import { calibrate } from './evaluate/calibrate.js';
import { classify, logitsOf } from './evaluate/classify.js';
import { regress } from './evaluate/regress.js';
import { type EvaluationRequest, requireFits } from './evaluate/request.js';
import { withoutSkips } from './evaluate/skips.js';
import { inputOfData } from './model-input.js';
import { parseRecipe } from './parse.js';
import { loadRecipeData } from './prepare.js';

/** The metrics of a run, and which network has them. */
export interface RunEvaluation extends Evaluation {
  /** What was left out; absent where nothing was asked for. */
  readonly depth?: SkippedDepth;
  /** What random passes say; absent where none were asked for. */
  readonly passes?: NonNullable<StoredEvaluation['passes']>;
  /** Of the plain prediction, then of the mean of the passes; absent where not asked for. */
  readonly calibration?: NonNullable<StoredEvaluation['calibration']>;
}

/**
 * Computes the metrics of a run anew from its saved weights and the data of its recipe: nothing is random. With skips,
 * those of the smaller network that is left. With random passes and calibration, also what these say of the validation set:
 * masks follow from the seed and the number of the row, so that the numbers are the same whenever it is done.
 *
 * @throws ShallowsError where the weights are not there, the data are no longer those of the run, or as `skipSites`,
 *   `earlyExit` and `sitesToPrune`; EvaluationRequestError for a request that does not fit the run
 */
export async function evaluateRun(
  folder: string,
  record: RunRecord,
  request: EvaluationRequest = {},
): Promise<RunEvaluation> {
  const recipe = parseRecipe(JSON.stringify(record.recipe), { file: join(folder, runFiles.record) });
  if (recipe.train.threads !== undefined) setNumThreads(recipe.train.threads);
  using data = await loadRecipeData(recipe);
  const { digest } = dataRecord(data);
  if (digest !== record.data.digest) {
    throw new ShallowsError(
      `evaluateRun: expected the data of the run (${record.data.digest.slice(0, 12)}), got others (${digest.slice(0, 12)}) - restore the files of its recipe's data`,
    );
  }
  const input = inputOfData(data.train, recipe);
  const { model, policy } = buildModel(recipe, input);
  using _ = model;
  if (policy !== null) setEvaluation(model, policy, record.factor);
  model.loadStateDict(loadSafetensors(join(folder, runFiles.model)).tensors);
  requireFits(request, data.validation, model, input);
  const left = withoutSkips(model, request, input);
  const pass = left?.pass ?? evaluation;
  const rows = Math.min(recipe.train.trainSubset, data.train.size);
  const train = await evaluateModel(model, data.train, { pass, rows });
  const validation = await evaluateModel(model, data.validation, { pass });
  const metrics = { train, validation, gap: gapOf(objectiveOf(data.train), train, validation) };
  return {
    ...metrics,
    ...(left === null ? {} : { depth: left.depth }),
    ...(await beyondMetrics(model, data.validation, request, { pass, noise: train.loss })),
  };
}

async function beyondMetrics(
  model: Module,
  dataset: Dataset,
  request: EvaluationRequest,
  { pass, noise }: { readonly pass: Pass; readonly noise: number },
): Promise<Pick<RunEvaluation, 'passes' | 'calibration'>> {
  const { monteCarlo, calibrate: calibrates = false } = request;
  if (monteCarlo === undefined && !calibrates) return {};
  if (dataset.task !== 'classification') {
    return monteCarlo === undefined ? {} : { passes: await regress(model, dataset, monteCarlo, noise) };
  }
  const { passes, logits, mean, classes, targets } = await classify(model, dataset, request, pass);
  const plain = (): CalibrationMeasures => calibrate('plain', { logits, classes, targets });
  const averaged = (p: Float64Array): CalibrationMeasures =>
    calibrate('mean of the passes', { logits: logitsOf(p), classes, targets });
  return {
    ...(passes === null ? {} : { passes }),
    ...(calibrates ? { calibration: mean === null ? [plain()] : [plain(), averaged(mean)] } : {}),
  };
}
