export { type CostOptions, type CostPoint, costPerGain, dominatedBy } from './cost.js';
export { type Better, gain, type TrainingPoint } from './direction.js';
export { EfficiencyMeter, type EfficiencyReport, type HeldDevices, type StepCost } from './efficiency.js';
export { GapMeter, type GapOptions, type GapReading, type GapSide, type GapVerdict } from './gap.js';
export {
  type Proportion,
  type ProportionDifference,
  proportionDifference,
  proportionError,
  Z_95,
} from './proportion.js';
export {
  type Divergence,
  type Spike,
  StabilityMeter,
  type StabilityOptions,
  type StabilityReport,
  type StabilityState,
} from './stability.js';
export { TargetMeter, type TargetOptions, type TargetReport, type TargetState } from './target.js';
export type { TrendState } from './trend.js';
