import type { DType } from '../dtype.js';
import type { Tensor } from '../tensor.js';

const cast =
  (dtype: DType) =>
  (self: Tensor): Tensor =>
    self.to(dtype);

/** Conversions by PyTorch's short names. */
export const casts = {
  /** float32 */
  float: cast('float32'),
  /** float64 */
  double: cast('float64'),
  /** float16 */
  half: cast('float16'),
  bfloat16: cast('bfloat16'),
  /** int32 */
  int: cast('int32'),
  /** int64 */
  long: cast('int64'),
  bool: cast('bool'),
  cpu: (self: Tensor): Tensor => self.to('cpu'),
};
