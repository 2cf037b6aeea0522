import { Operator, type Tensor } from '@shallows/torch';

const toDType = new Operator('aten::to', 'dtype');
const sum = new Operator('aten::sum', 'dim_IntList');
const clampMin_ = new Operator('aten::clamp_min_');
const div = new Operator('aten::div', 'Tensor');
const unsqueeze = new Operator('aten::unsqueeze');
const squeeze = new Operator('aten::squeeze', 'dim');
const bmm = new Operator('aten::bmm');
const mean = new Operator('aten::mean', 'dim');

/** @internal The mean of the vectors `[B, T, dim]` that are present, `[B, dim]`; 0 where none is. */
export function meanOver(y: Tensor, present: Tensor | null): Tensor {
  if (present === null) return mean.call([y, [1]]) as Tensor;
  const ones = toDType.call([present, y.dtype]);
  const counts = clampMin_.call([sum.call([ones, [1], true]), 1]);
  const weights = unsqueeze.call([div.call([ones, counts]), 1]);
  return squeeze.call([bmm.call([weights, y]), 1]) as Tensor;
}
