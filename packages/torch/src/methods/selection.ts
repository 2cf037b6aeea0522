import { Operator } from '../operator.js';
import { byOperand, op } from '../table.js';
import type { Tensor } from '../tensor.js';
import { where } from './lists.js';
import type { KeepOptions, Operand, Scalar } from './types.js';

type Fill = (self: Tensor, mask: Tensor, value: Operand) => Tensor;
type Scatter = (self: Tensor, dim: number, index: Tensor, src: Tensor) => Tensor;
type Reduction = 'sum' | 'prod' | 'mean' | 'amax' | 'amin';

/** Options of `sort`. */
export interface SortOptions {
  readonly descending?: boolean;
  readonly stable?: boolean;
}

const sortOp = new Operator('aten::sort', 'stable');

/** Picking elements by index, mask or order. */
export const selection = {
  /** The rows of a dimension that an int64 tensor names. */
  indexSelect: op<(self: Tensor, dim: number, index: Tensor) => Tensor>('index_select'),
  /** self with alpha · source added to the rows that index names. */
  indexAdd:
    op<(self: Tensor, dim: number, index: Tensor, source: Tensor, options?: { readonly alpha?: Scalar }) => Tensor>(
      'index_add',
    ),
  /** self with the rows that index names replaced by those of source. */
  indexCopy: op<(self: Tensor, dim: number, index: Tensor, source: Tensor) => Tensor>('index_copy'),
  /** out[i][j] = self[index[i][j]][j] for dim 0. */
  gather: op<(self: Tensor, dim: number, index: Tensor) => Tensor>('gather'),
  /** out[index[i][j]][j] = src[i][j] for dim 0. */
  scatter: op<(self: Tensor, dim: number, index: Tensor, src: Operand) => Tensor>('scatter', 'src', 'value'),
  /** out[index[i][j]][j] += src[i][j] for dim 0. */
  scatterAdd: op<Scatter>('scatter_add'),
  /** As scatterAdd, with another reduction. */
  scatterReduce: op<
    (
      self: Tensor,
      dim: number,
      index: Tensor,
      src: Tensor,
      reduce: Reduction,
      options?: { readonly includeSelf?: boolean },
    ) => Tensor
  >('scatter_reduce', 'two'),
  /** value where the mask is true, else self. */
  maskedFill: op<Fill>('masked_fill', 'Scalar', 'Tensor'),
  /** self where the condition is true, else other. */
  where: (self: Tensor, condition: Tensor, other: Operand): Tensor => where(condition, self, other),
  /** The elements where the mask is true, in one dimension. */
  maskedSelect: op<(self: Tensor, mask: Tensor) => Tensor>('masked_select'),
  /** The next elements of source where the mask is true, else self. */
  maskedScatter: op<(self: Tensor, mask: Tensor, source: Tensor) => Tensor>('masked_scatter'),
  /** Elements by their place in the flattened tensor. */
  take: op<(self: Tensor, index: Tensor) => Tensor>('take'),
  takeAlongDim: op<(self: Tensor, indices: Tensor, dim?: number | null) => Tensor>('take_along_dim'),
  /** Indices of what is not 0: [count, ndim], int64. */
  nonzero: op<(self: Tensor) => Tensor>('nonzero'),
  /** Sorted along a dimension: [values, indices]; `stable` keeps the order of equal elements. */
  sort: (self: Tensor, dim = -1, { descending = false, stable = false }: SortOptions = {}): [Tensor, Tensor] =>
    sortOp.call([self], { stable, dim, descending }) as [Tensor, Tensor],
  /** The indices that sort along a dimension. */
  argsort: op<(self: Tensor, dim?: number, options?: { readonly descending?: boolean }) => Tensor>('argsort'),
  /** The k largest along a dimension: [values, indices]. */
  topk: op<
    (
      self: Tensor,
      k: number,
      dim?: number,
      options?: { readonly largest?: boolean; readonly sorted?: boolean },
    ) => [Tensor, Tensor]
  >('topk'),
  /** The k-th smallest along a dimension, from 1: [values, indices]. */
  kthvalue: op<(self: Tensor, k: number, dim?: number, options?: KeepOptions) => [Tensor, Tensor]>('kthvalue'),
  /** How often each whole number from 0 occurs, or the sum of its weights. */
  bincount: op<(self: Tensor, weights?: Tensor | null, minlength?: number) => Tensor>('bincount'),
  /** How many elements fall in each of `bins` equal ranges from min to max. */
  histc: op<(self: Tensor, bins?: number, min?: number, max?: number) => Tensor>('histc'),
  /** The first place where each value fits into sorted boundaries. */
  bucketize: op<(self: Tensor, boundaries: Tensor, options?: { readonly right?: boolean }) => Tensor>(
    'bucketize',
    'Tensor',
  ),
  /** The first place in each sorted row where the values fit. */
  searchsorted: byOperand<
    (sortedSequence: Tensor, self: Tensor | number, options?: { readonly right?: boolean }) => Tensor
  >('searchsorted', 'Tensor', 'Scalar'),
};
