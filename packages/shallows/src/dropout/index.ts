export * from './advice/index.js';
export { AlphaDropout, alphaDropout, FeatureAlphaDropout, featureAlphaDropout } from './alpha-dropout.js';
export { DropBlock2d, type DropBlockModuleOptions, type DropBlockOptions, dropBlock2d } from './drop-block.js';
export {
  type AttachOptions,
  attachDropConnect,
  DropConnect,
  type DropConnectable,
  dropConnect,
} from './drop-connect.js';
export { Dropout, type DropoutModuleOptions, type DropoutOptions, dropout } from './dropout.js';
export { DropoutModule } from './dropout-module.js';
export { EmbeddingDropout, embeddingDropout, type WordOptions, type WordSharing } from './embedding-dropout.js';
export { GaussianDropout, gaussianDropout } from './gaussian-dropout.js';
export * from './inventory/index.js';
export { LayerDrop, type LayerRows, layerDrop, layerDropSite, type RunLayer, runLayers } from './layer-drop.js';
export {
  LockedDropout,
  type LockedDropoutModuleOptions,
  type LockedDropoutOptions,
  type LockedRates,
  lockedDropout,
  lockedDropouts,
} from './locked-dropout.js';
export {
  type MonteCarloOptions,
  type MonteCarloResult,
  monteCarlo,
  monteCarloPassAt,
  type PredictiveModel,
} from './monte-carlo/monte-carlo.js';
export type { PassFacts } from './monte-carlo/runner.js';
export type { AdaptiveOptions } from './monte-carlo/settled.js';
export { nameDropouts } from './name-dropouts.js';
export {
  activeDropoutsSlot,
  type DropRate,
  dropoutFactorSlot,
  dropoutMomentSlot,
  isDropRate,
  type ScheduledRate,
} from './rate.js';
export { type DropoutGranularity, type DropoutScaling, DropoutSite, type DropoutSiteOptions } from './site.js';
export {
  Dropout1d,
  Dropout2d,
  Dropout3d,
  dropout1d,
  dropout2d,
  dropout3d,
} from './spatial-dropout.js';
export * from './statistics/index.js';
