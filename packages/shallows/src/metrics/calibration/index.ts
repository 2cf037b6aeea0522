export { CalibrationBins, type CalibrationBinsState } from './calibration-bins.js';
export { type ClasswiseCalibration, type ClasswiseOptions, classwiseCalibration } from './classwise.js';
export { type EqualMassOptions, equalMassCalibration } from './equal-mass.js';
export type { ErrorAgainstChance } from './null-distribution.js';
export { type SuccessCount, successCount, type Trials } from './poisson-binomial.js';
export { binaryProbabilities, type Confidences, topLabel } from './probabilities.js';
export {
  brierScore,
  logLoss,
  ProbabilityScores,
  type ProbabilityScoresResult,
  type ProbabilityScoresState,
  type ScoreAgainstChance,
} from './probability-scores.js';
export type { CalibrationOptions, CalibrationReport, ReliabilityBin } from './report.js';
export {
  applyTemperature,
  type BeforeAndAfter,
  fitTemperature,
  type TemperatureFit,
  type TemperatureOptions,
  type TemperatureRefusal,
  temperatureFromJSON,
} from './temperature.js';
