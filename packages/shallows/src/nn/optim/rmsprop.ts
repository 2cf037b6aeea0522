import { Operator, type Tensor } from '@shallows/torch';
import { GroupedOptimizer } from './grouped-optimizer.js';
import { type Lists, listsOf, type Moved } from './moved.js';
import type { ParamGroup } from './optimizer.js';
import type { GroupOptions, GroupRules, Optimized } from './param-groups.js';
import type { StateRules } from './state-layout.js';

const add = new Operator('aten::_foreach_add', 'List');
const add_ = new Operator('aten::_foreach_add_', 'List');
const addNumber_ = new Operator('aten::_foreach_add_', 'Scalar');
const mul_ = new Operator('aten::_foreach_mul_', 'Scalar');
const lerp_ = new Operator('aten::_foreach_lerp_', 'Scalar');
const addcmul = new Operator('aten::_foreach_addcmul', 'Scalar');
const addcmul_ = new Operator('aten::_foreach_addcmul_', 'Scalar');
const addcdiv_ = new Operator('aten::_foreach_addcdiv_', 'Scalar');
const sqrt = new Operator('aten::_foreach_sqrt');
const sqrt_ = new Operator('aten::_foreach_sqrt_');

/** Settings of one group of parameters of {@link RMSprop}. */
export interface RMSpropOptions extends GroupOptions {
  /** α, the share of the mean square that is kept, in [0, 1). */
  readonly alpha?: number;
  /** ε, from 0. */
  readonly eps?: number;
  /** μ, the share of the last step's direction that is kept, from 0. */
  readonly momentum?: number;
  /** Divide by the standard deviation: take the squared mean off the mean square (Graves 2013). */
  readonly centered?: boolean;
}

/** A group of {@link RMSprop} with all its settings. */
export interface RMSpropParamGroup extends ParamGroup {
  readonly alpha: number;
  readonly eps: number;
  readonly momentum: number;
  readonly centered: boolean;
}

const rules: GroupRules<RMSpropParamGroup> & StateRules<RMSpropParamGroup> = {
  fn: 'RMSprop',
  defaults: { alpha: 0.99, eps: 1e-8, momentum: 0, centered: false, weightDecay: 0 },
  check(settings, { alpha, eps, momentum, centered }) {
    settings
      .number('alpha', alpha, 'from 0 to below 1', (value) => value >= 0 && value < 1)
      .number('eps', eps, 'from 0', (value) => value >= 0)
      .number('momentum', momentum, 'from 0', (value) => value >= 0)
      .flag('centered', centered);
  },
  tensors: ({ momentum, centered }) => [
    'square_avg',
    ...(momentum > 0 ? ['momentum_buffer'] : []),
    ...(centered ? ['grad_avg'] : []),
  ],
  counts: true,
  fixed: { maximize: false },
};

/**
 * RMSprop (Hinton, lecture 6e, 2012), as `torch.optim.RMSprop` bit for bit:
 * g ← g + λ·w; s ← α·s + (1 − α)·g²; d = √s + ε, with `centered` √(s − ḡ²) + ε where ḡ ← α·ḡ + (1 − α)·g;
 * with momentum b ← μ·b + g/d and w ← w − lr·b, else w ← w − lr·g/d.
 *
 * ε stands outside the root, as in PyTorch; TensorFlow's stands inside. Defaults: alpha 0.99, eps 1e-8. State: `step`,
 * `square_avg`, `momentum_buffer`, `grad_avg`.
 */
export class RMSprop extends GroupedOptimizer<RMSpropOptions, RMSpropParamGroup> {
  readonly name = 'rmsprop';

  /**
   * @param params `model.parameters()`, or groups of parameters with settings of their own
   * @throws ShallowsError for no parameters, one given twice, one that cannot be learnt, or settings that are unknown
   *   or out of range
   */
  constructor(params: Optimized<RMSpropOptions>, options: RMSpropOptions) {
    super(rules, params, options);
  }

  protected override move(groups: readonly (readonly Moved[])[]): void {
    for (const [i, group] of this.groups.entries()) {
      const names = rules.tensors(group);
      for (const lists of listsOf(groups[i] ?? [], names)) moveLists(group, lists, names);
    }
  }
}

function moveLists(group: RMSpropParamGroup, { params, grads: own, states, moved }: Lists, names: readonly string[]) {
  const { lr, alpha, eps, momentum, centered, weightDecay } = group;
  const state = (name: string): readonly Tensor[] => states[names.indexOf(name)] ?? [];
  const grads = weightDecay === 0 ? own : (add.call([own, params], { alpha: weightDecay }) as Tensor[]);
  const squares = state('square_avg');
  mul_.call([squares, alpha]);
  addcmul_.call([squares, grads, grads, 1 - alpha]);
  let divisors: Tensor[];
  if (centered) {
    const means = state('grad_avg');
    lerp_.call([means, grads, 1 - alpha]);
    divisors = addcmul.call([squares, means, means, -1]) as Tensor[];
    sqrt_.call([divisors]);
  } else divisors = sqrt.call([squares]) as Tensor[];
  addNumber_.call([divisors, eps]);
  if (momentum > 0) {
    const velocities = state('momentum_buffer');
    mul_.call([velocities, momentum]);
    addcdiv_.call([velocities, grads, divisors, 1]);
    add_.call([params, velocities], { alpha: -lr });
  } else addcdiv_.call([params, grads, divisors, -lr]);
  for (const each of moved) each.state.steps++;
}
