import { Operator, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../../errors.js';
import { Settings } from '../settings.js';
import { type LossReduction, reductionCode, reductions } from './reduction.js';

const mse = new Operator('aten::mse_loss');
const l1 = new Operator('aten::l1_loss');
const smoothL1 = new Operator('aten::smooth_l1_loss');
const huber = new Operator('aten::huber_loss');
const binary = new Operator('aten::binary_cross_entropy_with_logits');

/** Options of the losses that compare element by element. */
export interface ElementwiseLossOptions {
  /** A value for each element (`none`), their mean, or their sum. */
  readonly reduction?: LossReduction;
}

/**
 * (y − t)², averaged over all elements: PyTorch's `mse_loss`.
 *
 * @param outputs y, any shape
 * @param targets t, the same shape: nothing is broadcast
 * @throws ShallowsError for targets of another shape, or another reduction
 */
export function mseLoss(outputs: Tensor, targets: Tensor, options: ElementwiseLossOptions = {}): Tensor {
  return mse.call([outputs, targets, checked('mseLoss', outputs, targets, options)]) as Tensor;
}

/**
 * |y − t|, averaged over all elements: PyTorch's `l1_loss`.
 *
 * @param outputs y, any shape
 * @param targets t, the same shape: nothing is broadcast
 * @throws ShallowsError for targets of another shape, or another reduction
 */
export function l1Loss(outputs: Tensor, targets: Tensor, options: ElementwiseLossOptions = {}): Tensor {
  return l1.call([outputs, targets, checked('l1Loss', outputs, targets, options)]) as Tensor;
}

/**
 * ½·d²/β where d = |y − t| is below β, else d − ½·β, averaged over all elements: PyTorch's `smooth_l1_loss`. At β = 0 it is
 * {@link l1Loss}. (Girshick 2015.)
 *
 * @param outputs y, any shape
 * @param targets t, the same shape: nothing is broadcast
 * @throws ShallowsError for targets of another shape, another reduction, or a β below 0
 */
export function smoothL1Loss(
  outputs: Tensor,
  targets: Tensor,
  { beta = 1, ...options }: ElementwiseLossOptions & { readonly beta?: number } = {},
): Tensor {
  const code = checked('smoothL1Loss', outputs, targets, options, (settings) =>
    settings.number('beta', beta, 'from 0', (value) => value >= 0),
  );
  return smoothL1.call([outputs, targets, code, beta]) as Tensor;
}

/**
 * ½·d² where d = |y − t| is at most δ, else δ·(d − ½·δ), averaged over all elements: PyTorch's `huber_loss`, δ times
 * {@link smoothL1Loss} with β = δ. (Huber 1964.)
 *
 * @param outputs y, any shape
 * @param targets t, the same shape: nothing is broadcast
 * @throws ShallowsError for targets of another shape, another reduction, or a δ not above 0
 */
export function huberLoss(
  outputs: Tensor,
  targets: Tensor,
  { delta = 1, ...options }: ElementwiseLossOptions & { readonly delta?: number } = {},
): Tensor {
  const code = checked('huberLoss', outputs, targets, options, (settings) =>
    settings.number('delta', delta, 'above 0', (value) => value > 0),
  );
  return huber.call([outputs, targets, code, delta]) as Tensor;
}

/** Options of {@link binaryCrossEntropyWithLogits}. */
export interface BinaryCrossEntropyOptions extends ElementwiseLossOptions {
  /** A factor on each element, of a shape that broadcasts to the outputs'. */
  readonly weight?: Tensor | null;
  /** A factor on the positive part of each class, `[C]`: above 1 for more recall. */
  readonly posWeight?: Tensor | null;
}

/**
 * −t · log σ(y) − (1 − t) · log(1 − σ(y)), averaged over all elements, without overflow: PyTorch's
 * `binary_cross_entropy_with_logits`, for classes that do not exclude each other.
 *
 * @param outputs logits y, any shape
 * @param targets probabilities t in [0, 1], the same shape and a floating dtype: nothing is broadcast
 * @throws ShallowsError for targets of another shape, or another reduction
 */
export function binaryCrossEntropyWithLogits(
  outputs: Tensor,
  targets: Tensor,
  { weight = null, posWeight = null, ...options }: BinaryCrossEntropyOptions = {},
): Tensor {
  const code = checked('binaryCrossEntropyWithLogits', outputs, targets, options);
  return binary.call([outputs, targets, weight, posWeight, code]) as Tensor;
}

/** The code of the reduction. What libtorch would broadcast, `[B, 1]` against `[B]`, is nearly always a mistake. */
function checked(
  fn: string,
  { shape }: Tensor,
  { shape: given }: Tensor,
  { reduction = 'mean' }: ElementwiseLossOptions,
  more: (settings: Settings) => void = () => {},
): number {
  if (shape.join() !== given.join()) {
    throw new ShallowsError(
      `${fn}: expected targets of the outputs' shape [${shape.join(', ')}], got [${given.join(', ')}] - reshape either`,
    );
  }
  const settings = new Settings(fn).word('reduction', reduction, reductions);
  more(settings);
  settings.check('correct the options');
  return reductionCode(reduction);
}
