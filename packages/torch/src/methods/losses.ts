import { TorchError } from '../errors.js';
import { Operator } from '../operator.js';
import type { Tensor } from '../tensor.js';

/** What a loss gives: the mean over the batch, the sum, or a value for each element. */
export type Reduction = 'mean' | 'sum' | 'none';

/** Options of every loss. */
export interface LossOptions {
  readonly reduction?: Reduction;
}

/** Options of the losses over classes. */
export interface ClassLossOptions extends LossOptions {
  /** A weight for each class. */
  readonly weight?: Tensor | null;
  /** Targets of this class count for nothing. */
  readonly ignoreIndex?: number;
}

const reductionCodes: Readonly<Record<Reduction, number>> = { none: 0, mean: 1, sum: 2 };

function codeOf(name: string, reduction: Reduction): number {
  if (Object.hasOwn(reductionCodes, reduction)) return reductionCodes[reduction];
  throw new TorchError(`${name}: expected a reduction of mean, sum, none, got '${String(reduction)}'`);
}

function loss<O extends LossOptions>(name: string): (self: Tensor, target: Tensor, options?: O) => Tensor {
  const operator = new Operator(`aten::${name}`);
  return (self, target, options) => {
    const { reduction = 'mean', ...rest } = options ?? { reduction: 'mean' };
    return operator.call([self, target], { ...rest, reduction: codeOf(name, reduction) }) as Tensor;
  };
}

/** Loss functions of predictions and targets. */
export const losses = {
  /**
   * −ln softmax(self)[target], targets int64 classes or float probabilities: [B, C], [B] → []. `labelSmoothing` s mixes
   * the target with s of the uniform distribution.
   */
  crossEntropy: loss<ClassLossOptions & { readonly labelSmoothing?: number }>('cross_entropy_loss'),
  /** −self[target] of log-probabilities: [B, C], [B] → [] */
  nllLoss: loss<ClassLossOptions>('nll_loss_nd'),
  /** (self − target)² */
  mseLoss: loss<LossOptions>('mse_loss'),
  /** |self − target| */
  l1Loss: loss<LossOptions>('l1_loss'),
  /** ½ d² ÷ beta where d = |self − target| < beta, else d − ½ beta */
  smoothL1Loss: loss<LossOptions & { readonly beta?: number }>('smooth_l1_loss'),
  /** ½ d² where d = |self − target| ≤ delta, else delta · (d − ½ delta) */
  huberLoss: loss<LossOptions & { readonly delta?: number }>('huber_loss'),
  /** −(target · ln self + (1 − target) · ln(1 − self)) of probabilities. */
  binaryCrossEntropy: loss<LossOptions & { readonly weight?: Tensor | null }>('binary_cross_entropy'),
  /** The same of logits, without overflow. */
  binaryCrossEntropyWithLogits: loss<
    LossOptions & { readonly weight?: Tensor | null; readonly posWeight?: Tensor | null }
  >('binary_cross_entropy_with_logits'),
  /** target · (ln target − self) of log-probabilities. */
  klDiv: loss<LossOptions & { readonly logTarget?: boolean }>('kl_div'),
};
