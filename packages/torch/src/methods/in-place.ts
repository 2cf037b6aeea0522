import type { Generator } from '../generator.js';
import { byOperand, op } from '../table.js';
import type { Tensor } from '../tensor.js';
import type { Binary, Operand, Scalar, Unary } from './types.js';

type Scaled = (self: Tensor, other: Operand, options?: { readonly alpha?: Scalar }) => Tensor;

/** Where random numbers come from. */
export interface RandomSource {
  /** libtorch's default generator without it. */
  readonly generator?: Generator;
}

/** Operators that write their result into `self` and return it. */
export const inPlace = {
  add_: op<Scaled>('add_', 'Tensor'),
  sub_: op<Scaled>('sub_', 'Tensor'),
  mul_: op<Binary>('mul_', 'Tensor'),
  div_: op<(self: Tensor, other: Operand, options?: { readonly roundingMode?: 'trunc' | 'floor' }) => Tensor>(
    'div_',
    'Tensor',
    'Tensor_mode',
  ),
  remainder_: byOperand<Binary>('remainder_', 'Tensor', 'Scalar'),
  pow_: byOperand<(self: Tensor, exponent: Operand) => Tensor>('pow_', 'Tensor', 'Scalar'),
  neg_: op<Unary>('neg_'),
  abs_: op<Unary>('abs_'),
  exp_: op<Unary>('exp_'),
  log_: op<Unary>('log_'),
  sqrt_: op<Unary>('sqrt_'),
  rsqrt_: op<Unary>('rsqrt_'),
  reciprocal_: op<Unary>('reciprocal_'),
  floor_: op<Unary>('floor_'),
  round_: op<Unary>('round_'),
  sigmoid_: op<Unary>('sigmoid_'),
  tanh_: op<Unary>('tanh_'),
  relu_: op<Unary>('relu_'),
  /** self += value · tensor1 · tensor2 */
  addcmul_:
    op<(self: Tensor, tensor1: Tensor, tensor2: Tensor, options?: { readonly value?: Scalar }) => Tensor>('addcmul_'),
  /** self += value · tensor1 ÷ tensor2 */
  addcdiv_:
    op<(self: Tensor, tensor1: Tensor, tensor2: Tensor, options?: { readonly value?: Scalar }) => Tensor>('addcdiv_'),
  /** self += weight · (end − self) */
  lerp_: op<(self: Tensor, end: Tensor, weight: Operand) => Tensor>('lerp_', 'Scalar', 'Tensor'),
  clamp_: op<(self: Tensor, min?: Operand | null, max?: Operand | null) => Tensor>('clamp_', '', 'Tensor'),
  clampMin_: byOperand<(self: Tensor, min: Operand) => Tensor>('clamp_min_', 'Tensor', ''),
  clampMax_: byOperand<(self: Tensor, max: Operand) => Tensor>('clamp_max_', 'Tensor', ''),
  /** self becomes src, converted and broadcast. */
  copy_: op<(self: Tensor, src: Tensor, options?: { readonly nonBlocking?: boolean }) => Tensor>('copy_'),
  fill_: byOperand<(self: Tensor, value: Operand) => Tensor>('fill_', 'Tensor', 'Scalar'),
  zero_: op<Unary>('zero_'),
  maskedFill_: op<(self: Tensor, mask: Tensor, value: Operand) => Tensor>('masked_fill_', 'Scalar', 'Tensor'),
  indexAdd_:
    op<(self: Tensor, dim: number, index: Tensor, source: Tensor, options?: { readonly alpha?: Scalar }) => Tensor>(
      'index_add_',
    ),
  indexCopy_: op<(self: Tensor, dim: number, index: Tensor, source: Tensor) => Tensor>('index_copy_'),
  scatter_: op<(self: Tensor, dim: number, index: Tensor, src: Operand) => Tensor>('scatter_', 'src', 'value'),
  scatterAdd_: op<(self: Tensor, dim: number, index: Tensor, src: Tensor) => Tensor>('scatter_add_'),
  /** self without its history. */
  detach_: op<Unary>('detach_'),
  squeeze_: op<(self: Tensor, dim?: number) => Tensor>('squeeze_', '', 'dim'),
  unsqueeze_: op<(self: Tensor, dim: number) => Tensor>('unsqueeze_'),
  /** Numbers drawn evenly from [from, to). */
  uniform_: op<(self: Tensor, from?: number, to?: number, options?: RandomSource) => Tensor>('uniform_'),
  /** Numbers drawn from the normal distribution. */
  normal_: op<(self: Tensor, mean?: number, std?: number, options?: RandomSource) => Tensor>('normal_'),
  /** 1 with probability p, else 0. */
  bernoulli_: op<(self: Tensor, p?: number, options?: RandomSource) => Tensor>('bernoulli_', 'float'),
};

/** Random tensors from probabilities. */
export const random = {
  /** 1 with each element's probability, else 0. */
  bernoulli: op<(self: Tensor, options?: RandomSource) => Tensor>('bernoulli'),
  /** Indices drawn with probabilities in proportion to the weights of each row: [n] → [numSamples]. */
  multinomial:
    op<(self: Tensor, numSamples: number, options?: RandomSource & { readonly replacement?: boolean }) => Tensor>(
      'multinomial',
    ),
};
