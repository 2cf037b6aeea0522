import { Operator, type Tensor } from '@shallows/torch';
import type { Batch } from '../data/index.js';

const narrow = new Operator('aten::narrow');

/** Some neighbouring rows of a batch. */
export interface Microbatch {
  readonly inputs: Tensor;
  readonly targets: Tensor;
  /** Number of its first row in the batch. */
  readonly firstRow: number;
  readonly rows: number;
}

/**
 * The rows of each of `count` parts of a batch: neighbours, as equal in number as can be, the larger ones first. A batch of
 * fewer rows has a part a row, one without rows none.
 */
export function partRows(rows: number, count: number): readonly { readonly firstRow: number; readonly rows: number }[] {
  const parts = Math.min(count, rows);
  if (parts === 0) return [];
  const least = Math.floor(rows / parts);
  const larger = rows % parts;
  return Array.from({ length: parts }, (_, i) => ({
    firstRow: i * least + Math.min(i, larger),
    rows: least + (i < larger ? 1 : 0),
  }));
}

/** The parts of a batch, as views. */
export function microbatches(
  { inputs, targets, size }: Pick<Batch, 'inputs' | 'targets' | 'size'>,
  count: number,
): readonly Microbatch[] {
  if (count === 1 && size > 0) return [{ inputs, targets, firstRow: 0, rows: size }];
  return partRows(size, count).map(({ firstRow, rows }) => ({
    inputs: narrow.call([inputs, 0, firstRow, rows]) as Tensor,
    targets: narrow.call([targets, 0, firstRow, rows]) as Tensor,
    firstRow,
    rows,
  }));
}
