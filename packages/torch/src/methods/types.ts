import type { DType } from '../dtype.js';
import type { Tensor } from '../tensor.js';

/** A number where libtorch takes a scalar. */
export type Scalar = number | bigint | boolean;
/** The right-hand side of an operator that broadcasts. */
export type Operand = Tensor | Scalar;
/** One dimension or several; negative ones count from the end. */
export type Dims = number | readonly number[];
/** One size for every spatial dimension, or a size for each. */
export type Size = number | readonly number[];

export type Unary = (self: Tensor) => Tensor;
export type Binary = (self: Tensor, other: Operand) => Tensor;
export type TensorBinary = (self: Tensor, other: Tensor) => Tensor;

/** Options of reductions that can widen first. */
export interface ReduceOptions {
  /** Keep the reduced dimensions with size 1. */
  readonly keepdim?: boolean;
  /** The dtype to compute and give the result in. */
  readonly dtype?: DType;
}

/** Options of reductions along one dimension. */
export interface KeepOptions {
  /** Keep the reduced dimension with size 1. */
  readonly keepdim?: boolean;
}
