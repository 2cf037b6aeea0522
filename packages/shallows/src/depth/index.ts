export { type Advice, type AdviceOptions, adviceCodes, advise, type Regularizers } from './advice/advice.js';
export { fullMeasures, regularizerWords } from './advice/measures.js';
export { type UsualRate, type UsualRates, usualRates } from './advice/usual.js';
export { type ExitPoint, earlyExit, exitCurve, skippedSites, skipSites } from './after-training/early-exit.js';
export { type FoldReport, foldScale, unfoldScale } from './after-training/fold-scale.js';
export { type PrunedModel, type Pruning, pruneSites, sitesToPrune } from './after-training/prune.js';
export type { StatefulTree } from './after-training/prune-blocks.js';
export { type PrunedState, prunedStateDict } from './after-training/prune-state.js';
export { type ScoreOptions, type SiteScore, type SiteScores, scoreSites } from './after-training/score.js';
export {
  type BlockCost,
  type BlockCosts,
  type CostOptions,
  type ExpectedCost,
  expectedCost,
  measureCosts,
  type PartCost,
} from './cost/block-cost.js';
export { type RateForSaving, rateForSaving } from './cost/block-cost-rate.js';
export { type MeasuredModel, type StepTime, type StepTimer, stepTimer } from './cost/block-cost-timer.js';
export { type ChooseOptions, chooseExecution, type ExecutionChoice, settleExecution } from './cost/choose-execution.js';
export { measureWork, type Work } from './cost/work.js';
export { drawPlan, fixedPlan, type Plan, type PlanAt, type SitePlan } from './plan/plan.js';
export { type Executed, type PlannedPass, planSlot, withPlan } from './plan/planned-pass.js';
export { independentRows, keptRows, type Rows, rowFlags } from './plan/rows.js';
export { applyPolicy, setEvaluation } from './policy/apply-policy.js';
export { PolicyError, type PolicyProblem } from './policy/error.js';
export { findSites, type ModuleTree } from './policy/find-sites.js';
export { Policy, type PolicyOptions, policyWords } from './policy/policy.js';
export { placesOf, type RatedSite, rateSites, type SitePlace } from './policy/rate-sites.js';
export { type DepthSchedule, depthSchedules } from './policy/schedule.js';
export { selectLayers } from './policy/selection.js';
export { type ResidualBlock, Site, type SiteOptions } from './policy/site.js';
export { type Moment, type TimeSchedule, timeFactor, timeScheduleKinds } from './policy/time-schedule.js';
export type { ComposerOptions, NemoOptions, PldOptions } from './presets/blocks.js';
export { type PresetName, presets } from './presets/presets.js';
export {
  type Dinov2Options,
  type KerasCvOptions,
  type TimmOptions,
  type TorchvisionFamily,
  type TorchvisionOptions,
  torchvisionDrops,
} from './presets/rows.js';
export {
  activeInterval,
  activeProbability,
  activeQuantile,
  type DepthProfile,
  depthProfile,
  type ProfileOptions,
} from './profile/profile.js';
export { binomialCdf, binomialInterval, binomialUpperTail } from './proof/binomial.js';
export { DepthLedger, type PassCount } from './proof/ledger.js';
export { type DepthReport, depthReport, type ReportOptions, type SiteReport, type SiteTally } from './proof/report.js';
export {
  type DropMode,
  type DropOptions,
  DropPath,
  nameDropPaths,
  StochasticDepth,
  stochasticDepth,
} from './residual/drop-path.js';
export {
  type BranchParameters,
  type BranchUse,
  branchParameters,
  droppedParameters,
  gradless,
  type ParameterTree,
} from './residual/gradless.js';
export { recompute } from './residual/recompute.js';
export { residual } from './residual/residual.js';
export { adaptResidual, type BlockClass, type ResidualUnit } from './surgery/adaptor.js';
export type { StochasticDepthOptions } from './surgery/options.js';
export { type AppliedDepth, applyStochasticDepth } from './surgery/surgery.js';
