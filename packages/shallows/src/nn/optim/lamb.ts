import { Operator, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../../errors.js';
import type { Parameter } from '../parameter.js';
import { checkBetas } from './adam-rules.js';
import { GroupedOptimizer } from './grouped-optimizer.js';
import { type Lists, listsOf, type Moved } from './moved.js';
import { globalNorm } from './norms.js';
import type { ParamGroup } from './optimizer.js';
import type { GroupOptions, GroupRules, OptimizerGroup } from './param-groups.js';
import type { StateRules } from './state-layout.js';

const add_ = new Operator('aten::_foreach_add_', 'List');
const addNumber_ = new Operator('aten::_foreach_add_', 'Scalar');
const mul_ = new Operator('aten::_foreach_mul_', 'Scalar');
const mulEach_ = new Operator('aten::_foreach_mul_', 'List');
const addcmul_ = new Operator('aten::_foreach_addcmul_', 'Scalar');
const sqrt = new Operator('aten::_foreach_sqrt');
const div = new Operator('aten::_foreach_div', 'ScalarList');
const divEach_ = new Operator('aten::_foreach_div_', 'List');
const divNumbers_ = new Operator('aten::_foreach_div_', 'ScalarList');
const divTensor = new Operator('aten::_foreach_div', 'Tensor');
const norm = new Operator('aten::_foreach_norm', 'Scalar');
const stack = new Operator('aten::stack');
const unbind = new Operator('aten::unbind', 'int');

/** Settings of one group of parameters of {@link LAMB}. */
export interface LAMBOptions extends GroupOptions {
  /** β₁ and β₂, the shares of both averages that are kept, each in [0, 1). */
  readonly betas?: readonly [gradient: number, square: number];
  /** ε, from 0. */
  readonly eps?: number;
  /** Divide both averages by 1 − βᵗ. */
  readonly biasCorrection?: boolean;
  /** Whether a new gradient enters its average 1 − β₁ times, or whole. */
  readonly gradAveraging?: boolean;
  /** No ratio above 1 (LAMBC). */
  readonly trustClip?: boolean;
  /** The ratio also for groups without weight decay. */
  readonly alwaysAdapt?: boolean;
  /** Norm over all gradients of all groups to which a larger one is scaled; null for none. One for all groups. */
  readonly maxGradNorm?: number | null;
}

/** A group of {@link LAMB} with all its settings. */
export interface LAMBParamGroup extends ParamGroup {
  readonly betas: readonly [gradient: number, square: number];
  readonly eps: number;
  readonly biasCorrection: boolean;
  readonly gradAveraging: boolean;
  readonly trustClip: boolean;
  readonly alwaysAdapt: boolean;
  readonly maxGradNorm: number | null;
}

const rules: GroupRules<LAMBParamGroup> & StateRules<LAMBParamGroup> = {
  fn: 'LAMB',
  defaults: {
    betas: [0.9, 0.999],
    eps: 1e-6,
    weightDecay: 0.01,
    biasCorrection: true,
    gradAveraging: true,
    trustClip: false,
    alwaysAdapt: false,
    maxGradNorm: 1,
  },
  check(settings, { betas, eps, biasCorrection, gradAveraging, trustClip, alwaysAdapt, maxGradNorm }) {
    checkBetas(settings, betas)
      .number('eps', eps, 'from 0', (value) => value >= 0)
      .flag('biasCorrection', biasCorrection)
      .flag('gradAveraging', gradAveraging)
      .flag('trustClip', trustClip)
      .flag('alwaysAdapt', alwaysAdapt);
    if (maxGradNorm !== null) settings.number('maxGradNorm', maxGradNorm, 'above 0', (value) => value > 0);
  },
  tensors: () => ['exp_avg', 'exp_avg_sq'],
  counts: true,
  fixed: { caution: false, decoupled_decay: false },
};

/**
 * LAMB (You et al. 2020) in NVIDIA's form, the one of timm: g ← g / max(1, ‖all g‖ / maxGradNorm); m and v as in Adam;
 * u = m̂ / (√v̂ + ε) + λ·w; w ← w − lr · (‖w‖ / ‖u‖) · u, the ratio 1 where either norm is 0.
 *
 * Each tensor has a ratio of its own; groups without weight decay have none (1) unless `alwaysAdapt`. The paper itself clips no
 * norm (`maxGradNorm: null`) and adapts every layer (`alwaysAdapt: true`). Unlike timm's, whose groups count steps, each
 * parameter counts its own. Defaults: betas [0.9, 0.999], eps 1e-6, weightDecay 0.01, maxGradNorm 1. State: `step`,
 * `exp_avg`, `exp_avg_sq`.
 */
export class LAMB extends GroupedOptimizer<LAMBOptions, LAMBParamGroup> {
  readonly name = 'lamb';

  /**
   * @param params `model.parameters()`, or groups of parameters with settings of their own
   * @throws ShallowsError for no parameters, one given twice, one that cannot be learnt, settings that are unknown or out
   *   of range, or a `maxGradNorm` of one group alone
   */
  constructor(params: Iterable<Parameter> | Iterable<OptimizerGroup<LAMBOptions>>, options: LAMBOptions) {
    super(rules, params, options);
    if (new Set(this.groups.map(({ maxGradNorm }) => maxGradNorm)).size === 1) return;
    throw new ShallowsError(
      'LAMB: expected one maxGradNorm for all groups, got several - it bounds the norm over all of them',
    );
  }

  protected override move(groups: readonly (readonly Moved[])[]): void {
    const max = this.groups[0]?.maxGradNorm ?? null;
    const grads = groups.flat().map(({ grad }) => grad);
    const divisor = max === null || grads.length === 0 ? null : globalNorm(grads).div(max).clampMin(1);
    for (const [i, group] of this.groups.entries()) {
      for (const lists of listsOf(groups[i] ?? [], ['exp_avg', 'exp_avg_sq'])) moveLists(group, lists, divisor);
    }
  }
}

function moveLists(group: LAMBParamGroup, { params, grads: own, states, moved }: Lists, divisor: Tensor | null): void {
  const { lr, betas, eps, weightDecay, biasCorrection, gradAveraging, trustClip, alwaysAdapt } = group;
  const [means = [], squares = []] = states;
  const [beta1, beta2] = betas;
  const grads = divisor === null ? own : (divTensor.call([own, divisor]) as Tensor[]);
  mul_.call([means, beta1]);
  add_.call([means, grads], { alpha: gradAveraging ? 1 - beta1 : 1 });
  mul_.call([squares, beta2]);
  addcmul_.call([squares, grads, grads, 1 - beta2]);
  const correction = (beta: number): number[] =>
    moved.map(({ state }) => (biasCorrection ? 1 - beta ** (state.steps + 1) : 1));
  const divisors = sqrt.call([squares]) as Tensor[];
  divNumbers_.call([divisors, correction(beta2).map(Math.sqrt)]);
  addNumber_.call([divisors, eps]);
  const updates = div.call([means, correction(beta1)]) as Tensor[];
  divEach_.call([updates, divisors]);
  if (weightDecay !== 0) add_.call([updates, params], { alpha: weightDecay });
  if (weightDecay !== 0 || alwaysAdapt) mulEach_.call([updates, trustRatios(params, updates, trustClip)]);
  add_.call([params, updates], { alpha: -lr });
  for (const each of moved) each.state.steps++;
}

/** ‖w‖ / ‖u‖ of each pair, 1 where either is 0, as scalars. */
function trustRatios(params: readonly Tensor[], updates: readonly Tensor[], clip: boolean): readonly Tensor[] {
  const norms = (list: readonly Tensor[]): Tensor => stack.call([norm.call([list, 2])]) as Tensor;
  const [weights, sizes] = [norms(params), norms(updates)];
  const ratios = weights.div(sizes).where(weights.gt(0).logicalAnd(sizes.gt(0)), 1);
  return unbind.call([clip ? ratios.clampMax(1) : ratios]) as Tensor[];
}
