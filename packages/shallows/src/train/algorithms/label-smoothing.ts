import { full, Operator, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../../errors.js';
import { tokenCrossEntropy } from '../../nn/index.js';
import { Settings } from '../../nn/settings.js';
import type { Algorithm } from '../algorithm.js';

const scatter_ = new Operator('aten::scatter_', 'value');
const unsqueeze = new Operator('aten::unsqueeze');

/** Options of {@link labelSmoothing}. */
export interface LabelSmoothingOptions {
  /** s, the share of each target that is spread evenly over the classes, in [0, 1]. */
  readonly smoothing?: number;
  /** For tokens: targets of this number count for nothing, as in `tokenCrossEntropy`. */
  readonly ignoreIndex?: number;
}

/**
 * Label smoothing: the run minimises its loss with targets t ← (1 − s)·t + s/C; evaluation keeps the plain ones. Targets that are
 * probabilities, of MixUp or CutMix, are smoothed as well. (Szegedy et al. 2016.)
 *
 * A loss of the run's own is given probabilities `[B, C]`. Of a language task the loss becomes `tokenCrossEntropy`, which
 * smooths without a tensor over all words. Default: s 0.1.
 *
 * @throws ShallowsError for a share outside [0, 1]; when the run starts, for a task without classes
 */
export function labelSmoothing({ smoothing = 0.1, ignoreIndex = -100 }: LabelSmoothingOptions = {}): Algorithm {
  new Settings('labelSmoothing')
    .number('smoothing', smoothing, 'from 0 to 1', (value) => value >= 0 && value <= 1)
    .expect(Number.isSafeInteger(ignoreIndex), 'ignoreIndex', 'a whole number', ignoreIndex)
    .check('0.1 spreads a tenth of each target');
  return {
    name: 'label-smoothing',
    options: { smoothing },
    onFitStart(training) {
      const { task } = training.data;
      if (task === 'regression') {
        throw new ShallowsError(
          'labelSmoothing: expected a task with classes, got regression - numbers have no labels',
        );
      }
      const { loss } = training;
      training.loss =
        task === 'language'
          ? (outputs, targets) => tokenCrossEntropy(outputs, targets, { labelSmoothing: smoothing, ignoreIndex })
          : (outputs, targets) => loss(outputs, smoothTargets(targets, outputs.shape[1] ?? 0, smoothing));
    },
  };
}

/**
 * Targets t as (1 − s)·t + s/C.
 *
 * @param targets class numbers, int64 `[B]`, or probabilities `[B, C]`
 * @param classes C
 * @param smoothing s in [0, 1]
 * @returns `[B, C]`
 */
export function smoothTargets(targets: Tensor, classes: number, smoothing: number): Tensor {
  const off = smoothing / classes;
  if (targets.ndim > 1) return targets.mul(1 - smoothing).add(off);
  const soft = full([targets.numel, classes], off, { device: targets.device });
  return scatter_.call([soft, 1, unsqueeze.call([targets, 1]), 1 - smoothing + off]) as Tensor;
}
