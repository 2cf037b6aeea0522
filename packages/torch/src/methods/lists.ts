import type { Device, DType } from '../dtype.js';
import type { Generator } from '../generator.js';
import { Operator } from '../operator.js';
import { op } from '../table.js';
import type { Tensor } from '../tensor.js';
import type { Operand, Scalar } from './types.js';

type Tensors = readonly Tensor[];

/** Tensors joined along a dimension they have. */
export const cat = op<(tensors: Tensors, dim?: number) => Tensor>('cat');
/** Tensors of one shape joined along a new dimension. */
export const stack = op<(tensors: Tensors, dim?: number) => Tensor>('stack');
/** Tensors joined along the second dimension, or the first of vectors. */
export const hstack = op<(tensors: Tensors) => Tensor>('hstack');
/** Tensors joined along the first dimension, vectors as rows. */
export const vstack = op<(tensors: Tensors) => Tensor>('vstack');
/** The matrices along the diagonal of a larger one. */
export const blockDiag = op<(tensors: Tensors) => Tensor>('block_diag');
/** All combinations of the elements of vectors, one a row. */
export const cartesianProd = op<(tensors: Tensors) => Tensor>('cartesian_prod');
/** The tensors expanded to the shape they broadcast to. */
export const broadcastTensors = op<(tensors: Tensors) => Tensor[]>('broadcast_tensors');
const meshgridOp = new Operator('aten::meshgrid', 'indexing');

/** Grids of the coordinates in vectors; `indexing` 'xy' exchanges the first two dimensions. */
export function meshgrid(tensors: Tensors, { indexing = 'ij' }: { readonly indexing?: 'ij' | 'xy' } = {}): Tensor[] {
  return meshgridOp.call([tensors], { indexing }) as Tensor[];
}

/** Sums of products in Einstein's notation: `einsum('bij,bjk->bik', [x, y])`. */
export const einsum = op<(equation: string, tensors: Tensors) => Tensor>('einsum');
/** A complex tensor of its real and imaginary parts. */
export const complex = op<(real: Tensor, imag: Tensor) => Tensor>('complex');

const whereOps = {
  tensors: new Operator('aten::where', 'self'),
  scalarOther: new Operator('aten::where', 'ScalarOther'),
  scalarSelf: new Operator('aten::where', 'ScalarSelf'),
  scalars: new Operator('aten::where', 'Scalar'),
};

/** self where the condition is true, else other; broadcast. */
export function where(condition: Tensor, self: Operand, other: Operand): Tensor {
  const [a, b] = [typeof self === 'object', typeof other === 'object'];
  const operator = a ? (b ? whereOps.tensors : whereOps.scalarOther) : b ? whereOps.scalarSelf : whereOps.scalars;
  return operator.call([condition, self, other]) as Tensor;
}

/** Options of the constructors that follow another tensor: what is not given is taken from it. */
export interface LikeOptions {
  readonly dtype?: DType;
  readonly device?: Device;
}

/** Options of the random constructors that follow another tensor. */
export interface RandomLikeOptions extends LikeOptions {
  /** libtorch's default generator without it. */
  readonly generator?: Generator;
}

type Like = (self: Tensor, options?: LikeOptions) => Tensor;

/** A tensor like another, its elements not set. */
export const emptyLike = op<Like>('empty_like');
/** A tensor of zeros like another. */
export const zerosLike = op<Like>('zeros_like');
/** A tensor of ones like another. */
export const onesLike = op<Like>('ones_like');
/** A tensor of one value like another. */
export const fullLike = op<(self: Tensor, fillValue: Scalar, options?: LikeOptions) => Tensor>('full_like');
/** Numbers drawn evenly from [0, 1), like another tensor. */
export const randLike = op<(self: Tensor, options?: RandomLikeOptions) => Tensor>('rand_like', '', 'generator');
/** Numbers drawn from the standard normal distribution, like another tensor. */
export const randnLike = op<(self: Tensor, options?: RandomLikeOptions) => Tensor>('randn_like', '', 'generator');

const randintOps = {
  plain: new Operator('aten::randint', 'low'),
  generator: new Operator('aten::randint', 'low_generator'),
};
const randpermOps = { plain: new Operator('aten::randperm'), generator: new Operator('aten::randperm', 'generator') };

/** Whole numbers drawn evenly from low up to but not including high; int64 unless said otherwise. */
export function randint(
  low: number,
  high: number,
  shape: readonly number[],
  { generator, ...options }: RandomLikeOptions = {},
): Tensor {
  const args = [low, high, shape];
  if (generator === undefined) return randintOps.plain.call(args, { ...options }) as Tensor;
  return randintOps.generator.call(args, { ...options, generator }) as Tensor;
}

/** The whole numbers from 0 up to but not including n in random order; int64 unless said otherwise. */
export function randperm(n: number, { generator, ...options }: RandomLikeOptions = {}): Tensor {
  if (generator === undefined) return randpermOps.plain.call([n], { ...options }) as Tensor;
  return randpermOps.generator.call([n], { ...options, generator }) as Tensor;
}
