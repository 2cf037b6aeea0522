import { full, keep, Operator, type Tensor } from '@shallows/torch';
import type { Parameter } from '../parameter.js';
import { formatOf, keptOrder } from './memory-order.js';

const zerosLike = new Operator('aten::zeros_like');
const fill_ = new Operator('aten::fill_', 'Scalar');

/** What an optimizer keeps of one parameter. */
export interface ParameterState {
  /** Device and dtype: operators on lists take tensors of one kind. */
  readonly kind: string;
  /** The order of the tensors' elements in memory, see `memoryOrder`. */
  readonly order: number;
  /** Steps that moved the parameter. */
  steps: number;
  /** By PyTorch's names. */
  readonly tensors: Map<string, Tensor>;
}

/** What an optimizer keeps of its parameters, from the first step that moves each. */
export class ParameterStates {
  #states = new Map<Parameter, ParameterState>();
  #stepTensors = new Map<Parameter, Tensor>();

  of(parameter: Parameter): ParameterState | undefined {
    return this.#states.get(parameter);
  }

  /** The state of a parameter, without tensors where it is new. */
  begun(parameter: Parameter): ParameterState {
    let state = this.#states.get(parameter);
    if (state === undefined) {
      state = newState(parameter);
      this.#states.set(parameter, state);
    }
    return state;
  }

  /** A parameter's count of steps as PyTorch keeps it, a float32 scalar; these states' own, and as it is now. */
  stepTensor(parameter: Parameter): Tensor {
    const { steps } = this.begun(parameter);
    let tensor = this.#stepTensors.get(parameter);
    if (tensor === undefined) {
      tensor = keep(full([], steps));
      this.#stepTensors.set(parameter, tensor);
    } else fill_.call([tensor, steps]);
    return tensor;
  }

  /** Puts other states in the place of these, whose tensors are freed, but for those that the others have too. */
  replace(states: Map<Parameter, ParameterState>): void {
    for (const [parameter, { tensors }] of states) {
      const old = this.#states.get(parameter)?.tensors;
      for (const [name, tensor] of tensors) if (old?.get(name) === tensor) old.delete(name);
    }
    this.dispose();
    this.#states = states;
  }

  dispose(): void {
    for (const { tensors } of this.#states.values()) for (const each of tensors.values()) each.dispose();
    for (const each of this.#stepTensors.values()) each.dispose();
    this.#states = new Map();
    this.#stepTensors = new Map();
  }
}

export function newState(parameter: Parameter): ParameterState {
  return {
    kind: `${parameter.device} ${parameter.dtype}`,
    order: keptOrder(parameter),
    steps: 0,
    tensors: new Map(),
  };
}

/** A tensor of a state; zeros like the parameter where it is not there yet. */
export function stateTensor(parameter: Parameter, state: ParameterState, name: string): Tensor {
  let tensor = state.tensors.get(name);
  if (tensor === undefined) {
    tensor = keep(zerosLike.call([parameter], { memoryFormat: formatOf(state.order) }) as Tensor);
    state.tensors.set(name, tensor);
  }
  return tensor;
}
