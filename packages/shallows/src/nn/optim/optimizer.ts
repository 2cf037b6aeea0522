import type { Tensor } from '@shallows/torch';
import type { JsonValue } from '../json.js';
import type { Parameter } from '../parameter.js';

/** Parameters that share settings. Each optimizer adds its own settings to these. */
export interface ParamGroup {
  readonly params: readonly Parameter[];
  /** The rate of the next step, from 0: what a schedule sets. */
  lr: number;
  /** The rate that schedules multiply. */
  readonly baseLr: number;
  /** λ, from 0. */
  weightDecay: number;
}

/**
 * What an optimizer keeps beside the weights, in the layout of PyTorch's `optimizer.state_dict()`, tensors apart from
 * numbers.
 */
export interface OptimizerState {
  /** `state[index][name]` of PyTorch under `${index}.${name}`, such as `3.exp_avg`; indices count through all groups. */
  readonly tensors: Readonly<Record<string, Tensor>>;
  /** `{ param_groups: [{ lr, …, params: [0, 1, …] }, …] }`, as PyTorch writes it. */
  readonly json: JsonValue;
}

/**
 * Moves parameters against their gradients. A parameter without gradient (its block was dropped) is left alone: no
 * decay, no momentum, and its own count of steps stays.
 */
export interface Optimizer {
  /** Such as `sgd`: what a record calls it. */
  readonly name: string;
  readonly groups: readonly ParamGroup[];
  /** Moves every parameter that has a gradient; the gradients stay as they are. */
  step(): void;
  /** Removes all gradients. */
  zeroGrad(): void;
  /** The state as it stands: tensors are the optimizer's own, not copies, and change with the next step or load. */
  stateDict(): OptimizerState;
  /**
   * Takes settings and a copy of the tensors from a state. Nothing changes unless all of it fits.
   *
   * @throws ShallowsError where groups, parameters, names or shapes differ: all at once
   */
  loadStateDict(state: OptimizerState): void;
  /** Frees the state's tensors. */
  dispose(): void;
}
