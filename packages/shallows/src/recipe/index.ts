export {
  type BuiltModel,
  buildModel,
  type DepthForecast,
  forecastDepth,
} from './build.js';
export { RecipeError, type RecipeProblem } from './error.js';
export { type EvaluationRequest, EvaluationRequestError } from './evaluate/request.js';
export type { EvaluationSkips } from './evaluate/skips.js';
export { storeEvaluation } from './evaluate/store.js';
export { evaluateRun, type RunEvaluation } from './evaluate-run.js';
export { loadRecipe } from './load.js';
export { type ParseOptions, parseRecipe } from './parse.js';
export { buildPolicy } from './policy.js';
export { type Prepared, prepareRecipe } from './prepare.js';
export { type RunOptions, type RunResult, runRecipe } from './run.js';
export type { Recipe, SectionName } from './schema.js';
export { buildAlgorithms, buildOptimizer, buildSchedule } from './training-parts.js';
