import { noGrad, ops, scope, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../errors.js';
import { generator } from '../random/generator.js';
import type { Key } from '../random/key.js';
import { Settings } from './settings.js';

/** Which side of a layer keeps its variance: the forward pass (`fanIn`) or the backward pass (`fanOut`). */
export type FanMode = 'fanIn' | 'fanOut';

/** What follows the layer, for the gain: √2 for relu, √(2 / (1 + a²)) for leaky relu, 5/3 for tanh, 1 else. */
export type Nonlinearity = 'linear' | 'relu' | 'leakyRelu' | 'tanh' | 'sigmoid';

const nonlinearities: readonly Nonlinearity[] = ['linear', 'relu', 'leakyRelu', 'tanh', 'sigmoid'];

/**
 * Inputs and outputs of one unit of a weight `[out, in, ...kernel]`: fanIn = in · |kernel|, fanOut = out · |kernel|.
 *
 * @throws ShallowsError for fewer than two dimensions, or none of a size above 0
 */
export function fans(shape: readonly number[]): { readonly fanIn: number; readonly fanOut: number } {
  const [outputs, inputs, ...kernel] = shape;
  if (outputs === undefined || inputs === undefined || !shape.every((size) => Number.isSafeInteger(size) && size > 0)) {
    throw new ShallowsError(
      `fans: expected a weight of 2 or more dimensions that are not empty, got [${shape.join(', ')}] - ` +
        'fill biases and other vectors with uniform_ or normal_',
    );
  }
  const field = kernel.reduce((product, size) => product * size, 1);
  return { fanIn: inputs * field, fanOut: outputs * field };
}

/**
 * The factor that keeps the variance through a nonlinearity (He et al. 2015; PyTorch's `calculate_gain`).
 *
 * @param negativeSlope a of leaky relu; the others ignore it
 * @throws ShallowsError for another word or a slope that is not finite
 */
export function gain(nonlinearity: Nonlinearity, negativeSlope = 0.01): number {
  new Settings('gain')
    .word('nonlinearity', nonlinearity, nonlinearities)
    .number('negativeSlope', negativeSlope, '', () => true)
    .check('name what follows the layer');
  switch (nonlinearity) {
    case 'relu':
      return Math.SQRT2;
    case 'leakyRelu':
      return Math.sqrt(2 / (1 + negativeSlope ** 2));
    case 'tanh':
      return 5 / 3;
    default:
      return 1;
  }
}

/** Options of {@link normal_}. */
export interface NormalOptions {
  readonly key: Key;
  readonly mean?: number;
  /** Standard deviation, from 0. */
  readonly std?: number;
}

/**
 * Fills a tensor of any shape with draws from N(mean, std²), a function of the key. Returns the tensor.
 *
 * @throws ShallowsError for a mean or std that is not finite, or a negative std
 */
export function normal_<T extends Tensor>(tensor: T, { key, mean = 0, std = 1 }: NormalOptions): T {
  new Settings('normal_')
    .key(key)
    .number('mean', mean, '', () => true)
    .number('std', std, 'from 0', (value) => value >= 0)
    .check('give finite numbers');
  noGrad(() => ops.aten.normal_(tensor, mean, std, { generator: generator(key, tensor.device) }));
  return tensor;
}

/** Options of {@link uniform_}. */
export interface UniformOptions {
  readonly key: Key;
  readonly low?: number;
  readonly high?: number;
}

/**
 * Fills a tensor of any shape with draws from U[low, high), a function of the key. Returns the tensor.
 *
 * @throws ShallowsError for bounds that are not finite or in the wrong order
 */
export function uniform_<T extends Tensor>(tensor: T, { key, low = 0, high = 1 }: UniformOptions): T {
  new Settings('uniform_')
    .key(key)
    .number('low', low, '', () => true)
    .number('high', high, `from ${low}`, (value) => !(value < low))
    .check('give finite bounds, the lower first');
  noGrad(() => ops.aten.uniform_(tensor, low, high, { generator: generator(key, tensor.device) }));
  return tensor;
}

/** Options of the Kaiming fills. */
export interface KaimingOptions {
  readonly key: Key;
  readonly mode?: FanMode;
  readonly nonlinearity?: Nonlinearity;
  /** Slope of the negative side, for `leakyRelu`. */
  readonly negativeSlope?: number;
}

function kaimingStd(fn: string, shape: readonly number[], options: KaimingOptions): number {
  const { mode = 'fanIn', nonlinearity = 'relu', negativeSlope } = options;
  new Settings(fn).word('mode', mode, ['fanIn', 'fanOut']).check('name the side that keeps its variance');
  return gain(nonlinearity, negativeSlope) / Math.sqrt(fans(shape)[mode]);
}

/**
 * Fills a weight `[out, in, ...kernel]` from N(0, gain² / fan) (He et al. 2015). Returns the tensor.
 *
 * @throws ShallowsError as {@link fans} and {@link gain}, or for another mode
 */
export function kaimingNormal_<T extends Tensor>(tensor: T, options: KaimingOptions): T {
  return normal_(tensor, { key: options.key, std: kaimingStd('kaimingNormal_', tensor.shape, options) });
}

/**
 * Fills a weight `[out, in, ...kernel]` from U(−b, b), b = gain · √(3 / fan) (He et al. 2015). Returns the tensor.
 *
 * @throws ShallowsError as {@link fans} and {@link gain}, or for another mode
 */
export function kaimingUniform_<T extends Tensor>(tensor: T, options: KaimingOptions): T {
  const bound = Math.sqrt(3) * kaimingStd('kaimingUniform_', tensor.shape, options);
  return uniform_(tensor, { key: options.key, low: -bound, high: bound });
}

/** Options of the Xavier fills. */
export interface XavierOptions {
  readonly key: Key;
  /** From {@link gain}, above 0. */
  readonly gain?: number;
}

function xavierStd(fn: string, shape: readonly number[], factor: number): number {
  new Settings(fn).number('gain', factor, 'above 0', (value) => value > 0).check('take it from gain()');
  const { fanIn, fanOut } = fans(shape);
  return factor * Math.sqrt(2 / (fanIn + fanOut));
}

/**
 * Fills a weight `[out, in, ...kernel]` from N(0, gain² · 2 / (fanIn + fanOut)) (Glorot and Bengio 2010). Returns the
 * tensor.
 *
 * @throws ShallowsError as {@link fans}, or for a gain that is not above 0
 */
export function xavierNormal_<T extends Tensor>(tensor: T, { key, gain = 1 }: XavierOptions): T {
  return normal_(tensor, { key, std: xavierStd('xavierNormal_', tensor.shape, gain) });
}

/**
 * Fills a weight `[out, in, ...kernel]` from U(−b, b), b = gain · √(6 / (fanIn + fanOut)) (Glorot and Bengio 2010).
 * Returns the tensor.
 *
 * @throws ShallowsError as {@link fans}, or for a gain that is not above 0
 */
export function xavierUniform_<T extends Tensor>(tensor: T, { key, gain = 1 }: XavierOptions): T {
  const bound = Math.sqrt(3) * xavierStd('xavierUniform_', tensor.shape, gain);
  return uniform_(tensor, { key, low: -bound, high: bound });
}

/** Options of {@link truncatedNormal_}. */
export interface TruncatedNormalOptions extends NormalOptions {
  readonly low?: number;
  readonly high?: number;
}

/**
 * Fills a tensor of any shape from N(mean, std²) cut to [low, high], by the inverse of the normal distribution on a
 * uniform draw (the method of PyTorch's `trunc_normal_`). Returns the tensor.
 *
 * @throws ShallowsError for numbers that are not finite, a std that is not above 0, bounds in the wrong order, or a
 *   mean more than 2 std outside of them, where the method is inexact
 */
export function truncatedNormal_<T extends Tensor>(
  tensor: T,
  { key, mean = 0, std = 1, low = -2, high = 2 }: TruncatedNormalOptions,
): T {
  new Settings('truncatedNormal_')
    .number('std', std, 'above 0', (value) => value > 0)
    .number('low', low, '', () => true)
    .number('high', high, `above ${low}`, (value) => !(value <= low))
    .number('mean', mean, 'within 2 std of the bounds', (value) => !(value < low - 2 * std || value > high + 2 * std))
    .check('give finite numbers, the lower bound first');
  const from = 2 * normalCdf((low - mean) / std) - 1;
  const to = 2 * normalCdf((high - mean) / std) - 1;
  uniform_(tensor, { key, low: from, high: to });
  noGrad(() => {
    ops.aten.erfinv_(tensor);
    ops.aten.mul_(tensor, std * Math.SQRT2);
    ops.aten.add_(tensor, mean);
    ops.aten.clamp_(tensor, low, high);
  });
  return tensor;
}

/** Φ(x), through libtorch's erf: JavaScript has none. */
function normalCdf(x: number): number {
  return scope(() => {
    const value: Tensor = ops.aten.erf(ops.aten.full([], x / Math.SQRT2, { dtype: 'float64' }));
    return (1 + value.item()) / 2;
  });
}
