import type { DType } from '../dtype.js';
import { op } from '../table.js';
import type { Tensor } from '../tensor.js';
import type { Scalar, Unary } from './types.js';

type Softmax = (self: Tensor, dim: number, dtype?: DType | null) => Tensor;
type Bounded = (self: Tensor, options?: { readonly alpha?: Scalar }) => Tensor;

/** Activation functions. */
export const activations = {
  /** max(x, 0) */
  relu: op<Unary>('relu'),
  /** min(max(x, 0), 6) */
  relu6: op<Unary>('relu6'),
  /** x where x > 0, else negativeSlope · x */
  leakyRelu: op<(self: Tensor, negativeSlope?: Scalar) => Tensor>('leaky_relu'),
  /** x where x > 0, else weight · x; one weight or one a channel. */
  prelu: op<(self: Tensor, weight: Tensor) => Tensor>('prelu'),
  /** x where x > 0, else alpha · (e^x − 1) */
  elu: op<Bounded>('elu'),
  /** x where x > 0, else alpha · (e^(x ÷ alpha) − 1) */
  celu: op<Bounded>('celu'),
  /** 1.0507 · elu(x, 1.6733): keeps mean 0 and variance 1. */
  selu: op<Unary>('selu'),
  /** x · Φ(x); `approximate: 'tanh'` is the usual approximation. */
  gelu: op<(self: Tensor, options?: { readonly approximate?: 'none' | 'tanh' }) => Tensor>('gelu'),
  /** x · sigmoid(x) */
  silu: op<Unary>('silu'),
  /** x · tanh(softplus(x)) */
  mish: op<Unary>('mish'),
  /** x · relu6(x + 3) ÷ 6 */
  hardswish: op<Unary>('hardswish'),
  /** relu6(x + 3) ÷ 6 */
  hardsigmoid: op<Unary>('hardsigmoid'),
  /** x kept in [minVal, maxVal], −1 and 1 unless given. */
  hardtanh: op<(self: Tensor, minVal?: Scalar, maxVal?: Scalar) => Tensor>('hardtanh'),
  /** x where |x| > lambd, else 0 */
  hardshrink: op<(self: Tensor, lambd?: Scalar) => Tensor>('hardshrink'),
  /** x ∓ lambd where |x| > lambd, else 0 */
  softshrink: op<(self: Tensor, lambd?: Scalar) => Tensor>('softshrink'),
  /** ln(1 + e^(beta · x)) ÷ beta; linear above `threshold`. */
  softplus: op<(self: Tensor, beta?: Scalar, threshold?: Scalar) => Tensor>('softplus'),
  /** ln sigmoid(x) */
  logSigmoid: op<Unary>('log_sigmoid'),
  /** x where x > threshold, else value */
  threshold: op<(self: Tensor, threshold: Scalar, value: Scalar) => Tensor>('threshold'),
  /** First half · sigmoid(second half) along a dimension. */
  glu: op<(self: Tensor, dim?: number) => Tensor>('glu'),
  /** e^x ÷ Σ e^x along a dimension */
  softmax: op<Softmax>('softmax', 'int'),
  /** x − ln Σ e^x along a dimension */
  logSoftmax: op<Softmax>('log_softmax', 'int'),
};
