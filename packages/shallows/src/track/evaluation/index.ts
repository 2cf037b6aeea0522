export { modelDigest, readEvaluation, writeEvaluation } from './file.js';
export type {
  CalibrationMeasures,
  ClassificationPasses,
  CoverageRow,
  EvaluationOptions,
  HalfFit,
  HistogramBin,
  PassesRun,
  RegressionPasses,
  RowSummary,
  SkippedDepth,
  StoredEvaluation,
  UncertainRow,
  UncertaintyRanking,
} from './measured.js';
