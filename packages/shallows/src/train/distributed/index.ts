export { type DataParallel, type DataParallelOptions, dataParallel } from './data-parallel.js';
export { type KubeflowNodes, readKubeflowNodes, readRanks } from './environment.js';
export type { Environment } from './environment-reader.js';
export { type KubeflowProgressOptions, kubeflowProgress } from './kubeflow-progress.js';
export type { RankPlace } from './rank-place.js';
export { shareText } from './share-text.js';
export { type MissingGradients, missingGradients, plansOverRanks, type StepOverRanks } from './step-over-ranks.js';
