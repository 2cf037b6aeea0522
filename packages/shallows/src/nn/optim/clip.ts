import { gradsOf, noGrad, Operator, scope, type Tensor, zeros } from '@shallows/torch';
import type { Parameter } from '../parameter.js';
import { Settings } from '../settings.js';
import { globalNorm } from './norms.js';

const mulTensor_ = new Operator('aten::_foreach_mul_', 'Tensor');
const mulEach_ = new Operator('aten::_foreach_mul_', 'List');
const clampMin_ = new Operator('aten::_foreach_clamp_min_', 'Scalar');
const clampMax_ = new Operator('aten::_foreach_clamp_max_', 'Scalar');
const vectorNorm = new Operator('aten::linalg_vector_norm');

/** Options of {@link clipGradNorm}. */
export interface ClipGradNormOptions {
  /** The norm to which a larger one is scaled, above 0. */
  readonly maxNorm: number;
  /** p of the norm, above 0; Infinity for the largest element. */
  readonly normType?: number;
}

/**
 * Scales all gradients by one factor where their norm is too large: g ← g · min(1, maxNorm / (‖g‖ + 1e-6)), ‖g‖ over all
 * elements of all parameters. PyTorch's `clip_grad_norm_`, without waiting for the device. (Pascanu et al. 2013.)
 *
 * Parameters without gradient count as 0. A norm that is not finite makes all gradients so.
 *
 * @returns ‖g‖ before, a scalar tensor
 * @throws ShallowsError for a maxNorm or normType not above 0
 */
export function clipGradNorm(parameters: Iterable<Parameter>, { maxNorm, normType = 2 }: ClipGradNormOptions): Tensor {
  new Settings('clipGradNorm')
    .number('maxNorm', maxNorm, 'above 0', (value) => value > 0)
    .expect(normType > 0, 'normType', 'a number above 0, or Infinity', normType)
    .check('clip to a norm such as 1');
  return noGrad(() =>
    scope(() => {
      const grads = present(parameters);
      if (grads.length === 0) return zeros([]);
      const norm = globalNorm(grads, normType);
      mulTensor_.call([grads, norm.add(1e-6).reciprocal().mul(maxNorm).clampMax(1)]);
      return norm;
    }),
  );
}

/**
 * The norm of all gradients together, of order `normType`: a scalar tensor, 0 where there is none. Nothing changes.
 */
export function gradNorm(parameters: Iterable<Parameter>, normType = 2): Tensor {
  return noGrad(() =>
    scope(() => {
      const grads = present(parameters);
      return grads.length === 0 ? zeros([]) : globalNorm(grads, normType);
    }),
  );
}

/**
 * Clamps every element of every gradient to [−clipValue, clipValue]: PyTorch's `clip_grad_value_`.
 *
 * @throws ShallowsError for a clipValue not above 0
 */
export function clipGradValue(parameters: Iterable<Parameter>, { clipValue }: { readonly clipValue: number }): void {
  new Settings('clipGradValue')
    .number('clipValue', clipValue, 'above 0', (value) => value > 0)
    .check('clip to a value such as 0.5');
  noGrad(() =>
    scope(() => {
      const grads = present(parameters);
      if (grads.length === 0) return;
      clampMin_.call([grads, -clipValue]);
      clampMax_.call([grads, clipValue]);
    }),
  );
}

/** Options of {@link clipGradAdaptive}. */
export interface ClipGradAdaptiveOptions {
  /** λ, the largest norm of a unit's gradient as a share of its weights', above 0. */
  readonly clipFactor?: number;
  /** Norm that weights near 0 count as, above 0: lets them leave it. */
  readonly eps?: number;
}

/**
 * Adaptive gradient clipping, unit by unit: g ← g · λ·max(‖w‖, ε) / ‖g‖ where ‖g‖ is larger than λ·max(‖w‖, ε). A unit is a row of
 * the first dimension: an output of a linear layer or convolution; a bias or norm is one unit. (Brock et al. 2021,
 * NFNets; timm's `adaptive_clip_grad`.)
 *
 * The paper leaves out the last linear layer. Norms by unit need a few operators a parameter.
 *
 * @throws ShallowsError for a factor or ε not above 0
 */
export function clipGradAdaptive(parameters: Iterable<Parameter>, options: ClipGradAdaptiveOptions = {}): void {
  const { clipFactor = 0.01, eps = 1e-3 } = options;
  new Settings('clipGradAdaptive')
    .number('clipFactor', clipFactor, 'above 0', (value) => value > 0)
    .number('eps', eps, 'above 0', (value) => value > 0)
    .check('the paper clips by 0.01');
  noGrad(() =>
    scope(() => {
      const all = [...parameters];
      const found = gradsOf(all);
      const grads = found.filter((each) => each !== null);
      if (grads.length === 0) return;
      const moved = all.filter((_, i) => found[i] !== null);
      const factors = moved.map((parameter, i) => unitFactor(parameter, grads[i] as Tensor, clipFactor, eps));
      mulEach_.call([grads, factors]);
    }),
  );
}

/** What the gradient of each unit is multiplied by: 1 where it is small enough. */
function unitFactor(parameter: Parameter, grad: Tensor, clipFactor: number, eps: number): Tensor {
  const most = unitNorm(parameter).clampMin(eps).mul(clipFactor);
  const norm = unitNorm(grad);
  return most.div(norm.clampMin(1e-6)).where(norm.ge(most), 1);
}

function unitNorm(x: Tensor): Tensor {
  const { ndim } = x;
  const dims = ndim <= 1 ? null : Array.from({ length: ndim - 1 }, (_, i) => i + 1);
  return vectorNorm.call([x, 2, dims, dims !== null]) as Tensor;
}

function present(parameters: Iterable<Parameter>): Tensor[] {
  return gradsOf([...parameters]).filter((each) => each !== null);
}
