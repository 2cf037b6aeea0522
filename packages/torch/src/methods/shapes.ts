import type { DType } from '../dtype.js';
import { op } from '../table.js';
import type { Tensor } from '../tensor.js';
import type { Dims, TensorBinary, Unary } from './types.js';

type Sizes = readonly number[];

/** Other shapes of the same elements: views where that is possible. */
export const shapes = {
  /** The same elements in another shape; one size may be −1. A view where the strides allow it, else a copy. */
  reshape: op<(self: Tensor, shape: Sizes) => Tensor>('reshape'),
  reshapeAs: op<TensorBinary>('reshape_as'),
  /** A view in another shape, or of the same bytes as another dtype. */
  view: op<(self: Tensor, size: Sizes | DType) => Tensor>('view', '', 'dtype'),
  viewAs: op<TensorBinary>('view_as'),
  /** [a, b, c] → [dims…] in the order given. */
  permute: op<(self: Tensor, dims: Sizes) => Tensor>('permute'),
  /** Two dimensions exchanged. */
  transpose: op<(self: Tensor, dim0: number, dim1: number) => Tensor>('transpose', 'int'),
  /** [n, m] → [m, n] */
  t: op<Unary>('t'),
  /** One dimension, or several, moved to other places. */
  movedim: op<(self: Tensor, source: Dims, destination: Dims) => Tensor>('movedim', 'int', 'intlist'),
  /** [a, b, c] → [a · b · c], or the dimensions from startDim to endDim made one. */
  flatten: op<(self: Tensor, startDim?: number, endDim?: number) => Tensor>('flatten', 'using_ints'),
  /** One dimension made several: [a · b] → [a, b]. */
  unflatten: op<(self: Tensor, dim: number, sizes: Sizes) => Tensor>('unflatten', 'int'),
  /** [a, b, c] → [a · b · c] */
  ravel: op<Unary>('ravel'),
  /** Without the dimensions of size 1: all, or those named. */
  squeeze: op<(self: Tensor, dim?: Dims) => Tensor>('squeeze', '', 'dim', 'dims'),
  /** With a dimension of size 1 before `dim`. */
  unsqueeze: op<(self: Tensor, dim: number) => Tensor>('unsqueeze'),
  /** Dimensions of size 1 stretched without a copy; −1 keeps a size. */
  expand: op<(self: Tensor, size: Sizes) => Tensor>('expand'),
  expandAs: op<TensorBinary>('expand_as'),
  broadcastTo: op<(self: Tensor, size: Sizes) => Tensor>('broadcast_to'),
  /** `length` rows from `start` along a dimension, a view. */
  narrow: op<(self: Tensor, dim: number, start: number, length: number) => Tensor>('narrow'),
  /** One row along a dimension, which goes away; a view. */
  select: op<(self: Tensor, dim: number, index: number) => Tensor>('select', 'int'),
  /** Rows from start up to but not including end, step apart; a view. */
  slice: op<(self: Tensor, dim?: number, start?: number | null, end?: number | null, step?: number) => Tensor>(
    'slice',
    'Tensor',
  ),
  /** Pieces of one size (the last may be smaller), or of the sizes given; views. */
  split: op<(self: Tensor, splitSize: number | Sizes, dim?: number) => Tensor[]>('split', 'Tensor', 'sizes'),
  /** At most so many pieces of equal size; views. */
  chunk: op<(self: Tensor, chunks: number, dim?: number) => Tensor[]>('chunk'),
  /** Every row along a dimension; views. */
  unbind: op<(self: Tensor, dim?: number) => Tensor[]>('unbind', 'int'),
  /** The main diagonal, or the one `offset` above; a view. */
  diagonal: op<(self: Tensor, offset?: number, dim1?: number, dim2?: number) => Tensor>('diagonal'),
  /** [n] → the diagonal matrix, [n, n] → its diagonal. */
  diag: op<(self: Tensor, diagonal?: number) => Tensor>('diag'),
  diagEmbed: op<(self: Tensor, offset?: number, dim1?: number, dim2?: number) => Tensor>('diag_embed'),
  /** Zero above the diagonal. */
  tril: op<(self: Tensor, diagonal?: number) => Tensor>('tril'),
  /** Zero below the diagonal. */
  triu: op<(self: Tensor, diagonal?: number) => Tensor>('triu'),
  /** The tensor so many times along each dimension; a copy. */
  repeat: op<(self: Tensor, repeats: Sizes) => Tensor>('repeat'),
  /** Each element so many times. */
  repeatInterleave: op<(self: Tensor, repeats: number | Tensor, dim?: number | null) => Tensor>(
    'repeat_interleave',
    'self_int',
    'self_Tensor',
  ),
  tile: op<(self: Tensor, dims: Sizes) => Tensor>('tile'),
  /** Backwards along dimensions; a copy. */
  flip: op<(self: Tensor, dims: Sizes) => Tensor>('flip'),
  /** Shifted, what falls off comes in at the other end. */
  roll: op<(self: Tensor, shifts: Dims, dims?: Dims) => Tensor>('roll'),
  /** Turned k times by 90° in the plane of two dimensions. */
  rot90: op<(self: Tensor, k?: number, dims?: Sizes) => Tensor>('rot90'),
  /** All windows of a size along a dimension, as a new last dimension; a view. */
  unfold: op<(self: Tensor, dimension: number, size: number, step: number) => Tensor>('unfold'),
  /** A view with these sizes, strides and offset. */
  asStrided: op<(self: Tensor, size: Sizes, stride: Sizes, storageOffset?: number | null) => Tensor>('as_strided'),
  /** A copy with history. */
  clone: op<(self: Tensor, options?: { readonly memoryFormat?: MemoryFormat }) => Tensor>('clone'),
  /** The elements in row-major order; shares memory where they already are. */
  contiguous: op<(self: Tensor, options?: { readonly memoryFormat?: MemoryFormat }) => Tensor>('contiguous'),
  /** The size of one dimension. */
  size: op<(self: Tensor, dim: number) => number>('size', 'int'),
  /** [a, b] → [a, numClasses] with a 1 where the class is; −1 takes the largest class. */
  oneHot: op<(self: Tensor, numClasses?: number) => Tensor>('one_hot'),
};

/** The order in which elements lie in memory. */
export type MemoryFormat = 'contiguous' | 'channels_last' | 'channels_last_3d' | 'preserve';
