import type { DType } from '../dtype.js';
import { op } from '../table.js';
import type { Tensor } from '../tensor.js';
import type { Dims, KeepOptions, ReduceOptions, Scalar } from './types.js';

type Reduce = (self: Tensor, dim?: Dims | null, options?: ReduceOptions) => Tensor;
type Keep = (self: Tensor, dim?: Dims, options?: KeepOptions) => Tensor;
type Index = (self: Tensor, dim?: number | null, options?: KeepOptions) => Tensor;
type Cumulate = (self: Tensor, dim: number, options?: { readonly dtype?: DType }) => Tensor;

/** Options of variance and standard deviation. */
export interface SpreadOptions {
  /** Subtracted from the number of elements in the divisor: 1 unless given, 0 for the whole population. */
  readonly correction?: number;
  readonly keepdim?: boolean;
}

type Spread = (self: Tensor, dim?: Dims | null, options?: SpreadOptions) => Tensor;

/** Reductions over all elements, or along dimensions. */
export const reductions = {
  /** Σ self */
  sum: op<Reduce>('sum', '', 'dim_IntList'),
  /** Σ self, NaN as 0 */
  nansum: op<Reduce>('nansum'),
  /** Σ self ÷ n */
  mean: op<Reduce>('mean', '', 'dim'),
  /** The mean of what is not NaN. */
  nanmean: op<Reduce>('nanmean'),
  /** Π self along one dimension, or of all elements. */
  prod: op<(self: Tensor, dim?: number, options?: ReduceOptions) => Tensor>('prod', '', 'dim_int'),
  /** Σ (self − mean)² ÷ (n − correction) */
  var: op<Spread>('var', 'correction'),
  /** √var */
  std: op<Spread>('std', 'correction'),
  /** Variance and mean at once: [var, mean]. */
  varMean: op<(self: Tensor, dim?: Dims | null, options?: SpreadOptions) => [Tensor, Tensor]>('var_mean', 'correction'),
  /** The largest along dimensions; ties share the gradient. */
  amax: op<Keep>('amax'),
  /** The smallest along dimensions; ties share the gradient. */
  amin: op<Keep>('amin'),
  /** Smallest and largest: [min, max]. */
  aminmax:
    op<(self: Tensor, options?: { readonly dim?: number; readonly keepdim?: boolean }) => [Tensor, Tensor]>('aminmax'),
  /** Where the largest is, int64. */
  argmax: op<Index>('argmax'),
  /** Where the smallest is, int64. */
  argmin: op<Index>('argmin'),
  /** Whether all are true. */
  all: op<(self: Tensor, dim?: Dims | null, options?: KeepOptions) => Tensor>('all', 'dims', 'dim'),
  /** Whether one is true. */
  any: op<(self: Tensor, dim?: Dims | null, options?: KeepOptions) => Tensor>('any', 'dims', 'dim'),
  /** How many are not 0. */
  countNonzero: op<(self: Tensor, dim?: Dims | null) => Tensor>('count_nonzero', '', 'dim_IntList'),
  /** ln Σ e^self */
  logsumexp: op<(self: Tensor, dim: Dims, options?: KeepOptions) => Tensor>('logsumexp'),
  /** (Σ |self|^p)^(1/p); p is 2 unless given. */
  norm: op<(self: Tensor, p?: Scalar | null, dim?: Dims, options?: KeepOptions) => Tensor>(
    'norm',
    'Scalar',
    'ScalarOpt_dim',
  ),
  /** The most common along a dimension: [values, indices]. */
  mode: op<(self: Tensor, dim?: number, options?: KeepOptions) => [Tensor, Tensor]>('mode'),
  /** The q-quantile, 0 ≤ q ≤ 1. */
  quantile: op<
    (
      self: Tensor,
      q: Tensor | number,
      dim?: number | null,
      options?: KeepOptions & { readonly interpolation?: 'linear' | 'lower' | 'higher' | 'nearest' | 'midpoint' },
    ) => Tensor
  >('quantile', 'scalar', ''),
  /** Running sums along a dimension. */
  cumsum: op<Cumulate>('cumsum'),
  /** Running products along a dimension. */
  cumprod: op<Cumulate>('cumprod'),
  /** ln of running sums of e^self. */
  logcumsumexp: op<(self: Tensor, dim: number) => Tensor>('logcumsumexp'),
  /** Differences of neighbours along a dimension, n times. */
  diff: op<(self: Tensor, n?: number, dim?: number) => Tensor>('diff'),
  /** The sum of the diagonal of [n, m]. */
  trace: op<(self: Tensor) => Tensor>('trace'),
};
