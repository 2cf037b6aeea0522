export { type ClassificationUncertainty, classificationUncertainty } from './classification.js';
export { type IntervalCoverage, intervalCoverage, type PredictionIntervals, predictionIntervals } from './intervals.js';
export { normalQuantile } from './normal.js';
export { binomialPValue, proportionInterval } from './proportion.js';
export { type RegressionNoise, type RegressionUncertainty, regressionUncertainty } from './regression.js';
export type { Estimate, PassSamples } from './samples.js';
