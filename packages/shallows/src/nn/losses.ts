import { Operator, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../errors.js';

const crossEntropyLoss = new Operator('aten::cross_entropy_loss');
const reductions = { none: 0, mean: 1, sum: 2 } as const;

/** Options of {@link crossEntropy}. */
export interface CrossEntropyOptions {
  /** Weight of each class, `[C]`. */
  readonly weight?: Tensor | null;
  readonly reduction?: keyof typeof reductions;
  /** Targets of this class count for nothing. */
  readonly ignoreIndex?: number;
  /** Share of the target spread evenly over the classes, in [0, 1]. */
  readonly labelSmoothing?: number;
}

/**
 * −log softmax(logits)[target], averaged over the batch.
 *
 * @param logits `[B, C]` or `[B, C, …]`
 * @param targets class numbers, int64 `[B]` or `[B, …]`, or probabilities shaped like the logits
 */
export function crossEntropy(
  logits: Tensor,
  targets: Tensor,
  { weight = null, reduction = 'mean', ignoreIndex = -100, labelSmoothing = 0 }: CrossEntropyOptions = {},
): Tensor {
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1)) {
    throw new ShallowsError(`crossEntropy: expected labelSmoothing from 0 to 1, got ${labelSmoothing}`);
  }
  return crossEntropyLoss.call([logits, targets, weight, reductions[reduction], ignoreIndex, labelSmoothing]) as Tensor;
}
