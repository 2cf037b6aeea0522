import { clearGrads, gradsOf, keep, noGrad, Operator, scope, type Tensor } from '@shallows/torch';
import { ShallowsError, shown } from '../../errors.js';
import type { Parameter } from '../parameter.js';

const foreachAdd = new Operator('aten::_foreach_add', 'List');
const foreachAdd_ = new Operator('aten::_foreach_add_', 'List');
const foreachMul_ = new Operator('aten::_foreach_mul_', 'Scalar');
const clone = new Operator('aten::clone');

/** Settings of one group of parameters. */
export interface SGDOptions {
  /** Learning rate, from 0. */
  readonly lr: number;
  /** Share of the last step's direction that is kept, in [0, 1). */
  readonly momentum?: number;
  /** How much less the new gradient counts in the direction. */
  readonly dampening?: number;
  /** Look ahead along the momentum (Nesterov 1983). */
  readonly nesterov?: boolean;
  /** λ of the penalty ½·λ·|w|². */
  readonly weightDecay?: number;
}

/** Parameters that share settings; those not given are the optimizer's own. */
export interface SGDGroup extends Partial<SGDOptions> {
  readonly params: Iterable<Parameter>;
}

/** A group with all its settings; `lr` may be changed between steps. */
export interface SGDParamGroup extends Required<Omit<SGDOptions, 'lr'>> {
  readonly params: readonly Parameter[];
  lr: number;
  /** The rate that schedules multiply. */
  readonly baseLr: number;
}

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

  /** @throws ShallowsError for no parameters, one given twice, or settings out of range: all at once */
  constructor(params: Iterable<Parameter> | Iterable<SGDGroup>, options: SGDOptions) {
    const given = [...params] as (Parameter | SGDGroup)[];
    const grouped = given.length > 0 && given.every(isGroup);
    const groups: readonly SGDGroup[] = grouped ? (given as SGDGroup[]) : [{ params: given as Parameter[] }];
    this.groups = groups.map((group) => paramGroup(group, options));
    this.#all = this.groups.flatMap((group) => group.params);
    if (this.#all.length === 0) throw new ShallowsError('SGD: expected parameters to train, got none - pass model.parameters()');
    if (new Set(this.#all).size < this.#all.length) {
      throw new ShallowsError('SGD: expected each parameter once, got one twice - list it in one group');
    }
  }

  /** Moves every parameter that has a gradient. */
  step(): void {
    noGrad(() => scope(() => this.groups.forEach((group) => this.#stepGroup(group))));
  }

  /** Removes all gradients. */
  zeroGrad(): void {
    clearGrads(this.#all);
  }

  /** The momentum of each parameter that has one, in the order of the groups: what a checkpoint keeps beside the weights. */
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

function isGroup(value: object): value is SGDGroup {
  return 'params' in value;
}

function paramGroup(group: SGDGroup, defaults: SGDOptions): SGDParamGroup {
  const { params, ...own } = group;
  const { lr, momentum = 0, dampening = 0, nesterov = false, weightDecay = 0 } = { ...defaults, ...own };
  const problems: string[] = [];
  const check = (name: string, value: number, holds: boolean, expected: string): void => {
    if (!holds) problems.push(`${name}: expected ${expected}, got ${shown(value)}`);
  };
  check('lr', lr, Number.isFinite(lr) && lr >= 0, 'a number from 0');
  check('momentum', momentum, momentum >= 0 && momentum < 1, 'a number from 0 to below 1');
  check('dampening', dampening, dampening >= 0 && dampening <= 1, 'a number from 0 to 1');
  check('weightDecay', weightDecay, Number.isFinite(weightDecay) && weightDecay >= 0, 'a number from 0');
  if (nesterov && !(momentum > 0 && dampening === 0)) {
    problems.push('nesterov: expected momentum above 0 and dampening 0 with it');
  }
  if (problems.length > 0) throw new ShallowsError(`SGD: ${problems.join('; ')}`);
  return { params: [...params], lr, baseLr: lr, momentum, dampening, nesterov, weightDecay };
}
