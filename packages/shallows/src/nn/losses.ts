import { Operator, type Tensor } from '@shallows/torch';
import { Settings } from './settings.js';

const crossEntropyLoss = new Operator('aten::cross_entropy_loss');
const reductions = { none: 0, mean: 1, sum: 2 } as const;

/** Options of {@link crossEntropy}. */
export interface CrossEntropyOptions {
  /** Weight of each class, `[C]`. */
  readonly weight?: Tensor | null;
  /** A value for each target (`none`), their mean weighted by `weight`, or their sum. */
  readonly reduction?: keyof typeof reductions;
  /** Targets of this class count for nothing. */
  readonly ignoreIndex?: number;
  /** Share of the target spread evenly over the classes, in [0, 1] (Szegedy et al. 2016). */
  readonly labelSmoothing?: number;
}

/**
 * −log softmax(logits)[target], averaged over the batch: PyTorch's `cross_entropy`.
 *
 * @param logits `[B, C]` or `[B, C, …]`
 * @param targets class numbers, int64 `[B]` or `[B, …]`, or probabilities shaped like the logits
 * @returns a scalar, or `[B, …]` with the reduction `none`; NaN as the mean over ignored targets alone
 * @throws ShallowsError for settings out of range; TorchError for a class that the logits do not have
 */
export function crossEntropy(logits: Tensor, targets: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const { weight = null, reduction = 'mean', ignoreIndex = -100, labelSmoothing = 0 } = options;
  const code = Object.hasOwn(reductions, reduction) ? reductions[reduction] : Number.NaN;
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1 && code >= 0 && Number.isSafeInteger(ignoreIndex))) {
    new Settings('crossEntropy')
      .word('reduction', reduction, Object.keys(reductions))
      .number('labelSmoothing', labelSmoothing, 'from 0 to 1', (value) => value >= 0 && value <= 1)
      .expect(Number.isSafeInteger(ignoreIndex), 'ignoreIndex', 'a whole number', ignoreIndex)
      .check('correct the options');
  }
  return crossEntropyLoss.call([logits, targets, weight, code, ignoreIndex, labelSmoothing]) as Tensor;
}
