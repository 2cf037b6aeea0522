import { Operator, type Tensor } from '@shallows/torch';
import { meanOver } from './mean-over.js';

const select = new Operator('aten::select', 'int');
const narrow = new Operator('aten::narrow');
const cat = new Operator('aten::cat');
const sum = new Operator('aten::sum', 'dim_IntList');
const sub = new Operator('aten::sub', 'Scalar');
const clampMin = new Operator('aten::clamp_min');
const reshape = new Operator('aten::reshape');
const expand = new Operator('aten::expand');
const gather = new Operator('aten::gather');
const squeeze = new Operator('aten::squeeze', 'dim');

/** What is read of the steps of a sequence: the last one, the mean over all, or each by itself. */
export type SequenceReading = 'last' | 'mean' | 'each';

/** @internal What a head reads of the steps `[B, T, directions · hidden]`: `[B, …]`, and all of them for `each`. */
export function readSteps(
  steps: Tensor,
  read: SequenceReading,
  present: Tensor | null,
  { bidirectional, hidden }: { readonly bidirectional: boolean; readonly hidden: number },
): Tensor {
  if (read === 'each') return steps;
  if (read === 'mean') return meanOver(steps, present);
  if (!bidirectional) return lastStep(steps, present);
  // The second direction ends at the first step.
  const forwards = lastStep(narrow.call([steps, 2, 0, hidden]) as Tensor, present);
  return cat.call([[forwards, select.call([narrow.call([steps, 2, hidden, hidden]), 1, 0])], 1]) as Tensor;
}

/** The last step, or the last one that is present; the first where none is. */
function lastStep(steps: Tensor, present: Tensor | null): Tensor {
  if (present === null) return select.call([steps, 1, -1]) as Tensor;
  const [batch = 0, , features = 0] = steps.shape;
  const last = clampMin.call([sub.call([sum.call([present, [1]]), 1]), 0]);
  const index = expand.call([reshape.call([last, [batch, 1, 1]]), [batch, 1, features]]);
  return squeeze.call([gather.call([steps, 1, index]), 1]) as Tensor;
}
