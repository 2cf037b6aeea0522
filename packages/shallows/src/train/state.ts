import type { Tensor } from '@shallows/torch';
import type { JsonObject, JsonValue } from '../nn/index.js';

/** What an algorithm carries from step to step: tensors apart from numbers. */
export interface AlgorithmState {
  /** The algorithm's own tensors, not copies: they change with the next step. */
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly json: JsonValue;
}

/**
 * A run between two operations, complete: what follows from it is what would have followed, bit for bit.
 *
 * Tensors go by names such as `model.conv1.weight`, `optimizer.0.momentum_buffer`, `algorithm.ema.shadow.conv1.weight`.
 * They are those of the run, not copies: copy or write them before the next step.
 */
export interface Snapshot {
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly json: JsonObject;
}
