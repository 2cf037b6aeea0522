import { Operator, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../../errors.js';
import { Settings } from '../settings.js';
import { type LossReduction, reductionCode, reductions } from './reduction.js';

const crossEntropyLoss = new Operator('aten::cross_entropy_loss');
const flatten = new Operator('aten::flatten', 'using_ints');
const reshape = new Operator('aten::reshape');

/** Options of {@link crossEntropy} and {@link tokenCrossEntropy}. */
export interface CrossEntropyOptions {
  /** Weight of each class, `[C]`. */
  readonly weight?: Tensor | null;
  /** A value for each target (`none`), their mean weighted by `weight`, or their sum. */
  readonly reduction?: LossReduction;
  /** Targets of this class count for nothing. Class numbers only. */
  readonly ignoreIndex?: number;
  /** Share of the target spread evenly over the classes, in [0, 1] (Szegedy et al. 2016). */
  readonly labelSmoothing?: number;
}

/**
 * −log softmax(logits)[target], averaged over the batch: PyTorch's `cross_entropy`. With probabilities p as targets,
 * −Σ p · log softmax(logits).
 *
 * @param logits `[B, C]` or `[B, C, …]`
 * @param targets class numbers, int64 `[B]` or `[B, …]`, or probabilities shaped like the logits
 * @returns a scalar, or `[B, …]` with the reduction `none`; NaN as the mean over ignored targets alone
 * @throws ShallowsError for settings out of range; TorchError for a class that the logits do not have
 */
export function crossEntropy(logits: Tensor, targets: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const { weight = null, reduction = 'mean', ignoreIndex = -100, labelSmoothing = 0 } = options;
  const code = reductionCode(reduction);
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1 && code >= 0 && Number.isSafeInteger(ignoreIndex))) {
    new Settings('crossEntropy')
      .word('reduction', reduction, reductions)
      .number('labelSmoothing', labelSmoothing, 'from 0 to 1', (value) => value >= 0 && value <= 1)
      .expect(Number.isSafeInteger(ignoreIndex), 'ignoreIndex', 'a whole number', ignoreIndex)
      .check('correct the options');
  }
  return crossEntropyLoss.call([logits, targets, weight, code, ignoreIndex, labelSmoothing]) as Tensor;
}

/**
 * {@link crossEntropy} of each token: the classes are the last dimension, as a language model gives them, and every
 * token counts as a row. The mean is over the tokens that are not ignored.
 *
 * @param logits `[B, T, C]` or `[…, C]`
 * @param targets class numbers, int64 `[B, T]` or `[…]`, or probabilities shaped like the logits
 * @returns a scalar, or `[B, T]` with the reduction `none`
 * @throws ShallowsError for targets of another shape, or settings out of range
 */
export function tokenCrossEntropy(logits: Tensor, targets: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const { shape } = logits;
  const { shape: given } = targets;
  const rows = shape.slice(0, -1);
  const soft = given.length === shape.length;
  if (shape.length < 2 || given.join() !== (soft ? shape : rows).join()) {
    throw new ShallowsError(
      `tokenCrossEntropy: expected logits [B, T, C] and targets [B, T], got [${shape.join(', ')}] and ` +
        `[${given.join(', ')}] - for classes in the second dimension use crossEntropy`,
    );
  }
  const last = rows.length - 1;
  const flat = (x: Tensor): Tensor => flatten.call([x, 0, last]) as Tensor;
  const loss = crossEntropy(flat(logits), flat(targets), options);
  return options.reduction === 'none' ? (reshape.call([loss, rows]) as Tensor) : loss;
}
