import { Operator, type Tensor } from '@shallows/torch';
import type { Key } from '../random/key.js';
import { type PaddingMode, padded, paddingModes } from './conv-padding.js';
import { withDroppedWeight } from './drop-weights.js';
import { uniformBias, uniformWeight } from './linear.js';
import { Module } from './module.js';
import type { Parameter } from './parameter.js';
import { evaluation, type Pass } from './pass.js';
import { Settings } from './settings.js';
import { isActive, type StochasticLayer } from './stochastic.js';

const conv1d = new Operator('aten::conv1d');

/** Options of {@link Conv1d}. */
export interface Conv1dOptions {
  /** Where the first weights come from. */
  readonly key: Key;
  readonly stride?: number;
  /** Places added on each side. */
  readonly padding?: number;
  /** What is added there. */
  readonly paddingMode?: PaddingMode;
  readonly dilation?: number;
  /** Inputs and outputs are split into this many groups that do not see each other. */
  readonly groups?: number;
  readonly bias?: boolean;
}

/**
 * Cross-correlation over sequences: y[b, o] = bias[o] + Σᵢ weight[o, i] ⋆ x[b, i].
 *
 * Input `[B, inChannels, L]`, output `[B, outChannels, L']` with L' = ⌊(L + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1.
 */
export class Conv1d extends Module {
  /** `[outChannels, inChannels / groups, kernel]` */
  readonly weight: Parameter;
  /** `[outChannels]` */
  readonly bias: Parameter | null;
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
  readonly groups: number;
  readonly paddingMode: PaddingMode;
  /** Drops weights at random, see `attachDropConnect`; null for none. */
  dropConnect: StochasticLayer | null = null;

  /**
   * Starts as PyTorch's layer does: weight and bias from U(−1/√fanIn, 1/√fanIn), a function of the key.
   *
   * @throws ShallowsError for sizes that are no whole numbers, groups that do not divide both channels, or no key
   */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: number,
    { key, stride = 1, padding = 0, paddingMode = 'zeros', dilation = 1, groups = 1, bias = true }: Conv1dOptions,
  ) {
    super();
    // Written so that what is no number passes here: it has its own message.
    const divides = (channels: number): boolean => !(Number(channels) % Number(groups) >= 1);
    new Settings('Conv1d')
      .whole('inChannels', inChannels, 1)
      .whole('outChannels', outChannels, 1)
      .whole('kernelSize', kernelSize, 1)
      .whole('stride', stride, 1)
      .whole('padding', padding, 0)
      .word('paddingMode', paddingMode, paddingModes)
      .whole('dilation', dilation, 1)
      .whole('groups', groups, 1)
      .expect(divides(inChannels), 'groups', `a divisor of the ${inChannels} inChannels`, groups)
      .expect(divides(outChannels), 'groups', `a divisor of the ${outChannels} outChannels`, groups)
      .flag('bias', bias)
      .key(key)
      .check('write new Conv1d(inChannels, outChannels, kernelSize, { key, ...options })');
    const groupChannels = inChannels / groups;
    this.weight = uniformWeight([outChannels, groupChannels, kernelSize], key);
    this.bias = bias ? uniformBias(outChannels, groupChannels * kernelSize, key) : null;
    this.stride = stride;
    this.padding = padding;
    this.dilation = dilation;
    this.groups = groups;
    this.paddingMode = paddingMode;
  }

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    const { weight, dropConnect } = this;
    if (!isActive(dropConnect, pass)) return this.#convolve(x, weight);
    return withDroppedWeight(dropConnect, weight, x, pass, (rows, left) => this.#convolve(rows, left));
  }

  #convolve(x: Tensor, weight: Tensor): Tensor {
    const { bias, stride, padding, paddingMode, dilation, groups } = this;
    if (paddingMode === 'zeros') return conv1d.call([x, weight, bias, stride, padding, dilation, groups]) as Tensor;
    return conv1d.call([padded(x, paddingMode, [padding]), weight, bias, stride, 0, dilation, groups]) as Tensor;
  }
}
