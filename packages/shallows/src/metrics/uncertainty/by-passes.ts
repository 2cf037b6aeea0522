import { scope, type Tensor } from '@shallows/torch';
import { classificationUncertainty } from '../../dropout/statistics/classification.js';
import { ShallowsError } from '../../errors.js';
import { type RowValues, sameRows, toClasses } from '../statistics/input.js';
import { spearman } from './spearman.js';

/** How well an uncertainty ranks errors with the first T passes. */
export interface QualityAtPasses {
  readonly passes: number;
  /** Spearman's correlation with the error of the mean prediction of all passes. */
  readonly spearman: number;
}

/** Whether more passes would still rank errors better. */
export interface QualityByPasses {
  /** By rising number of passes. */
  readonly points: readonly QualityAtPasses[];
  /** The correlation rose by more than 0.02 over the last doubling of the passes. */
  readonly tooFewPasses: boolean;
}

/** The statistics of passes that can serve as an uncertainty. */
export type PassUncertainty =
  | 'predictiveEntropy'
  | 'expectedEntropy'
  | 'mutualInformation'
  | 'variationRatio'
  | 'softVariationRatio';

/**
 * Spearman's correlation of an uncertainty with the errors for T, T/2, T/4, … passes, down to two: if it still rises with the
 * last doubling, T is too few.
 *
 * @param samples probabilities `[T, B, C]`, T from 4
 * @param targets classes `[B]`
 * @throws ShallowsError for other inputs
 */
export function qualityByPasses(
  samples: Tensor,
  targets: RowValues,
  measure: PassUncertainty = 'mutualInformation',
): QualityByPasses {
  const [passes = 0, , classes = 0] = samples.shape;
  if (samples.ndim !== 3 || passes < 4) {
    throw new ShallowsError(
      `qualityByPasses: expected probabilities [T, B, C] of at least four passes, got [${samples.shape.join(', ')}] - sample more`,
    );
  }
  const { prediction } = classificationUncertainty(samples);
  const labels = toClasses('qualityByPasses', 'targets', targets, classes);
  sameRows('qualityByPasses', prediction.length, labels.length);
  const wrong = Float64Array.from(prediction, (each, i) => (each === labels[i] ? 0 : 1));
  const points: QualityAtPasses[] = [];
  for (let count = passes; count >= 2; count = Math.floor(count / 2)) {
    const first = scope(() => classificationUncertainty(samples.narrow(0, 0, count)));
    points.unshift({ passes: count, spearman: spearman(first[measure].value, wrong) });
  }
  const [before, last] = [points.at(-2)?.spearman ?? 0, points.at(-1)?.spearman ?? 0];
  return { points, tooFewPasses: last - before > 0.02 };
}
