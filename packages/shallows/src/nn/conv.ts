import { empty, Operator, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../errors.js';
import { deriveKey, type Key } from '../random/key.js';
import { kaimingUniform_, uniform_ } from './init.js';
import { Module } from './module.js';
import { Parameter } from './parameter.js';

const conv2d = new Operator('aten::conv2d');

/** One number for both axes, or `[height, width]`. */
export type Pair = number | readonly [number, number];

/** Options of {@link Conv2d}. */
export interface Conv2dOptions {
  readonly key: Key;
  readonly stride?: Pair;
  /** Zeros added on each side. */
  readonly padding?: Pair;
  readonly dilation?: Pair;
  /** Inputs and outputs are split into this many groups that do not see each other. */
  readonly groups?: number;
  readonly bias?: boolean;
}

const pair = (value: Pair): readonly [number, number] => (typeof value === 'number' ? [value, value] : value);

/** Cross-correlation over images. Input `[B, inChannels, H, W]`, output `[B, outChannels, H', W']`. */
export class Conv2d extends Module {
  /** `[outChannels, inChannels / groups, kernelHeight, kernelWidth]` */
  readonly weight: Parameter;
  /** `[outChannels]` */
  readonly bias: Parameter | null;
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly groups: number;

  /** Starts as PyTorch's layer does: weight and bias from U(−1/√fanIn, 1/√fanIn), a function of the key. */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: Pair,
    { key, stride = 1, padding = 0, dilation = 1, groups = 1, bias = true }: Conv2dOptions,
  ) {
    super();
    if (inChannels % groups !== 0 || outChannels % groups !== 0) {
      throw new ShallowsError(`Conv2d: expected channels that ${groups} groups divide, got ${inChannels} and ${outChannels}`);
    }
    const kernel = pair(kernelSize);
    const fanIn = (inChannels / groups) * kernel[0] * kernel[1];
    this.weight = new Parameter(
      kaimingUniform_(empty([outChannels, inChannels / groups, ...kernel]), {
        key: deriveKey(key, 'weight'),
        nonlinearity: 'leakyRelu',
        negativeSlope: Math.sqrt(5),
      }),
    );
    const bound = 1 / Math.sqrt(fanIn);
    this.bias = bias
      ? new Parameter(uniform_(empty([outChannels]), { key: deriveKey(key, 'bias'), low: -bound, high: bound }))
      : null;
    this.stride = pair(stride);
    this.padding = pair(padding);
    this.dilation = pair(dilation);
    this.groups = groups;
  }

  override forward(x: Tensor): Tensor {
    return conv2d.call([x, this.weight, this.bias, this.stride, this.padding, this.dilation, this.groups]) as Tensor;
  }
}
