export { type MaseOptions, mase } from './mase.js';
export { RegressionErrors, type RegressionErrorsState, type RegressionResult } from './regression-errors.js';
