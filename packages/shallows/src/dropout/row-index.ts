import { type Device, fromTypedArray, type Tensor } from '@shallows/torch';

/** Rows as an index for operators, int64. */
export function fromIndex(rows: readonly number[], device: Device): Tensor {
  return fromTypedArray(BigInt64Array.from(rows, BigInt), [rows.length], { device });
}
