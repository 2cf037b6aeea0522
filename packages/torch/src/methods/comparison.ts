import { byOperand, op } from '../table.js';
import type { Tensor } from '../tensor.js';
import type { Binary, TensorBinary, Unary } from './types.js';

/** How far apart close elements may be. */
export interface Closeness {
  readonly rtol?: number;
  readonly atol?: number;
  readonly equalNan?: boolean;
}

/** Comparisons and logic on each element: bool tensors come out. */
export const comparison = {
  /** self = other */
  eq: byOperand<Binary>('eq', 'Tensor', 'Scalar'),
  /** self ≠ other */
  ne: byOperand<Binary>('ne', 'Tensor', 'Scalar'),
  /** self < other */
  lt: byOperand<Binary>('lt', 'Tensor', 'Scalar'),
  /** self ≤ other */
  le: byOperand<Binary>('le', 'Tensor', 'Scalar'),
  /** self > other */
  gt: byOperand<Binary>('gt', 'Tensor', 'Scalar'),
  /** self ≥ other */
  ge: byOperand<Binary>('ge', 'Tensor', 'Scalar'),
  /** |self − other| ≤ atol + rtol · |other|, element by element. */
  isclose: op<(self: Tensor, other: Tensor, options?: Closeness) => Tensor>('isclose'),
  /** Whether all elements are close: |self − other| ≤ atol + rtol · |other|. */
  allclose: op<(self: Tensor, other: Tensor, options?: Closeness) => boolean>('allclose'),
  /** Whether shape and all elements are the same. */
  equal: op<(self: Tensor, other: Tensor) => boolean>('equal'),
  isnan: op<Unary>('isnan'),
  isinf: op<Unary>('isinf'),
  isfinite: op<Unary>('isfinite'),
  /** Whether each element is among `testElements`. */
  isin: byOperand<(elements: Tensor, testElements: Tensor | number) => Tensor>(
    'isin',
    'Tensor_Tensor',
    'Tensor_Scalar',
  ),
  logicalAnd: op<TensorBinary>('logical_and'),
  logicalOr: op<TensorBinary>('logical_or'),
  logicalXor: op<TensorBinary>('logical_xor'),
  logicalNot: op<Unary>('logical_not'),
  /** The bits both have; for bool, and. */
  bitwiseAnd: byOperand<Binary>('bitwise_and', 'Tensor', 'Scalar'),
  /** The bits one has; for bool, or. */
  bitwiseOr: byOperand<Binary>('bitwise_or', 'Tensor', 'Scalar'),
  /** The bits exactly one has. */
  bitwiseXor: byOperand<Binary>('bitwise_xor', 'Tensor', 'Scalar'),
  /** The bits turned over; for bool, not. */
  bitwiseNot: op<Unary>('bitwise_not'),
  /** self · 2^other */
  bitwiseLeftShift: byOperand<Binary>('bitwise_left_shift', 'Tensor', 'Tensor_Scalar'),
  /** ⌊self ÷ 2^other⌋ */
  bitwiseRightShift: byOperand<Binary>('bitwise_right_shift', 'Tensor', 'Tensor_Scalar'),
};
