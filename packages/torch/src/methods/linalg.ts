import { op } from '../table.js';
import type { Tensor } from '../tensor.js';
import type { Dims, KeepOptions, Scalar, Unary } from './types.js';

/** Linear algebra on matrices [..., n, m], named as in `torch.linalg`. */
export const linalg = {
  /** A⁻¹ */
  inv: op<(A: Tensor) => Tensor>('linalg_inv'),
  /** The Moore-Penrose inverse. */
  pinv: op<Unary>('linalg_pinv', 'atol_rtol_float'),
  det: op<(A: Tensor) => Tensor>('linalg_det'),
  /** Sign and logarithm of the determinant's absolute value: [sign, logabsdet]. */
  slogdet: op<(A: Tensor) => [Tensor, Tensor]>('linalg_slogdet'),
  /** X with A · X = B. */
  solve: op<(A: Tensor, B: Tensor) => Tensor>('linalg_solve'),
  /** L with A = L · Lᴴ, lower triangular; `upper` gives Lᴴ. */
  cholesky: op<(self: Tensor, options?: { readonly upper?: boolean }) => Tensor>('linalg_cholesky'),
  /** A = Q · R: [Q, R]. */
  qr: op<(A: Tensor, mode?: 'reduced' | 'complete' | 'r') => [Tensor, Tensor]>('linalg_qr'),
  /** A = U · diag(S) · Vᴴ: [U, S, Vᴴ]. */
  svd: op<(A: Tensor, fullMatrices?: boolean) => [Tensor, Tensor, Tensor]>('linalg_svd'),
  /** Eigenvalues, rising, and eigenvectors of a symmetric matrix: [values, vectors]. */
  eigh: op<(self: Tensor) => [Tensor, Tensor]>('linalg_eigh'),
  /** Aⁿ */
  matrixPower: op<(self: Tensor, n: number) => Tensor>('linalg_matrix_power'),
  /** (Σ |x|^ord)^(1/ord) over all elements or dimensions; ord is 2 unless given. */
  vectorNorm:
    op<(self: Tensor, ord?: Scalar, dim?: Dims | null, options?: KeepOptions) => Tensor>('linalg_vector_norm'),
  /** A norm of matrices: a number, 'fro' or 'nuc'. */
  matrixNorm: op<
    (self: Tensor, ord?: 'fro' | 'nuc' | Scalar, dim?: readonly number[], options?: KeepOptions) => Tensor
  >('linalg_matrix_norm', 'str_ord', ''),
};
