import { autocast, type Device, type Tensor } from '@shallows/torch';

/**
 * What most of the computation is done in. `float32`: everything. `bfloat16`, `float16`: libtorch's autocast, which runs
 * products and convolutions in 16 bits and keeps weights, sums and losses in 32; `float16` with dynamic loss scaling.
 */
export type Precision = 'float32' | 'bfloat16' | 'float16';

/** The words of {@link Precision}. */
export const precisions: readonly Precision[] = Object.freeze(['float32', 'bfloat16', 'float16']);

/** Runs a forward pass in a precision. Outputs of 16 bits come back in float32, so that losses are taken of those. */
export function inPrecision(precision: Precision, device: Device, forward: () => Tensor): Tensor {
  if (precision === 'float32') return forward();
  const outputs = autocast({ dtype: precision, device }, forward);
  const { dtype } = outputs;
  return dtype === 'bfloat16' || dtype === 'float16' ? outputs.to('float32') : outputs;
}
