export { type PassUncertainty, type QualityAtPasses, type QualityByPasses, qualityByPasses } from './by-passes.js';
export { compareUncertainties } from './compare.js';
export {
  type BoundedBelow,
  type UncertaintyQuality,
  type UncertaintyQualityOptions,
  uncertaintyQuality,
} from './quality.js';
export {
  type Cut,
  coverageAtRisk,
  type RiskCoverage,
  type RiskCoverageCurve,
  riskAtCoverage,
  riskCoverage,
} from './risk-coverage.js';
export { type Sparsification, sparsification } from './sparsification.js';
export { spearman } from './spearman.js';
