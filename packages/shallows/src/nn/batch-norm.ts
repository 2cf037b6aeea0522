import { noGrad, ones, Operator, type Tensor, zeros } from '@shallows/torch';
import { ShallowsError } from '../errors.js';
import { Module } from './module.js';
import { Buffer, Parameter } from './parameter.js';
import { evaluation, type Pass } from './pass.js';

const batchNorm = new Operator('aten::batch_norm');
const add_ = new Operator('aten::add_', 'Tensor');

/** Options of {@link BatchNorm2d}. */
export interface BatchNormOptions {
  /** Added to the variance. */
  readonly eps?: number;
  /** Share of the new batch in the running statistics. */
  readonly momentum?: number;
}

/**
 * Normalises each channel: y = γ · (x − μ) / √(σ² + ε) + β. Input and output `[B, C, H, W]`.
 *
 * A training pass takes μ and σ² from the batch and moves the running statistics; every other pass takes the running
 * ones and changes nothing. (Ioffe and Szegedy 2015.)
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

  constructor(features: number, { eps = 1e-5, momentum = 0.1 }: BatchNormOptions = {}) {
    super();
    this.weight = new Parameter(ones([features]));
    this.bias = new Parameter(zeros([features]));
    this.runningMean = new Buffer(zeros([features]));
    this.runningVar = new Buffer(ones([features]));
    this.numBatchesTracked = new Buffer(zeros([], { dtype: 'int64' }));
    this.eps = eps;
    this.momentum = momentum;
  }

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    const { training } = pass;
    if (training) {
      const { shape } = x;
      if (shape.length !== 4) {
        throw new ShallowsError(`BatchNorm2d: expected an input [B, C, H, W], got [${shape.join(', ')}]`);
      }
      noGrad(() => add_.call([this.numBatchesTracked, 1]));
    }
    const { weight, bias, runningMean, runningVar, momentum, eps } = this;
    return batchNorm.call([x, weight, bias, runningMean, runningVar, training, momentum, eps, true]) as Tensor;
  }
}
