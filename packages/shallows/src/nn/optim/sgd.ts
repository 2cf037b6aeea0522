import { Operator, type Tensor } from '@shallows/torch';
import { Settings } from '../settings.js';
import { GroupedOptimizer } from './grouped-optimizer.js';
import { fused, type Lists, listsOf, type Moved } from './moved.js';
import type { ParamGroup } from './optimizer.js';
import type { GroupOptions, GroupRules, Optimized, OptimizerGroup } from './param-groups.js';
import type { StateRules } from './state-layout.js';

const fusedSgd_ = new Operator('aten::_fused_sgd_');
const add = new Operator('aten::_foreach_add', 'List');
const add_ = new Operator('aten::_foreach_add_', 'List');
const mul_ = new Operator('aten::_foreach_mul_', 'Scalar');
const copy_ = new Operator('aten::_foreach_copy_');

/** Settings of one group of parameters. */
export interface SGDOptions extends GroupOptions {
  /** μ, the share of the last step's direction that is kept, in [0, 1). */
  readonly momentum?: number;
  /** d, how much less the new gradient counts in the direction, in [0, 1]. */
  readonly dampening?: number;
  /** Look ahead along the momentum (Nesterov 1983); needs momentum, and no dampening. */
  readonly nesterov?: boolean;
  /** λ of the penalty ½·λ·|w|², from 0. */
  readonly weightDecay?: number;
}

/** Parameters that share settings; those not given are the optimizer's own. */
export type SGDGroup = OptimizerGroup<SGDOptions>;

/** A group with all its settings. */
export interface SGDParamGroup extends ParamGroup {
  readonly momentum: number;
  readonly dampening: number;
  readonly nesterov: boolean;
}

const rules: GroupRules<SGDParamGroup> & StateRules<SGDParamGroup> = {
  fn: 'SGD',
  defaults: { momentum: 0, dampening: 0, nesterov: false, weightDecay: 0 },
  check(settings, { momentum, dampening, nesterov }) {
    settings
      .number('momentum', momentum, 'from 0 to below 1', (value) => value >= 0 && value < 1)
      .number('dampening', dampening, 'from 0 to 1', (value) => value >= 0 && value <= 1)
      .flag('nesterov', nesterov);
    if (nesterov !== true) return;
    settings.expect(momentum !== 0, 'nesterov', 'a momentum above 0 with it', momentum);
    settings.expect(dampening === 0, 'nesterov', 'no dampening with it', dampening);
  },
  tensors: ({ momentum }) => (momentum === 0 ? [] : ['momentum_buffer']),
  counts: false,
  fixed: { maximize: false },
};

/**
 * Stochastic gradient descent, step by step equal to PyTorch's:
 * g ← g + λ·w; v ← μ·v + (1 − d)·g (first v = g); g ← g + μ·v if nesterov, else v; w ← w − lr·g.
 *
 * On operators over all parameters of a group, `torch.optim.SGD` bit for bit. `fused` makes it one operator that goes through
 * memory once instead of four times: `torch.optim.SGD(fused=True)` bit for bit, and the plain one but for last bits. A parameter without gradient (its block was dropped) is left alone: no decay, no momentum. State: `momentum_buffer`.
 */
export class SGD extends GroupedOptimizer<SGDOptions, SGDParamGroup> {
  readonly name = 'sgd';
  readonly #fused: boolean;

  /**
   * @param params `model.parameters()`, or groups of parameters with settings of their own
   * @throws ShallowsError for no parameters, one given twice, one that cannot be learnt, or settings that are unknown
   *   or out of range
   */
  constructor(
    params: Optimized<SGDOptions>,
    { fused: isFused = false, ...options }: SGDOptions & { readonly fused?: boolean },
  ) {
    super(rules, params, options);
    new Settings('SGD').flag('fused', isFused).check('write new SGD(model.parameters(), { lr, fused: true })');
    this.#fused = isFused;
  }

  protected override move(groups: readonly (readonly Moved[])[]): void {
    for (const [i, group] of this.groups.entries()) {
      const moved = groups[i] ?? [];
      // The first direction of a parameter is its gradient whole, without dampening.
      const begun = ({ state }: Moved): boolean => group.momentum === 0 || state.tensors.has('momentum_buffer');
      const first = moved.filter((each) => !begun(each));
      const others = first.length === 0 ? moved : moved.filter(begun);
      for (const [part, isFirst] of [[others, false] as const, [first, true] as const]) {
        const names = rules.tensors(group);
        if (this.#fused) fused(part, names, (lists) => moveFused(group, lists, isFirst));
        else for (const lists of listsOf(part, names)) moveLists(group, lists, isFirst);
      }
    }
  }
}

function moveFused(group: SGDParamGroup, { params, grads, states: [velocities = []] }: Lists, isFirstStep: boolean) {
  const { lr, momentum, dampening, nesterov, weightDecay } = group;
  const settings = { weightDecay, momentum, lr, dampening, nesterov, maximize: false, isFirstStep };
  fusedSgd_.call([params, grads, velocities], settings);
}

function moveLists(group: SGDParamGroup, { params, grads: own, states: [velocities = []] }: Lists, isFirst: boolean) {
  const { lr, momentum, dampening, nesterov, weightDecay } = group;
  let grads = weightDecay === 0 ? own : (add.call([own, params], { alpha: weightDecay }) as Tensor[]);
  if (momentum !== 0) {
    if (isFirst) copy_.call([velocities, grads]);
    else {
      mul_.call([velocities, momentum]);
      add_.call([velocities, grads], { alpha: 1 - dampening });
    }
    if (!nesterov) grads = velocities;
    // With weight decay the gradients are this step's own copies: they may be written to.
    else if (weightDecay !== 0) add_.call([grads, velocities], { alpha: momentum });
    else grads = add.call([grads, velocities], { alpha: momentum }) as Tensor[];
  }
  add_.call([params, grads], { alpha: -lr });
}
