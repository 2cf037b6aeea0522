import { Operator, type Tensor } from '@shallows/torch';
import type { Key } from '../random/key.js';
import { type PaddingMode, padded, paddingModes } from './conv-padding.js';
import { withDroppedWeight } from './drop-weights.js';
import { uniformBias, uniformWeight } from './linear.js';
import { Module } from './module.js';
import type { Parameter } from './parameter.js';
import { evaluation, type Pass } from './pass.js';
import { both, type Pair, Settings } from './settings.js';
import { isActive, type StochasticLayer } from './stochastic.js';

const conv2d = new Operator('aten::conv2d');

/** Options of {@link Conv2d}. */
export interface Conv2dOptions {
  /** Where the first weights come from. */
  readonly key: Key;
  readonly stride?: Pair;
  /** Places added on each side. */
  readonly padding?: Pair;
  /** What is added there. */
  readonly paddingMode?: PaddingMode;
  readonly dilation?: Pair;
  /** Inputs and outputs are split into this many groups that do not see each other. */
  readonly groups?: number;
  readonly bias?: boolean;
}

/**
 * Cross-correlation over images: y[b, o] = bias[o] + Σᵢ weight[o, i] ⋆ x[b, i].
 *
 * Input `[B, inChannels, H, W]`, output `[B, outChannels, H', W']` with
 * H' = ⌊(H + 2·padding − dilation·(kernel − 1) − 1) / stride⌋ + 1, and W' alike.
 */
export class Conv2d extends Module {
  /** `[outChannels, inChannels / groups, kernelHeight, kernelWidth]` */
  readonly weight: Parameter;
  /** `[outChannels]` */
  readonly bias: Parameter | null;
  readonly stride: readonly [height: number, width: number];
  readonly padding: readonly [height: number, width: number];
  readonly dilation: readonly [height: number, width: number];
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
    kernelSize: Pair,
    { key, stride = 1, padding = 0, paddingMode = 'zeros', dilation = 1, groups = 1, bias = true }: Conv2dOptions,
  ) {
    super();
    // Written so that what is no number passes here: it has its own message.
    const divides = (channels: number): boolean => !(Number(channels) % Number(groups) >= 1);
    new Settings('Conv2d')
      .whole('inChannels', inChannels, 1)
      .whole('outChannels', outChannels, 1)
      .pair('kernelSize', kernelSize, 1)
      .pair('stride', stride, 1)
      .pair('padding', padding, 0)
      .word('paddingMode', paddingMode, paddingModes)
      .pair('dilation', dilation, 1)
      .whole('groups', groups, 1)
      .expect(divides(inChannels), 'groups', `a divisor of the ${inChannels} inChannels`, groups)
      .expect(divides(outChannels), 'groups', `a divisor of the ${outChannels} outChannels`, groups)
      .flag('bias', bias)
      .key(key)
      .check('write new Conv2d(inChannels, outChannels, kernelSize, { key, ...options })');
    const kernel = both(kernelSize);
    const groupChannels = inChannels / groups;
    this.weight = uniformWeight([outChannels, groupChannels, ...kernel], key);
    this.bias = bias ? uniformBias(outChannels, groupChannels * kernel[0] * kernel[1], key) : null;
    this.stride = both(stride);
    this.padding = both(padding);
    this.dilation = both(dilation);
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
    if (paddingMode === 'zeros') return conv2d.call([x, weight, bias, stride, padding, dilation, groups]) as Tensor;
    return conv2d.call([padded(x, paddingMode, padding), weight, bias, stride, 0, dilation, groups]) as Tensor;
  }
}
