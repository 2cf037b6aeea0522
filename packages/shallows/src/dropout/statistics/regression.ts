import { noGrad, scope, type Tensor } from '@shallows/torch';
import { ShallowsError, shown } from '../../errors.js';
import { columnsOfRows, type Estimate, type PassSamples, sampleTensor, standardErrorOf } from './samples.js';

/**
 * What T passes say of the values of each row: μ_t is the output of pass t, σ²_t the noise variance it predicts. Arrays are
 * `[B · K]` for K outputs a row.
 */
export interface RegressionUncertainty {
  readonly passes: number;
  readonly rows: number;
  readonly outputs: number;
  /** μ̄ = mean_t μ_t */
  readonly mean: Estimate;
  /** Σ_t (μ_t − μ̄)² / (T − 1): how much the passes disagree. */
  readonly epistemic: Estimate;
  /** mean_t σ²_t: the noise that the network predicts; 0 where it predicts none. */
  readonly aleatoric: Estimate;
  /** 1/τ: the variance of noise that is the same for all rows; 0 unless given. */
  readonly noise: number;
  /** Epistemic + aleatoric + noise: the variance of a prediction. */
  readonly total: Estimate;
}

/** What a regression model says of noise. */
export interface RegressionNoise {
  /** σ²_t, shaped as the means, for a network that predicts a variance. */
  readonly variances?: PassSamples | null;
  /** τ = 1 / variance of noise that is the same for all rows, above 0. */
  readonly precision?: number | null;
}

/**
 * The uncertainty statistics of T stochastic passes of a regression model, each with its Monte-Carlo standard error.
 *
 * Standard errors are sd / √T of what each pass contributes: μ_t, (μ_t − μ̄)² · T / (T − 1), σ²_t, and the sum of the last two.
 * On the CPU a row's numbers do not depend on the batch it stands in.
 *
 * @param means `[T, B]` or `[T, B, K]`, T from 2
 * @throws ShallowsError for other shapes, values that are not finite, a negative variance or a precision of 0 or less
 * @see Kendall and Gal, "What uncertainties do we need in Bayesian deep learning for computer vision?", 2017
 */
export function regressionUncertainty(means: PassSamples, options: RegressionNoise = {}): RegressionUncertainty {
  return noGrad(() => scope(() => compute(means, options)));
}

function compute(means: PassSamples, { variances = null, precision = null }: RegressionNoise): RegressionUncertainty {
  const fn = 'regressionUncertainty';
  const x = sampleTensor(fn, means, 'means [passes, rows] or [passes, rows, outputs]', [2, 3]);
  if (precision !== null && !(precision > 0)) {
    throw new ShallowsError(`${fn}: expected a precision above 0, got ${shown(precision)} - give 1 / variance`);
  }
  const spread = variances === null ? null : sampleTensor(fn, variances, 'variances, shaped as the means', [2, 3]);
  if (spread !== null && spread.shape.join() !== x.shape.join()) {
    throw new ShallowsError(
      `${fn}: expected variances [${x.shape.join(', ')}], as the means, got [${spread.shape.join(', ')}] - give one a mean`,
    );
  }
  const columns = columnsOfRows(spread === null ? [x] : [x, spread.to(x.device)], (mu, sigma) =>
    statisticsOf(mu as Tensor, sigma ?? null),
  );
  const bad = columns.total.findIndex(
    (total, i) => !(Number.isFinite(total) && Number.isFinite(columns.mean[i]) && (columns.leastVariance[i] ?? 0) >= 0),
  );
  if (bad >= 0) {
    throw new ShallowsError(
      `${fn}: expected finite means and variances from 0, got others in row ${Math.floor((bad * (x.shape[1] ?? 1)) / columns.total.length)} - look for NaN in the model`,
    );
  }
  const [passes = 0, rows = 0, outputs = 1] = x.shape;
  const noise = precision === null ? 0 : 1 / precision;
  return {
    passes,
    rows,
    outputs,
    mean: { value: columns.mean, standardError: columns.meanError },
    epistemic: { value: columns.epistemic, standardError: columns.epistemicError },
    aleatoric: { value: columns.aleatoric, standardError: columns.aleatoricError },
    noise,
    total: { value: columns.total.map((variance) => variance + noise), standardError: columns.totalError },
  };
}

/** @param mu `[B, T]` or `[B, T, K]`, as `sigma`, which holds variances */
function statisticsOf(mu: Tensor, sigma: Tensor | null) {
  const [, passes = 0] = mu.shape;
  const mean = mu.mean(1);
  const squares = mu
    .sub(mean.unsqueeze(1))
    .square()
    .mul(passes / (passes - 1));
  const noise = sigma ?? mu.mul(0);
  const epistemic = squares.mean(1);
  const aleatoric = noise.mean(1);
  return {
    mean,
    meanError: standardErrorOf(mu),
    epistemic,
    epistemicError: standardErrorOf(squares),
    aleatoric,
    aleatoricError: standardErrorOf(noise),
    leastVariance: noise.amin(1),
    total: epistemic.add(aleatoric),
    totalError: standardErrorOf(squares.add(noise)),
  };
}
