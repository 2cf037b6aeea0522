import { op } from '../table.js';
import type { Tensor } from '../tensor.js';
import type { Scalar, TensorBinary } from './types.js';

/** Factors of the sum in a product. */
export interface Blend {
  readonly beta?: Scalar;
  readonly alpha?: Scalar;
}

/** Products of vectors and matrices. */
export const products = {
  /** Product of vectors, matrices or batches of matrices, batch dimensions broadcast: [..., n, m] · [..., m, p]. */
  matmul: op<TensorBinary>('matmul'),
  /** [n, m] · [m, p] → [n, p] */
  mm: op<(self: Tensor, mat2: Tensor) => Tensor>('mm'),
  /** [b, n, m] · [b, m, p] → [b, n, p] */
  bmm: op<(self: Tensor, mat2: Tensor) => Tensor>('bmm'),
  /** [n, m] · [m] → [n] */
  mv: op<(self: Tensor, vec: Tensor) => Tensor>('mv'),
  /** [n] · [n] → [] */
  dot: op<(self: Tensor, tensor: Tensor) => Tensor>('dot'),
  /** Sum of products over the last dimension of both. */
  inner: op<TensorBinary>('inner'),
  /** [n], [m] → [n, m] */
  outer: op<(self: Tensor, vec2: Tensor) => Tensor>('outer'),
  /** beta · self + alpha · mat1 · mat2 */
  addmm: op<(self: Tensor, mat1: Tensor, mat2: Tensor, options?: Blend) => Tensor>('addmm'),
  /** beta · self + alpha · mat · vec */
  addmv: op<(self: Tensor, mat: Tensor, vec: Tensor, options?: Blend) => Tensor>('addmv'),
  /** beta · self + alpha · batch1 · batch2, a product for each of the batch. */
  baddbmm: op<(self: Tensor, batch1: Tensor, batch2: Tensor, options?: Blend) => Tensor>('baddbmm'),
  /** beta · self + alpha · Σ batch1 · batch2 */
  addbmm: op<(self: Tensor, batch1: Tensor, batch2: Tensor, options?: Blend) => Tensor>('addbmm'),
  /** Contraction over the dimensions named of both. */
  tensordot:
    op<(self: Tensor, other: Tensor, dimsSelf: readonly number[], dimsOther: readonly number[]) => Tensor>('tensordot'),
  /** Kronecker product. */
  kron: op<TensorBinary>('kron'),
  /** Cross product of vectors of size 3. */
  cross: op<(self: Tensor, other: Tensor, dim?: number | null) => Tensor>('cross'),
  /** Distances between the rows of x1 [b, n, d] and x2 [b, m, d] → [b, n, m] in the p-norm. */
  cdist: op<(x1: Tensor, x2: Tensor, p?: number) => Tensor>('cdist'),
  /** x1 · x2 ÷ max(|x1| |x2|, eps) along a dimension. */
  cosineSimilarity: op<(x1: Tensor, x2: Tensor, dim?: number, eps?: number) => Tensor>('cosine_similarity'),
};
