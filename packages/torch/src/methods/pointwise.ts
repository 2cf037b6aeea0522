import { op } from '../table.js';
import type { Tensor } from '../tensor.js';

type Unary = (self: Tensor) => Tensor;
type Binary = (self: Tensor, other: Tensor | number) => Tensor;
type Scaled = (self: Tensor, other: Tensor | number, options?: { alpha?: number }) => Tensor;

/** Operators on each element by itself, with broadcasting. A trailing underscore writes in place. */
export const pointwise = {
  /** self + alpha · other */
  add: op<Scaled>('add', 'Tensor'),
  add_: op<Scaled>('add_', 'Tensor'),
  /** self · other */
  mul: op<Binary>('mul', 'Tensor'),
  mul_: op<Binary>('mul_', 'Tensor'),
  /** max(x, 0) */
  relu: op<Unary>('relu'),
  relu_: op<Unary>('relu_'),
};
