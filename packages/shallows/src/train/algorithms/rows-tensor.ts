import { type Device, fromTypedArray, type Tensor } from '@shallows/torch';

/** Numbers of rows as a tensor that selects them: int32 `[B]`. */
export function rowsTensor({ buffer, byteOffset, length }: Uint32Array, device: Device): Tensor {
  return fromTypedArray(new Int32Array(buffer, byteOffset, length), [length], { device });
}
