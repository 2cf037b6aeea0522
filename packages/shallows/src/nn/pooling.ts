import { Operator, type Tensor } from '@shallows/torch';
import { Module } from './module.js';
import { both, type Pair, Settings } from './settings.js';

const maxPool2d = new Operator('aten::max_pool2d');
const avgPool2d = new Operator('aten::avg_pool2d');
const adaptiveAvgPool2d = new Operator('aten::adaptive_avg_pool2d');

/** Options of the pooling layers. */
export interface PoolOptions {
  /** As the kernel unless given. */
  readonly stride?: Pair;
  /** Cells added on each side that count as −∞ for the maximum and as 0 for the mean; at most half the window. */
  readonly padding?: Pair;
  /** Whether a last window that only partly lies on the picture counts. */
  readonly ceilMode?: boolean;
}

/** Options of {@link MaxPool2d}. */
export interface MaxPoolOptions extends PoolOptions {
  /** Distance of the cells in a window. */
  readonly dilation?: Pair;
}

/** Options of {@link AvgPool2d}. */
export interface AvgPoolOptions extends PoolOptions {
  /** Whether the padding counts in the divisor. */
  readonly countIncludePad?: boolean;
}

function checked(fn: string, kernelSize: Pair, options: MaxPoolOptions): Settings {
  const { stride = kernelSize, padding = 0, dilation = 1, ceilMode = false } = options;
  const at = (value: unknown, axis: 0 | 1): number => Number(Array.isArray(value) ? value[axis] : value);
  const fits = (axis: 0 | 1): boolean => !(2 * at(padding, axis) > (at(kernelSize, axis) - 1) * at(dilation, axis) + 1);
  return new Settings(fn)
    .pair('kernelSize', kernelSize, 1)
    .pair('stride', stride, 1)
    .pair('padding', padding, 0)
    .pair('dilation', dilation, 1)
    .expect(fits(0) && fits(1), 'padding', 'at most half the window', padding)
    .flag('ceilMode', ceilMode);
}

/** The largest value of each window. Input `[B, C, H, W]`, output `[B, C, H', W']`. */
export class MaxPool2d extends Module {
  readonly kernelSize: readonly [height: number, width: number];
  readonly stride: readonly [height: number, width: number];
  readonly padding: readonly [height: number, width: number];
  readonly dilation: readonly [height: number, width: number];
  readonly ceilMode: boolean;

  /** @throws ShallowsError for sizes that are no whole numbers, or a padding above half the window */
  constructor(kernelSize: Pair, options: MaxPoolOptions = {}) {
    super();
    const { stride = kernelSize, padding = 0, dilation = 1, ceilMode = false } = options;
    checked('MaxPool2d', kernelSize, options).check(
      'write new MaxPool2d(kernelSize, { stride, padding, dilation, ceilMode })',
    );
    this.kernelSize = both(kernelSize);
    this.stride = both(stride);
    this.padding = both(padding);
    this.dilation = both(dilation);
    this.ceilMode = ceilMode;
  }

  override forward(x: Tensor): Tensor {
    return maxPool2d.call([x, this.kernelSize, this.stride, this.padding, this.dilation, this.ceilMode]) as Tensor;
  }
}

/** The mean of each window. Input `[B, C, H, W]`, output `[B, C, H', W']`. */
export class AvgPool2d extends Module {
  readonly kernelSize: readonly [height: number, width: number];
  readonly stride: readonly [height: number, width: number];
  readonly padding: readonly [height: number, width: number];
  readonly ceilMode: boolean;
  readonly countIncludePad: boolean;

  /** @throws ShallowsError for sizes that are no whole numbers, or a padding above half the window */
  constructor(kernelSize: Pair, options: AvgPoolOptions = {}) {
    super();
    const { stride = kernelSize, padding = 0, ceilMode = false, countIncludePad = true } = options;
    checked('AvgPool2d', kernelSize, options)
      .flag('countIncludePad', countIncludePad)
      .check('write new AvgPool2d(kernelSize, { stride, padding, ceilMode, countIncludePad })');
    this.kernelSize = both(kernelSize);
    this.stride = both(stride);
    this.padding = both(padding);
    this.ceilMode = ceilMode;
    this.countIncludePad = countIncludePad;
  }

  override forward(x: Tensor): Tensor {
    return avgPool2d.call([
      x,
      this.kernelSize,
      this.stride,
      this.padding,
      this.ceilMode,
      this.countIncludePad,
    ]) as Tensor;
  }
}

/** The mean over windows chosen so that the output has a given size. Input `[B, C, H, W]`, output `[B, C, ...size]`. */
export class AdaptiveAvgPool2d extends Module {
  readonly outputSize: readonly [height: number, width: number];

  /** @throws ShallowsError for sizes that are no whole numbers from 1 */
  constructor(outputSize: Pair) {
    super();
    new Settings('AdaptiveAvgPool2d').pair('outputSize', outputSize, 1).check('write new AdaptiveAvgPool2d(1)');
    this.outputSize = both(outputSize);
  }

  override forward(x: Tensor): Tensor {
    return adaptiveAvgPool2d.call([x, this.outputSize]) as Tensor;
  }
}
