export { distributedBackends, initProcessGroup } from './init-process-group.js';
export type { Backend, ProcessGroupOptions } from './options.js';
export type { ProcessGroup, ReduceOp } from './process-group.js';
export type { Reducer, ReducerOptions, StepGradients } from './reducer.js';
export { type SyncBatchNormOptions, syncBatchNorm } from './sync-batch-norm.js';
export type { Work } from './work.js';
