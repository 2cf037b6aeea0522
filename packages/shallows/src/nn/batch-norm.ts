import { noGrad, Operator, ones, scope, type Tensor, zeros } from '@shallows/torch';
import { ShallowsError } from '../errors.js';
import { Module } from './module.js';
import { Buffer, Parameter } from './parameter.js';
import { evaluation, type Pass, passSlot } from './pass.js';
import { recomputingSlot } from './recomputing.js';
import { Settings } from './settings.js';

const batchNorm = new Operator('aten::batch_norm');
const trainingBatchNorm = new Operator('shallows::batch_norm');
const relu_ = new Operator('aten::relu_');
const add_ = new Operator('aten::add_', 'Tensor');

/** Options of {@link BatchNorm2d}. */
export interface BatchNormOptions {
  /** ε, added to the variance; from 0. */
  readonly eps?: number;
  /** Share of the new batch in the running statistics, in [0, 1]. */
  readonly momentum?: number;
}

/** What a batch normalisation works with; the running statistics are null where they must not move. All tensors `[C]`. */
export interface BatchNormState {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly runningMean: Tensor | null;
  readonly runningVar: Tensor | null;
  readonly momentum: number;
  readonly eps: number;
}

/**
 * Where a training pass has a batch normalisation of its own: one whose μ and σ² are those of more rows than the pass sees,
 * such as of all data-parallel ranks. It moves the running statistics as {@link BatchNorm2d} does.
 */
export const syncBatchNormSlot = passSlot<(x: Tensor, state: BatchNormState) => Tensor>('sync-batch-norm');

/**
 * Normalises each channel: y = γ · (x − μ) / √(σ² + ε) + β. Input and output `[B, C, H, W]`.
 *
 * A training pass takes μ and the biased σ² from the batch, or from all ranks' with a `syncBatchNormSlot`, and moves the
 * running statistics, r ← (1 − momentum) · r + momentum · batch; every other pass takes the running ones and changes nothing.
 * A training pass that recomputes takes the batch's and changes nothing. (Ioffe and Szegedy 2015.)
 */
export class BatchNorm2d extends Module {
  /** γ, `[C]` */
  readonly weight: Parameter;
  /** β, `[C]` */
  readonly bias: Parameter;
  /** `[C]` */
  readonly runningMean: Buffer;
  /** `[C]`, of the unbiased variance */
  readonly runningVar: Buffer;
  /** Training batches seen, an int64 scalar. */
  readonly numBatchesTracked: Buffer;
  readonly eps: number;
  readonly momentum: number;

  /** @throws ShallowsError for features that are no whole number from 1, or settings out of range */
  constructor(features: number, { eps = 1e-5, momentum = 0.1 }: BatchNormOptions = {}) {
    super();
    new Settings('BatchNorm2d')
      .whole('features', features, 1)
      .number('eps', eps, 'from 0', (value) => value >= 0)
      .number('momentum', momentum, 'from 0 to 1', (value) => value >= 0 && value <= 1)
      .check('write new BatchNorm2d(features, { eps, momentum })');
    const fill = (make: typeof ones): Tensor => make([features]);
    this.weight = scope(() => new Parameter(fill(ones)));
    this.bias = scope(() => new Parameter(fill(zeros)));
    this.runningMean = scope(() => new Buffer(fill(zeros)));
    this.runningVar = scope(() => new Buffer(fill(ones)));
    this.numBatchesTracked = scope(() => new Buffer(zeros([], { dtype: 'int64' })));
    this.eps = eps;
    this.momentum = momentum;
  }

  /**
   * @throws ShallowsError for an input that is not `[B, C, H, W]`, and in training for a single value a channel, whose
   *   variance would turn the running one into NaN
   */
  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return this.#normalise(x, pass, false);
  }

  /**
   * max(y, 0) of what {@link forward} gives: in training by one operator, which needs no pass over memory for it and keeps
   * nothing more for the backward pass.
   */
  forwardRelu(x: Tensor, pass: Pass = evaluation): Tensor {
    return this.#normalise(x, pass, true);
  }

  #normalise(x: Tensor, pass: Pass, relu: boolean): Tensor {
    const { training } = pass;
    const { weight, bias, runningMean, runningVar, momentum, eps } = this;
    const synchronised = training ? pass.get(syncBatchNormSlot) : undefined;
    requireImages(x.shape, training && synchronised === undefined);
    if (!training) {
      const y = batchNorm.call([x, weight, bias, runningMean, runningVar, false, momentum, eps, true]) as Tensor;
      return relu ? (relu_.call([y]) as Tensor) : y;
    }
    const again = pass.get(recomputingSlot) === true;
    const [mean, variance] = again ? [null, null] : [runningMean, runningVar];
    let y: Tensor;
    if (synchronised === undefined) {
      y = trainingBatchNorm.call([x, weight, bias, mean, variance, momentum, eps], { relu }) as Tensor;
    } else {
      y = synchronised(x, { weight, bias, runningMean: mean, runningVar: variance, momentum, eps });
      if (relu) y = relu_.call([y]) as Tensor;
    }
    if (!again) noGrad(() => add_.call([this.numBatchesTracked, 1]));
    return y;
  }
}

function requireImages(shape: readonly number[], training: boolean): void {
  const [batch = 0, , height = 0, width = 0] = shape;
  if (shape.length === 4 && !(training && batch * height * width < 2)) return;
  const expected = shape.length === 4 ? '2 or more values a channel in training' : 'an input [B, C, H, W]';
  const advice = shape.length === 4 ? 'train on larger batches' : 'add the batch and its pictures as dimensions';
  throw new ShallowsError(`BatchNorm2d: expected ${expected}, got [${shape.join(', ')}] - ${advice}`);
}
