import { Operator, ones, scope, type Tensor, zeros } from '@shallows/torch';
import { ShallowsError } from '../errors.js';
import { Module } from './module.js';
import { Parameter } from './parameter.js';
import { Settings } from './settings.js';

const groupNorm = new Operator('aten::group_norm');

/** Options of {@link GroupNorm}. */
export interface GroupNormOptions {
  /** ε, added to the variance; from 0. */
  readonly eps?: number;
  /** Whether each channel has a γ and a β. */
  readonly affine?: boolean;
}

/**
 * Normalises groups of neighbouring channels of each row: y = γ · (x − μ) / √(σ² + ε) + β, μ and the biased σ² over a group's
 * channels and places. Input and output `[B, C, …]`. Evaluation and training are the same, and rows are independent of each
 * other, so that it takes dropout and small batches well. (Wu and He 2018.)
 */
export class GroupNorm extends Module {
  /** γ, `[C]` */
  readonly weight: Parameter | null;
  /** β, `[C]` */
  readonly bias: Parameter | null;
  readonly groups: number;
  readonly channels: number;
  readonly eps: number;

  /**
   * Starts from γ = 1 and β = 0. One group is layer norm over all of a row, as many as channels is instance norm.
   *
   * @throws ShallowsError for numbers that are no whole ones from 1, groups that do not divide the channels, or an ε below 0
   */
  constructor(groups: number, channels: number, { eps = 1e-5, affine = true }: GroupNormOptions = {}) {
    super();
    new Settings('GroupNorm')
      .whole('groups', groups, 1)
      .whole('channels', channels, 1)
      .expect(!(Number(channels) % Number(groups) > 0), 'groups', `a divisor of the ${channels} channels`, groups)
      .number('eps', eps, 'from 0', (value) => value >= 0)
      .flag('affine', affine)
      .check('write new GroupNorm(groups, channels, { eps, affine })');
    this.weight = affine ? scope(() => new Parameter(ones([channels]))) : null;
    this.bias = affine ? scope(() => new Parameter(zeros([channels]))) : null;
    this.groups = groups;
    this.channels = channels;
    this.eps = eps;
  }

  /** @throws ShallowsError for an input without these channels */
  override forward(x: Tensor): Tensor {
    const { shape } = x;
    if (shape.length < 2 || shape[1] !== this.channels) {
      throw new ShallowsError(
        `GroupNorm: expected [B, ${this.channels}, …], got [${shape.join(', ')}] - channels are the second dimension`,
      );
    }
    return groupNorm.call([x, this.groups, this.weight, this.bias, this.eps]) as Tensor;
  }
}
