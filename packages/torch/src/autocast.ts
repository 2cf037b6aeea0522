import type { Device, DType } from './dtype.js';
import { TorchError } from './errors.js';
import { native } from './native.js';
import { attempt } from './tensor.js';

/** The dtypes that autocast computes in. */
export type AutocastDType = Extract<DType, 'bfloat16' | 'float16'>;

/** Options of {@link autocast}. */
export interface AutocastOptions {
  /** What products and convolutions are computed in; `null` turns autocast off inside. */
  readonly dtype: AutocastDType | null;
  /** The kind of device whose operators it is about; `cpu` unless said otherwise. */
  readonly device?: Device;
}

/**
 * Runs `fn` under libtorch's autocast: products and convolutions cast their inputs to 16 bits, operators that would lose
 * by it run in float32, and the rest takes what comes. Weights stay what they are; each is cast once and kept until the
 * outermost autocast ends. Run the backward pass outside: it follows the dtypes of the forward pass.
 *
 * @throws TorchError for another dtype, an asynchronous function, or a libtorch before 2.4
 * @see https://docs.pytorch.org/docs/stable/amp.html
 */
export function autocast<T>({ dtype, device = 'cpu' }: AutocastOptions, fn: () => T): T {
  if (dtype !== null && dtype !== 'bfloat16' && dtype !== 'float16') {
    throw new TorchError(`autocast: expected a dtype of bfloat16, float16 or null, got ${String(dtype)}`);
  }
  const before = attempt(() => native().enterAutocast(device, dtype ?? ''));
  try {
    const result = fn();
    if (typeof result === 'object' && result !== null && 'then' in result && typeof result.then === 'function') {
      throw new TorchError('autocast: expected a synchronous function, got one that returns a promise - await outside');
    }
    return result;
  } finally {
    native().leaveAutocast(device, before.enabled, before.dtype);
  }
}

/** The dtype that autocast computes in here; null where it is off. */
export function autocastDType(device: Device = 'cpu'): AutocastDType | null {
  const dtype = attempt(() => native().autocastState(device));
  return dtype === 'bfloat16' || dtype === 'float16' ? dtype : null;
}
