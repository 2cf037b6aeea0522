import { noGrad, ops, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../errors.js';
import { generator } from '../random/generator.js';
import type { Key } from '../random/key.js';

/** Which side of a layer keeps its variance: the forward pass (`fanIn`) or the backward pass (`fanOut`). */
export type FanMode = 'fanIn' | 'fanOut';

/** What follows the layer, for the gain: √2 for relu, √(2 / (1 + a²)) for leaky relu, 5/3 for tanh, 1 else. */
export type Nonlinearity = 'linear' | 'relu' | 'leakyRelu' | 'tanh' | 'sigmoid';

/** Inputs and outputs of one unit of a weight `[out, in, ...kernel]`. */
export function fans(shape: readonly number[]): { readonly fanIn: number; readonly fanOut: number } {
  const [outputs, inputs, ...kernel] = shape;
  if (outputs === undefined || inputs === undefined) {
    throw new ShallowsError(`fans: expected a weight of 2 or more dimensions, got [${shape.join(', ')}]`);
  }
  const field = kernel.reduce((product, size) => product * size, 1);
  return { fanIn: inputs * field, fanOut: outputs * field };
}

/** The factor that keeps the variance through a nonlinearity (He et al. 2015; PyTorch's `calculate_gain`). */
export function gain(nonlinearity: Nonlinearity, negativeSlope = 0.01): number {
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

/** Fills a tensor with draws from N(mean, std²), a function of the key. Returns the tensor. */
export function normal_<T extends Tensor>(tensor: T, { key, mean = 0, std = 1 }: { readonly key: Key; readonly mean?: number; readonly std?: number }): T {
  noGrad(() => ops.aten.normal_(tensor, mean, std, { generator: generator(key, tensor.device) }));
  return tensor;
}

/** Fills a tensor with draws from U[low, high), a function of the key. Returns the tensor. */
export function uniform_<T extends Tensor>(tensor: T, { key, low = 0, high = 1 }: { readonly key: Key; readonly low?: number; readonly high?: number }): T {
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

function kaimingStd(shape: readonly number[], { mode = 'fanIn', nonlinearity = 'relu', negativeSlope }: KaimingOptions): number {
  return gain(nonlinearity, negativeSlope) / Math.sqrt(fans(shape)[mode]);
}

/** Fills a weight from N(0, gain² / fan) (He et al. 2015). Returns the tensor. */
export function kaimingNormal_<T extends Tensor>(tensor: T, options: KaimingOptions): T {
  return normal_(tensor, { key: options.key, std: kaimingStd(tensor.shape, options) });
}

/** Fills a weight from U(−b, b), b = gain · √(3 / fan) (He et al. 2015). Returns the tensor. */
export function kaimingUniform_<T extends Tensor>(tensor: T, options: KaimingOptions): T {
  const bound = Math.sqrt(3) * kaimingStd(tensor.shape, options);
  return uniform_(tensor, { key: options.key, low: -bound, high: bound });
}

/** Options of the Xavier fills. */
export interface XavierOptions {
  readonly key: Key;
  readonly gain?: number;
}

/** Fills a weight from N(0, gain² · 2 / (fanIn + fanOut)) (Glorot and Bengio 2010). Returns the tensor. */
export function xavierNormal_<T extends Tensor>(tensor: T, { key, gain = 1 }: XavierOptions): T {
  const { fanIn, fanOut } = fans(tensor.shape);
  return normal_(tensor, { key, std: gain * Math.sqrt(2 / (fanIn + fanOut)) });
}

/** Fills a weight from U(−b, b), b = gain · √(6 / (fanIn + fanOut)) (Glorot and Bengio 2010). Returns the tensor. */
export function xavierUniform_<T extends Tensor>(tensor: T, { key, gain = 1 }: XavierOptions): T {
  const { fanIn, fanOut } = fans(tensor.shape);
  const bound = gain * Math.sqrt(6 / (fanIn + fanOut));
  return uniform_(tensor, { key, low: -bound, high: bound });
}

/**
 * Fills a tensor from N(mean, std²) cut to [low, high], by the inverse of the normal distribution on a uniform draw
 * (the method of PyTorch's `trunc_normal_`). Returns the tensor.
 */
export function truncatedNormal_<T extends Tensor>(
  tensor: T,
  { key, mean = 0, std = 1, low = -2, high = 2 }: { readonly key: Key; readonly mean?: number; readonly std?: number; readonly low?: number; readonly high?: number },
): T {
  if (!(std > 0) || !(low < high)) {
    throw new ShallowsError(`truncatedNormal_: expected std above 0 and low below high, got std ${std}, low ${low}, high ${high}`);
  }
  const [from, to] = noGrad(() => [low, high].map((bound) => 2 * normalCdf((bound - mean) / std) - 1)) as [number, number];
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
  const value = ops.aten.erf(ops.aten.full([], x / Math.SQRT2, { dtype: 'float64' })) as Tensor;
  return (1 + value.item()) / 2;
}
