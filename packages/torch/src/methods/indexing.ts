import { TorchError } from '../errors.js';
import { isTensorHandle } from '../handle.js';
import { Operator } from '../operator.js';
import { scope } from '../scope.js';
import { isTensor, type Tensor } from '../tensor.js';

/** Start, end and step: null or absent means from the first, to the last, every one; an empty list is all. */
export type Slice = readonly [start?: number | null, end?: number | null, step?: number];

/**
 * What stands for one dimension between the brackets of `x[...]` in Python: a number selects a row, a {@link Slice}
 * rows, null adds a dimension of size 1, '...' stands for all dimensions not named, and tensors of int64 or bool pick
 * elements.
 */
export type Index = number | Slice | null | '...' | Tensor;

const select = new Operator('aten::select', 'int');
const slice = new Operator('aten::slice', 'Tensor');
const unsqueeze = new Operator('aten::unsqueeze');
const view = new Operator('aten::alias');
const gather = new Operator('aten::index', 'Tensor');
const put = new Operator('aten::index_put_');
const fill = new Operator('aten::fill_', 'Scalar');
const copy = new Operator('aten::copy_');
const add = new Operator('aten::add_', 'Tensor');
const scalar = new Operator('aten::scalar_tensor');

interface Taken {
  readonly base: Tensor;
  readonly picks: (Tensor | null)[];
}

const mostIndices = 128;

const maskDTypes = new Set(['bool', 'uint8']);

function width(index: Index): number {
  if (index === null || index === '...') return 0;
  if (typeof index !== 'object' || !isTensorHandle(index)) return 1;
  const { ndim } = index as Tensor;
  return maskDTypes.has((index as Tensor).dtype) ? ndim : 1;
}

// Views first, then what is left are the tensors to pick with, each at its dimension: the order PyTorch applies them in.
function take(self: Tensor, indices: readonly Index[]): Taken {
  if (!Array.isArray(indices as unknown) || indices.length > mostIndices) {
    throw new TorchError(`index: expected a list of at most ${mostIndices} indices, got ${describe(indices)}`);
  }
  const { ndim } = self;
  const named = indices.reduce<number>((sum, each) => sum + width(each), 0);
  if (named > ndim)
    throw new TorchError(`index: expected at most ${ndim} indices for ${ndim} dimensions, got ${named}`);
  if (indices.filter((each) => each === '...').length > 1)
    throw new TorchError("index: expected at most one '...', got more");
  let base = self;
  let dim = 0;
  const picks: (Tensor | null)[] = [];
  const pick = (at: number, tensor: Tensor): void => {
    while (picks.length < at) picks.push(null);
    picks[at] = tensor;
  };
  for (const index of indices) {
    if (typeof index === 'number') {
      base = select.call([base, dim, index]) as Tensor;
    } else if (index === null) {
      base = unsqueeze.call([base, dim++]) as Tensor;
    } else if (index === '...') {
      dim += ndim - named;
    } else if (typeof index === 'object' && isTensor(index)) {
      const mask = maskDTypes.has(index.dtype);
      if (index.ndim === 0 && !mask) {
        base = select.call([base, dim, index.item()]) as Tensor;
      } else if (index.ndim === 0) {
        base = unsqueeze.call([base, dim]) as Tensor;
        pick(dim++, unsqueeze.call([index, 0]) as Tensor);
      } else {
        pick(dim, index);
        dim += mask ? index.ndim : 1;
      }
    } else if (Array.isArray(index) && index.length <= 3) {
      const [start = null, end = null, step = 1] = index as Slice;
      base = slice.call([base, dim++, start, end, step]) as Tensor;
    } else {
      throw new TorchError(
        `index: expected a number, [start, end, step], null, '...' or a tensor, got ${describe(index)} - make lists of indices a tensor`,
      );
    }
  }
  return { base, picks };
}

function describe(value: unknown): string {
  return Array.isArray(value) ? `an array of length ${value.length}` : `a ${typeof value}`;
}

function index(self: Tensor, ...indices: Index[]): Tensor {
  return scope(() => {
    const { base, picks } = take(self, indices);
    if (picks.length > 0) return gather.call([base, picks]) as Tensor;
    return base === self ? (view.call([self]) as Tensor) : base;
  });
}

function indexPut(
  self: Tensor,
  indices: readonly Index[],
  values: Tensor | number | boolean,
  { accumulate = false }: { readonly accumulate?: boolean } = {},
): Tensor {
  scope(() => {
    const { base, picks } = take(self, indices);
    const target = { dtype: base.dtype, device: base.device };
    if (picks.length === 0 && !accumulate) {
      if (typeof values === 'object') copy.call([base, values]);
      else fill.call([base, values]);
      return;
    }
    const given = typeof values === 'object' ? values.to(target) : (scalar.call([values], target) as Tensor);
    if (picks.length > 0) put.call([base, picks, given, accumulate]);
    else add.call([base, given]);
  });
  return self;
}

/** Indexing as between Python's brackets. */
export const indexing = {
  /**
   * The elements that `x[...]` gives in Python: `x.index(0, [1, 5], null, '...')`. Numbers and slices give views, tensors
   * a copy.
   */
  index,
  /** The same as `index`. */
  at: index,
  /**
   * Writes values where `x[...] = values` does in Python, broadcast and converted; `accumulate` adds instead, also where
   * an element is named twice.
   */
  indexPut_: indexPut,
};
