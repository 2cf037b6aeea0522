import { Operator, type Tensor } from '@shallows/torch';
import type { Parameter } from '../parameter.js';
import { hasOrder, inOrder, rowByRow } from './memory-order.js';
import { type ParameterState, stateTensor } from './parameter-states.js';

const foreachCopy_ = new Operator('aten::_foreach_copy_');

/** A parameter that a step moves. */
export interface Moved {
  readonly parameter: Parameter;
  readonly grad: Tensor;
  readonly state: ParameterState;
}

/** Lists for operators that move many parameters at once. */
export interface Lists {
  readonly params: Tensor[];
  readonly grads: Tensor[];
  /** For each name that was asked for, the tensor of each state. */
  readonly states: readonly Tensor[][];
  readonly moved: readonly Moved[];
}

/** Lists of one device and dtype each. */
export function listsOf(moved: readonly Moved[], names: readonly string[]): readonly Lists[] {
  return kindsOf(moved).map((each) => ({
    params: each.map(({ parameter }) => parameter),
    grads: each.map(({ grad }) => grad),
    states: statesOf(each, names),
    moved: each,
  }));
}

/**
 * Runs a fused operator on lists of one device and dtype each. Fused operators read memory from the first element to the
 * last without a look at strides, so whatever lies in another order than its state takes part as a copy. They copy gradients
 * that do not lie row by row themselves: these, and what belongs to them, take part as views that do.
 */
export function fused(moved: readonly Moved[], names: readonly string[], run: (lists: Lists) => void): void {
  for (const lists of listsOf(moved, names)) {
    const { params, grads, states } = lists;
    const targets: Tensor[] = [];
    const copies: Tensor[] = [];
    for (const [i, { parameter, grad, state }] of lists.moved.entries()) {
      if (!hasOrder(grad, state.order)) grads[i] = inOrder(grad, state.order);
      if (!hasOrder(parameter, state.order)) {
        const copy = inOrder(parameter, state.order);
        params[i] = copy;
        targets.push(parameter);
        copies.push(copy);
      }
      for (const list of [params, grads, ...states]) list[i] = rowByRow(list[i] as Tensor, state.order);
    }
    run(lists);
    if (targets.length > 0) foreachCopy_.call([targets, copies]);
  }
}

function kindsOf(moved: readonly Moved[]): readonly (readonly Moved[])[] {
  const kinds = new Map<string, Moved[]>();
  for (const each of moved) {
    const kind = kinds.get(each.state.kind);
    if (kind === undefined) kinds.set(each.state.kind, [each]);
    else kind.push(each);
  }
  return [...kinds.values()];
}

function statesOf(moved: readonly Moved[], names: readonly string[]): readonly Tensor[][] {
  return names.map((name) => moved.map(({ parameter, state }) => stateTensor(parameter, state, name)));
}
