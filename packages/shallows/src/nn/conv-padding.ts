import { Operator, type Tensor } from '@shallows/torch';

const pad = new Operator('aten::pad');

/** What stands around the edges: zeros, the picture mirrored without its edge, the edge repeated, the opposite side. */
export type PaddingMode = 'zeros' | 'reflect' | 'replicate' | 'circular';

/** @internal The words of {@link PaddingMode}. */
export const paddingModes: readonly PaddingMode[] = ['zeros', 'reflect', 'replicate', 'circular'];

/** @internal x with so many places added on each side of its last dimensions. */
export function padded(x: Tensor, mode: Exclude<PaddingMode, 'zeros'>, padding: readonly number[]): Tensor {
  // libtorch counts from the last dimension.
  const sides = [...padding].reverse().flatMap((size) => [size, size]);
  return pad.call([x, sides, mode]) as Tensor;
}
