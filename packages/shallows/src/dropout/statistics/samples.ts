import { cat, fromTypedArray, isTensor, scope, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../../errors.js';

/**
 * What T stochastic passes gave: a floating-point tensor whose first dimension is the passes, or its numbers in row-major
 * order and its shape.
 */
export type PassSamples = Tensor | { readonly values: ArrayLike<number>; readonly shape: readonly number[] };

/** A quantity for each row and its Monte-Carlo standard error: how far it would move with another T passes. */
export interface Estimate {
  readonly value: Float64Array;
  readonly standardError: Float64Array;
}

/** As many numbers as one chunk holds: 128 MB in float64. */
const CHUNK = 2 ** 24;

/**
 * @internal The samples as a floating-point tensor on a device that has float64.
 *
 * @throws ShallowsError for fewer than two passes, no rows, another number of dimensions or another dtype
 */
export function sampleTensor(fn: string, samples: PassSamples, what: string, dimensions: readonly number[]): Tensor {
  const made = isTensor(samples) ? samples : fromTypedArray(Float64Array.from(samples.values), [...samples.shape]);
  const { shape, dtype } = made;
  if (!dimensions.includes(shape.length) || !dtype.includes('float')) {
    throw new ShallowsError(
      `${fn}: expected floating-point ${what}, got ${dtype} [${shape.join(', ')}] - stack the passes along a new first dimension`,
    );
  }
  const [passes = 0, ...rest] = shape;
  if (passes < 2 || rest.includes(0)) {
    throw new ShallowsError(
      `${fn}: expected at least two passes over at least one row, got [${shape.join(', ')}] - one pass says nothing of its spread`,
    );
  }
  // Apple's GPUs have no float64.
  return made.device.startsWith('mps') ? made.to('cpu') : made;
}

/**
 * @internal Computes named float64 columns, each `[count, …]`, for chunks of the rows of `[T, B, …]`, and reads them back
 * in one transfer a chunk.
 *
 * `compute` gets its rows as float64 `[count, T, …]`. With the passes inside, every sum over them or over the classes runs
 * in one order, wherever in a batch a row stands: on the
 * CPU a row's statistics do not depend on the rows beside it, to the last bit.
 */
export function columnsOfRows<Name extends string>(
  samples: readonly Tensor[],
  compute: (...chunks: readonly Tensor[]) => Readonly<Record<Name, Tensor>>,
  limit = CHUNK,
): Record<Name, Float64Array> {
  const [, rows = 0] = samples[0]?.shape ?? [];
  const numbers = samples.reduce((sum, each) => sum + each.numel, 0);
  const size = Math.max(1, Math.floor((limit * rows) / numbers));
  const columns: Partial<Record<Name, Float64Array>> = {};
  for (let start = 0; start < rows; start += size) {
    const count = Math.min(size, rows - start);
    scope(() => {
      const chunks = samples.map((each) => each.narrow(1, start, count).to('float64').transpose(0, 1).contiguous());
      const parts = Object.entries<Tensor>(compute(...chunks));
      const flat = Float64Array.from(cat(parts.map(([, part]) => part.to('float64').reshape([-1]))).toArray(), Number);
      let at = 0;
      for (const [name, { numel }] of parts) {
        const perRow = numel / count;
        const column = (columns[name as Name] ??= new Float64Array(rows * perRow));
        column.set(flat.subarray(at, at + numel), start * perRow);
        at += numel;
      }
    });
  }
  return columns as Record<Name, Float64Array>;
}

/** @internal sd / √T over dimension 1, by sums alone: libtorch's `std` takes another order for a single row. */
export function standardErrorOf(contributions: Tensor): Tensor {
  const passes = contributions.shape[1] ?? 1;
  const squares = contributions.sub(contributions.mean(1, { keepdim: true })).square();
  return squares
    .sum(1)
    .div(passes * (passes - 1))
    .sqrt();
}
