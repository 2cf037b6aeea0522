import { clearGrads, gradsOf, keep, noGrad, Operator, scope, type Tensor } from '@shallows/torch';
import { ShallowsError, shown } from '../../errors.js';
import type { Parameter } from '../parameter.js';
import { isGroup, listed, paramGroup, type SGDGroup, type SGDOptions, type SGDParamGroup } from './sgd-groups.js';

const foreachAdd = new Operator('aten::_foreach_add', 'List');
const foreachAdd_ = new Operator('aten::_foreach_add_', 'List');
const foreachMul_ = new Operator('aten::_foreach_mul_', 'Scalar');
const clone = new Operator('aten::clone');

/**
 * Stochastic gradient descent, step by step equal to PyTorch's:
 * g ← g + λ·w; v ← μ·v + (1 − d)·g (first v = g); g ← g + μ·v if nesterov, else v; w ← w − lr·g.
 *
 * A parameter without gradient (its block was dropped) is left alone: no decay, no momentum.
 */
export class SGD {
  readonly groups: readonly SGDParamGroup[];
  readonly #momenta = new Map<Parameter, Tensor>();
  readonly #all: readonly Parameter[];

  /**
   * @param params `model.parameters()`, or groups of parameters with settings of their own
   * @throws ShallowsError for no parameters, one given twice, one that cannot be learnt, or settings that are unknown
   *   or out of range
   */
  constructor(params: Iterable<Parameter> | Iterable<SGDGroup>, options: SGDOptions) {
    const given = listed(params) as (Parameter | SGDGroup)[];
    const grouped = given.length > 0 && given.every(isGroup);
    const groups: readonly SGDGroup[] = grouped ? (given as SGDGroup[]) : [{ params: given as Parameter[] }];
    this.groups = groups.map((group) => paramGroup(group, options));
    this.#all = this.groups.flatMap((group) => group.params);
    if (this.#all.length === 0) {
      throw new ShallowsError('SGD: expected parameters to train, got none - pass model.parameters()');
    }
    if (new Set(this.#all).size < this.#all.length) {
      throw new ShallowsError('SGD: expected each parameter once, got one twice - list it in one group');
    }
  }

  /**
   * Moves every parameter that has a gradient.
   *
   * @throws ShallowsError where a group's `lr` was set to what is no number from 0; nothing has moved then
   */
  step(): void {
    for (const { lr } of this.groups) {
      if (lr >= 0 && lr < Number.POSITIVE_INFINITY) continue;
      throw new ShallowsError(`SGD.step: expected an lr from 0, got ${shown(lr)} - look at the schedule`);
    }
    noGrad(() =>
      scope(() => {
        for (const group of this.groups) this.#stepGroup(group);
      }),
    );
  }

  /** Removes all gradients. */
  zeroGrad(): void {
    clearGrads(this.#all);
  }

  /** The momentum of each parameter or null, in the order of the groups: what a checkpoint keeps beside the weights. */
  momenta(): readonly (Tensor | null)[] {
    return this.#all.map((parameter) => this.#momenta.get(parameter) ?? null);
  }

  /** Frees the momenta. */
  dispose(): void {
    for (const momentum of this.#momenta.values()) momentum.dispose();
    this.#momenta.clear();
  }

  #stepGroup({ params, lr, momentum, dampening, nesterov, weightDecay }: SGDParamGroup): void {
    const found = gradsOf(params);
    const moved = params.filter((_, i) => found[i] !== null);
    if (moved.length === 0) return;
    let grads = found.filter((each) => each !== null);
    if (weightDecay !== 0) grads = foreachAdd.call([grads, moved], { alpha: weightDecay }) as Tensor[];
    if (momentum !== 0) {
      const velocities = this.#accelerate(moved, grads, momentum, dampening);
      if (!nesterov) grads = velocities;
      // With weight decay the gradients are this step's own copies: they may be written to.
      else if (weightDecay !== 0) foreachAdd_.call([grads, velocities], { alpha: momentum });
      else grads = foreachAdd.call([grads, velocities], { alpha: momentum }) as Tensor[];
    }
    foreachAdd_.call([moved, grads], { alpha: -lr });
  }

  #accelerate(params: readonly Parameter[], grads: readonly Tensor[], momentum: number, dampening: number): Tensor[] {
    const old: Tensor[] = [];
    const oldGrads: Tensor[] = [];
    const velocities = params.map((parameter, i) => {
      const grad = grads[i] as Tensor;
      const velocity = this.#momenta.get(parameter);
      if (velocity === undefined) {
        const first = keep(clone.call([grad]) as Tensor);
        this.#momenta.set(parameter, first);
        return first;
      }
      old.push(velocity);
      oldGrads.push(grad);
      return velocity;
    });
    if (old.length > 0) {
      foreachMul_.call([old, momentum]);
      foreachAdd_.call([old, oldGrads], { alpha: 1 - dampening });
    }
    return velocities;
  }
}
