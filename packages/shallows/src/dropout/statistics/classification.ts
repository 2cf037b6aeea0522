import { noGrad, scope, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../../errors.js';
import { columnsOfRows, type Estimate, type PassSamples, sampleTensor, standardErrorOf } from './samples.js';

/**
 * What T passes say of the class of each row: p_tc is the probability of class c in pass t, p̄_c its mean, H the entropy in
 * nats. Arrays are `[B]`, but for `mean` and `variance`, which are `[B · C]` row by row.
 */
export interface ClassificationUncertainty {
  readonly passes: number;
  readonly rows: number;
  readonly classes: number;
  /** argmax_c p̄_c; the first of equal ones. */
  readonly prediction: Int32Array;
  /** p̄_c */
  readonly mean: Estimate;
  /** s²_c = Σ_t (p_tc − p̄_c)² / (T − 1) */
  readonly variance: Estimate;
  /** p̄ of the predicted class. */
  readonly confidence: Estimate;
  /** p̄ of the predicted class minus that of the runner-up. */
  readonly margin: Estimate;
  /** H(p̄): all uncertainty. */
  readonly predictiveEntropy: Estimate;
  /** mean_t H(p_t): the part that more training data would not remove. */
  readonly expectedEntropy: Estimate;
  /** max(0, H(p̄) − mean_t H(p_t)) · T / (T − 1): how much the passes disagree, free of the bias 1/T of few passes. */
  readonly mutualInformation: Estimate;
  /** 1 − share of the passes that vote for the most voted class (Freeman 1965), in [0, 1 − 1/C]. */
  readonly variationRatio: Estimate;
  /** 1 − p̄ of the predicted class, in [0, 1 − 1/C]. */
  readonly softVariationRatio: Estimate;
}

/**
 * The uncertainty statistics of T stochastic passes of a classifier, each with its Monte-Carlo standard error.
 *
 * Standard errors are sd / √T of what each pass contributes: p_tc to the mean, −Σ_c p_tc ln p̄_c to H(p̄), H(p_t) to the
 * expected entropy, Σ_c p_tc ln(p_tc / p̄_c) to the mutual information, (p_tc − p̄_c)² to the variance (the delta method), and
 * √(v (1 − v) / (T − 1)) for the variation ratio. Computed by tensor operators in float64, in chunks of 128 MB; on the CPU a
 * row's numbers are the same to the last bit whatever batch it stands in.
 *
 * @param samples probabilities `[T, B, C]`, T and C from 2
 * @throws ShallowsError for other shapes, or rows that are no probabilities
 * @see Gal, "Uncertainty in deep learning", 2016, section 3.3; Houlsby et al. 2011 for the mutual information
 */
export function classificationUncertainty(samples: PassSamples): ClassificationUncertainty {
  return noGrad(() => scope(() => compute(samples)));
}

function compute(samples: PassSamples): ClassificationUncertainty {
  const fn = 'classificationUncertainty';
  const x = sampleTensor(fn, samples, 'probabilities [passes, rows, classes]', [3]);
  const [passes = 0, rows = 0, classes = 0] = x.shape;
  if (classes < 2) {
    throw new ShallowsError(`${fn}: expected at least two classes, got ${classes} - give 1 - p and p for one sigmoid`);
  }
  const columns = columnsOfRows([x], (p) => statisticsOf(p as Tensor));
  const bad = columns.least.findIndex((least, i) => !(least >= 0 && (columns.offSum[i] ?? 1) <= 0.01));
  if (bad >= 0) {
    throw new ShallowsError(
      `${fn}: expected probabilities that add up to 1, got a least value of ${columns.least[bad]} and a sum ${columns.offSum[bad]} off in row ${bad} - apply softmax to logits first`,
    );
  }
  const estimate = (value: Float64Array, standardError: Float64Array): Estimate => ({ value, standardError });
  return {
    passes,
    rows,
    classes,
    prediction: Int32Array.from(columns.prediction),
    mean: estimate(columns.mean, columns.meanError),
    variance: estimate(columns.variance, columns.varianceError),
    confidence: estimate(columns.confidence, columns.confidenceError),
    margin: estimate(columns.margin, columns.marginError),
    predictiveEntropy: estimate(columns.predictiveEntropy, columns.predictiveEntropyError),
    expectedEntropy: estimate(columns.expectedEntropy, columns.expectedEntropyError),
    mutualInformation: estimate(columns.mutualInformation, columns.mutualInformationError),
    variationRatio: estimate(columns.variationRatio, columns.variationRatioError),
    softVariationRatio: estimate(
      columns.confidence.map((p) => 1 - p),
      columns.confidenceError,
    ),
  };
}

/** @param p `[B, T, C]` */
function statisticsOf(p: Tensor) {
  const [rows = 0, passes = 0] = p.shape;
  const unbias = passes / (passes - 1);
  const mean = p.mean(1);
  const squares = p.sub(mean.unsqueeze(1)).square();
  const variance = squares.sum(1).div(passes - 1);

  const top = mean.argmax(1, { keepdim: true });
  const runnerUp = mean.scatter(1, top, Number.NEGATIVE_INFINITY).argmax(1, { keepdim: true });
  const of = (index: Tensor): Tensor => p.gather(2, index.unsqueeze(1).expand([rows, passes, 1])).squeeze(2);
  const margin = of(top).sub(of(runnerUp));

  // xlogy is 0 where p is 0, and p̄ is 0 only where every pass is.
  const ownEntropy = p.xlogy(p).sum(2).neg();
  const crossEntropy = p.xlogy(mean.unsqueeze(1)).sum(2).neg();
  const divergence = crossEntropy.sub(ownEntropy);

  const votes = p.argmax(2);
  const counts = mean.mul(0).scatterAdd(1, votes, ownEntropy.mul(0).add(1));
  const variationRatio = counts.amax(1).div(passes).rsub(1);
  return {
    least: p.amin([1, 2]),
    offSum: p.sum(2).sub(1).abs().amax(1),
    prediction: top.squeeze(1),
    mean,
    meanError: variance.div(passes).sqrt(),
    variance,
    varianceError: standardErrorOf(squares).mul(unbias),
    confidence: mean.gather(1, top).squeeze(1),
    confidenceError: standardErrorOf(of(top)),
    margin: margin.mean(1),
    marginError: standardErrorOf(margin),
    // The mean of the cross entropies with the mean is its entropy, and that of the divergences the mutual information.
    predictiveEntropy: crossEntropy.mean(1),
    predictiveEntropyError: standardErrorOf(crossEntropy),
    expectedEntropy: ownEntropy.mean(1),
    expectedEntropyError: standardErrorOf(ownEntropy),
    mutualInformation: divergence.mean(1).clampMin(0).mul(unbias),
    mutualInformationError: standardErrorOf(divergence).mul(unbias),
    variationRatio,
    variationRatioError: variationRatio
      .mul(variationRatio.rsub(1))
      .clampMin(0)
      .div(passes - 1)
      .sqrt(),
  };
}
