export { type AucBounds, BinnedAuc, type BinnedAucOptions, type BinnedAucState } from './binned-auc.js';
export {
  type ClassCounts,
  type ClassificationCounts,
  ConfusionMatrix,
  type ConfusionMatrixState,
  type PrecisionRecall,
} from './confusion-matrix.js';
export { predictedClasses } from './predicted-classes.js';
export { averagePrecision, rocAuc, rocAucOneVsRest } from './ranking.js';
export { TopK, type TopKState } from './top-k.js';
