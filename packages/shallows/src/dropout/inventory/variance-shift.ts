import { isTensor, noGrad, Operator, scope, type Tensor } from '@shallows/torch';
import type { AnyModule } from '../../nn/module.js';
import { Buffer } from '../../nn/parameter.js';
import { evaluation, type Pass } from '../../nn/pass.js';
import type { VarianceShift } from './inventory-types.js';
import { withQuietDraws } from './quiet-draws.js';
import { watchModules } from './watch-modules.js';

const variance = new Operator('aten::var', 'dim');
const div = new Operator('aten::div', 'Tensor');
const log = new Operator('aten::log');
const mean = new Operator('aten::mean');
const toDType = new Operator('aten::to', 'dtype');

/**
 * Measures how far the running variance of batch norms is from the variance of what they are given in evaluation: with
 * dropout before them the one was learnt on other activations than the other meets. A ratio outside [0.8, 1.25] is a shift.
 *
 * @param paths of the batch norms
 * @see Li et al., "Understanding the disharmony between dropout and batch normalization by variance shift", CVPR 2019
 */
export function varianceShifts(
  model: AnyModule,
  forward: (pass: Pass) => unknown,
  paths: ReadonlySet<string>,
): readonly VarianceShift[] {
  const found = new Map<string, VarianceShift>();
  const watcher = {
    entered: (path: string, module: AnyModule, [x]: readonly unknown[]) => {
      if (paths.has(path) && isTensor(x) && !found.has(path)) found.set(path, shiftOf(path, module, x));
      return () => {};
    },
    left: () => {},
  };
  const run = (): unknown =>
    withQuietDraws(
      () => {},
      () => forward(evaluation),
    );
  noGrad(() => scope(() => void watchModules(model, watcher, run)));
  return [...paths].map((path) => found.get(path) ?? { path, ratio: null, values: 0 });
}

function shiftOf(path: string, module: AnyModule, x: Tensor): VarianceShift {
  const [, channels = 1] = x.shape;
  const values = x.numel / channels;
  const running: unknown = Reflect.get(module, 'runningVar');
  const tracked: unknown = Reflect.get(module, 'numBatchesTracked');
  const isTrained = !(tracked instanceof Buffer) || Number(tracked.item()) > 0;
  if (!(running instanceof Buffer) || !isTrained || values < 2) return { path, ratio: null, values };
  const ratio = scope(() => {
    const wide = toDType.call([x, 'float64']);
    const measured = variance.call([wide, x.shape.flatMap((_, i) => (i === 1 ? [] : [i]))]);
    const logs = log.call([div.call([running, measured])]);
    return Math.exp(Number((mean.call([logs]) as Tensor).item()));
  });
  return { path, ratio: Number.isFinite(ratio) ? ratio : null, values };
}
