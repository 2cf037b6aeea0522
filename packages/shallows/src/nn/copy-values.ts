import { noGrad, Operator, type Tensor } from '@shallows/torch';

const copy_ = new Operator('aten::_foreach_copy_');

/** @internal Copies values into tensors of the same shapes, cast to their dtype and device: one call for all of them. */
export function copyValues(pairs: readonly (readonly [target: Tensor, source: Tensor])[]): void {
  if (pairs.length === 0) return;
  noGrad(() => copy_.call([pairs.map(([target]) => target), pairs.map(([, source]) => source)]));
}
