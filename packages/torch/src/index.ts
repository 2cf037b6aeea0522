export { type AutocastDType, type AutocastOptions, autocast, autocastDType } from './autocast.js';
export * from './autograd.js';
export type { BatchNormOperators } from './batch-norm-ops.js';
export * from './checkpoint.js';
export * from './creation.js';
export * from './distributed/index.js';
export type { Device, DType, TypedArray } from './dtype.js';
export { TorchError } from './errors.js';
export * from './flops.js';
export type { Complex } from './frame.js';
export { Generator, manualSeed } from './generator.js';
export type { KeyedOperators } from './keyed-ops.js';
export type { LinearOperators } from './linear-ops.js';
export { type Answerer, answer } from './listener.js';
export * from './methods/index.js';
export { type Keywords, Operator } from './operator.js';
export * from './ops.js';
export type { PictureOperators } from './picture-ops.js';

import './print/index.js';

export { type OperatorTime, type Profile, profile } from './profile.js';
export { Replay } from './replay.js';
export type { JoinOptions, ResidualOperators } from './residual-ops.js';
export * from './runtime.js';
export * from './safetensors/index.js';
export * from './scope.js';
export { isTensor, Tensor } from './tensor.js';
export { type TracedCall, type TracedTensor, type TracedValue, type Tracing, trace } from './trace.js';
