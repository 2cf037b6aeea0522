import { Operator, type Tensor } from '@shallows/torch';
import type { Pair } from './conv.js';
import { Module } from './module.js';

const maxPool2d = new Operator('aten::max_pool2d');
const avgPool2d = new Operator('aten::avg_pool2d');
const adaptiveAvgPool2d = new Operator('aten::adaptive_avg_pool2d');
const flatten = new Operator('aten::flatten', 'using_ints');

/** Options of the pooling layers. */
export interface PoolOptions {
  /** As the kernel unless given. */
  readonly stride?: Pair;
  readonly padding?: Pair;
}

const sizes = (value: Pair): readonly number[] => (typeof value === 'number' ? [value, value] : value);

/** The largest value of each window. Input `[B, C, H, W]`. */
export class MaxPool2d extends Module {
  readonly kernelSize: Pair;
  readonly stride: Pair;
  readonly padding: Pair;

  constructor(kernelSize: Pair, { stride = kernelSize, padding = 0 }: PoolOptions = {}) {
    super();
    this.kernelSize = kernelSize;
    this.stride = stride;
    this.padding = padding;
  }

  override forward(x: Tensor): Tensor {
    return maxPool2d.call([x, sizes(this.kernelSize), sizes(this.stride), sizes(this.padding)]) as Tensor;
  }
}

/** The mean of each window. Input `[B, C, H, W]`. */
export class AvgPool2d extends Module {
  readonly kernelSize: Pair;
  readonly stride: Pair;
  readonly padding: Pair;

  constructor(kernelSize: Pair, { stride = kernelSize, padding = 0 }: PoolOptions = {}) {
    super();
    this.kernelSize = kernelSize;
    this.stride = stride;
    this.padding = padding;
  }

  override forward(x: Tensor): Tensor {
    return avgPool2d.call([x, sizes(this.kernelSize), sizes(this.stride), sizes(this.padding)]) as Tensor;
  }
}

/** The mean over windows chosen so that the output has a given size. Input `[B, C, H, W]`, output `[B, C, ...size]`. */
export class AdaptiveAvgPool2d extends Module {
  readonly outputSize: Pair;

  constructor(outputSize: Pair) {
    super();
    this.outputSize = outputSize;
  }

  override forward(x: Tensor): Tensor {
    return adaptiveAvgPool2d.call([x, sizes(this.outputSize)]) as Tensor;
  }
}

/** Joins dimensions `startDim` to `endDim` into one: `[B, C, H, W]` becomes `[B, C·H·W]`. */
export class Flatten extends Module {
  readonly startDim: number;
  readonly endDim: number;

  constructor({ startDim = 1, endDim = -1 }: { readonly startDim?: number; readonly endDim?: number } = {}) {
    super();
    this.startDim = startDim;
    this.endDim = endDim;
  }

  override forward(x: Tensor): Tensor {
    return flatten.call([x, this.startDim, this.endDim]) as Tensor;
  }
}
