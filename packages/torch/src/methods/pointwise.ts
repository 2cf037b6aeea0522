import { byOperand, op } from '../table.js';
import type { Tensor } from '../tensor.js';
import type { Binary, Operand, Scalar, TensorBinary, Unary } from './types.js';

type Scaled = (self: Tensor, other: Operand, options?: { readonly alpha?: Scalar }) => Tensor;

/** Arithmetic on each element by itself, with broadcasting. */
export const arithmetic = {
  /** self + alpha · other */
  add: op<Scaled>('add', 'Tensor'),
  /** self − alpha · other */
  sub: op<Scaled>('sub', 'Tensor'),
  /** other − alpha · self */
  rsub: byOperand<Scaled>('rsub', 'Tensor', 'Scalar'),
  /** self · other */
  mul: op<Binary>('mul', 'Tensor'),
  /** self ÷ other; `roundingMode` 'trunc' or 'floor' rounds the quotient. */
  div: op<(self: Tensor, other: Operand, options?: { readonly roundingMode?: 'trunc' | 'floor' }) => Tensor>(
    'div',
    'Tensor',
    'Tensor_mode',
  ),
  /** ⌊self ÷ other⌋ */
  floorDivide: op<Binary>('floor_divide'),
  /** self − other · ⌊self ÷ other⌋: the sign of the divisor. */
  remainder: byOperand<Binary>('remainder', 'Tensor', 'Scalar'),
  /** self − other · trunc(self ÷ other): the sign of the dividend. */
  fmod: byOperand<Binary>('fmod', 'Tensor', 'Scalar'),
  /** self ^ exponent */
  pow: byOperand<(self: Tensor, exponent: Operand) => Tensor>('pow', 'Tensor_Tensor', 'Tensor_Scalar'),
  /** −self */
  neg: op<Unary>('neg'),
  /** |self| */
  abs: op<Unary>('abs'),
  /** −1, 0 or 1 */
  sign: op<Unary>('sign'),
  /** 1 ÷ self */
  reciprocal: op<Unary>('reciprocal'),
  /** self² */
  square: op<Unary>('square'),
  /** √self */
  sqrt: op<Unary>('sqrt'),
  /** 1 ÷ √self */
  rsqrt: op<Unary>('rsqrt'),
  /** self + value · tensor1 · tensor2 */
  addcmul:
    op<(self: Tensor, tensor1: Tensor, tensor2: Tensor, options?: { readonly value?: Scalar }) => Tensor>('addcmul'),
  /** self + value · tensor1 ÷ tensor2 */
  addcdiv:
    op<(self: Tensor, tensor1: Tensor, tensor2: Tensor, options?: { readonly value?: Scalar }) => Tensor>('addcdiv'),
  /** self + weight · (end − self) */
  lerp: op<(self: Tensor, end: Tensor, weight: Operand) => Tensor>('lerp', 'Scalar', 'Tensor'),
  /** The larger of two elements; NaN wins. */
  maximum: op<TensorBinary>('maximum'),
  /** The smaller of two elements; NaN wins. */
  minimum: op<TensorBinary>('minimum'),
  /** The larger of two elements; NaN loses. */
  fmax: op<TensorBinary>('fmax'),
  /** The smaller of two elements; NaN loses. */
  fmin: op<TensorBinary>('fmin'),
  /** min(max(self, min), max); either bound may be null. */
  clamp: op<(self: Tensor, min?: Operand | null, max?: Operand | null) => Tensor>('clamp', '', 'Tensor'),
  /** max(self, min) */
  clampMin: byOperand<(self: Tensor, min: Operand) => Tensor>('clamp_min', 'Tensor', ''),
  /** min(self, max) */
  clampMax: byOperand<(self: Tensor, max: Operand) => Tensor>('clamp_max', 'Tensor', ''),
  /** The largest whole number not above. */
  floor: op<Unary>('floor'),
  /** The smallest whole number not below. */
  ceil: op<Unary>('ceil'),
  /** The nearest number with so many decimals, halves to even. */
  round: op<(self: Tensor, options?: { readonly decimals?: number }) => Tensor>('round', '', 'decimals'),
  /** The whole part. */
  trunc: op<Unary>('trunc'),
  /** self − trunc(self) */
  frac: op<Unary>('frac'),
  /** |self| with the sign of other. */
  copysign: byOperand<Binary>('copysign', 'Tensor', 'Scalar'),
  /** NaN and the infinities replaced: NaN by 0, the infinities by the dtype's largest numbers, unless given. */
  nanToNum:
    op<(self: Tensor, nan?: number | null, posinf?: number | null, neginf?: number | null) => Tensor>('nan_to_num'),
};

/** Elementary functions of each element. */
export const elementary = {
  /** e^self */
  exp: op<Unary>('exp'),
  /** 2^self */
  exp2: op<Unary>('exp2'),
  /** e^self − 1, exact near 0 */
  expm1: op<Unary>('expm1'),
  /** ln self */
  log: op<Unary>('log'),
  /** log₂ self */
  log2: op<Unary>('log2'),
  /** log₁₀ self */
  log10: op<Unary>('log10'),
  /** ln(1 + self), exact near 0 */
  log1p: op<Unary>('log1p'),
  /** ln(e^self + e^other) */
  logaddexp: op<TensorBinary>('logaddexp'),
  /** self · ln other, 0 where self is 0 */
  xlogy: byOperand<Binary>('xlogy', 'Tensor', 'Scalar_Other'),
  /** sin self */
  sin: op<Unary>('sin'),
  /** cos self */
  cos: op<Unary>('cos'),
  /** tan self */
  tan: op<Unary>('tan'),
  /** arcsin self */
  asin: op<Unary>('asin'),
  /** arccos self */
  acos: op<Unary>('acos'),
  /** arctan self */
  atan: op<Unary>('atan'),
  /** The angle of the point (other, self). */
  atan2: op<TensorBinary>('atan2'),
  /** sinh self */
  sinh: op<Unary>('sinh'),
  /** cosh self */
  cosh: op<Unary>('cosh'),
  /** tanh self */
  tanh: op<Unary>('tanh'),
  /** artanh self */
  atanh: op<Unary>('atanh'),
  /** √(self² + other²) */
  hypot: op<TensorBinary>('hypot'),
  /** The error function 2/√π ∫₀ˣ e^(−t²) dt */
  erf: op<Unary>('erf'),
  /** 1 − erf(self) */
  erfc: op<Unary>('erfc'),
  /** The inverse of the error function. */
  erfinv: op<Unary>('erfinv'),
  /** ln |Γ(self)| */
  lgamma: op<Unary>('lgamma'),
  /** Γ′(self) ÷ Γ(self) */
  digamma: op<Unary>('digamma'),
  /** 1 ÷ (1 + e^−self) */
  sigmoid: op<Unary>('sigmoid'),
  /** ln(self ÷ (1 − self)); `eps` keeps self in [eps, 1 − eps]. */
  logit: op<(self: Tensor, eps?: number | null) => Tensor>('logit'),
};
