export * from './activations.js';
export { SelfAttention, type SelfAttentionOptions } from './attention.js';
export * from './batch-norm.js';
export * from './conv.js';
export type { PaddingMode } from './conv-padding.js';
export * from './conv1d.js';
export { Embedding, type EmbeddingOptions } from './embedding.js';
export { FeedForward, type FeedForwardOptions } from './feedforward.js';
export * from './flatten.js';
export * from './group-norm.js';
export { GRU } from './gru.js';
export * from './init.js';
export type { JsonObject, JsonValue } from './json.js';
export * from './layer-norm.js';
export { LayerScale } from './layer-scale.js';
export { Linear, type LinearOptions } from './linear.js';
export * from './losses/cross-entropy.js';
export * from './losses/elementwise.js';
export type { LossReduction } from './losses/reduction.js';
export { LSTM, type LSTMState } from './lstm.js';
export { type AnyModule, Module } from './module.js';
export {
  type AttentionMasks,
  type AttentionResult,
  MultiheadAttention,
  type MultiheadAttentionOptions,
} from './multihead-attention.js';
export { Adam } from './optim/adam.js';
export type { AdamOptions, AdamParamGroup } from './optim/adam-rules.js';
export { AdamW } from './optim/adamw.js';
export * from './optim/clip.js';
export * from './optim/decay-schedules.js';
export * from './optim/lamb.js';
export type { Optimizer, OptimizerState, ParamGroup } from './optim/optimizer.js';
export type { GroupOptions, Optimized, OptimizerGroup } from './optim/param-groups.js';
export * from './optim/plateau.js';
export * from './optim/rmsprop.js';
export * from './optim/schedule.js';
export * from './optim/sgd.js';
export * from './optim/weight-decay-groups.js';
export { Buffer, Parameter } from './parameter.js';
export * from './pass.js';
export * from './pooling.js';
export { type Repeatable, recomputingSlot, repeatable } from './recomputing.js';
export { Recurrent, type RecurrentDropouts, type RecurrentOptions, type RecurrentResult } from './recurrent.js';
export type { CellWeights } from './recurrent-weights.js';
export * from './rms-norm.js';
export { byRowKeys, passOfRows, type RowWindow, rowKeysSlot } from './row-keys.js';
export * from './sequential.js';
export type { Pair } from './settings.js';
export { askedPlaceSlot, randomPlaceSlot, type Spread, spread, spreadAlong, spreadSlot } from './spread.js';
export type { LoadReport, StateDict } from './state-dict.js';
export type { StateDropout, Stochastic, StochasticLayer } from './stochastic.js';
