import { fromTypedArray } from '@shallows/torch';
import type { Dataset } from '../../data/index.js';
import {
  type Estimate,
  intervalCoverage,
  monteCarlo,
  type PassFacts,
  predictionIntervals,
  type RegressionUncertainty,
} from '../../dropout/index.js';
import type { Module } from '../../nn/index.js';
import type { CoverageRow, RegressionPasses } from '../../track/index.js';
import { objectiveOf } from '../../train/index.js';
import { eachBatch } from './each-batch.js';
import type { EvaluationRequest } from './request.js';
import { GrowingEstimate, rankingOf } from './summaries.js';
import { GrowingTable } from './table.js';

/** Rows at a time, T times each. */
const BATCH = 64;
const LEVELS = [0.5, 0.8, 0.9, 0.95];

/**
 * Runs a regression model over a set, as often at random as is asked for.
 *
 * @param noise variance of the noise of a target: the passes alone know nothing of it
 */
export async function regress(
  model: Module,
  dataset: Dataset,
  { passes, seed = 0, batchSize = BATCH }: NonNullable<EvaluationRequest['monteCarlo']>,
  noise: number,
): Promise<RegressionPasses> {
  const [mean, epistemic, targets] = [new GrowingEstimate(), new GrowingEstimate(), new GrowingTable()];
  let facts: PassFacts | null = null;
  await eachBatch(dataset, batchSize, (batch) => {
    using result = monteCarlo(model, batch.inputs, { passes, seed, requests: [...batch.indices], output: 'values' });
    facts ??= result.facts;
    const uncertainty = result.regression as RegressionUncertainty;
    mean.add(uncertainty.mean);
    epistemic.add(uncertainty.epistemic);
    targets.add(batch.targets);
  });
  const { split, together, why } = facts as unknown as PassFacts;
  const [means, spread, truth] = [mean.values(), epistemic.values(), targets.values()];
  const outputs = truth.length / dataset.size;
  const { meters } = objectiveOf(dataset);
  const meter = meters.create();
  using predicted = fromTypedArray(means, [dataset.size, outputs]);
  using wanted = fromTypedArray(truth, [dataset.size, outputs]);
  meter.add(predicted, wanted);
  return {
    task: 'regression',
    rows: dataset.size,
    metrics: meters.metrics(meter.take()),
    epistemic: epistemic.summary(),
    noise,
    coverage: [
      ...coverageOf('passes', { mean: means, variance: spread }, truth),
      ...coverageOf('passes and noise', { mean: means, variance: spread.map((each) => each + noise) }, truth),
    ],
    rankings: [
      rankingOf(
        'standard deviation of the passes',
        byRow(spread, outputs).map(Math.sqrt),
        byRow(
          means.map((each, i) => Math.abs(each - (truth[i] ?? 0))),
          outputs,
        ),
      ),
    ],
    run: { split, together, why },
  };
}

function coverageOf(
  from: string,
  { mean, variance }: { readonly mean: Float64Array; readonly variance: Float64Array },
  truth: Float64Array,
): CoverageRow[] {
  const known = (value: Float64Array): Estimate => ({ value, standardError: new Float64Array(value.length) });
  return LEVELS.map((level) => {
    const intervals = predictionIntervals({ mean: known(mean), total: known(variance) }, level);
    const { coverage, interval, width, verdict } = intervalCoverage(intervals, truth);
    return { from, level, coverage, interval, width, verdict };
  });
}

/** The mean over the outputs of a row. */
function byRow(values: Float64Array, outputs: number): Float64Array {
  return Float64Array.from({ length: values.length / outputs }, (_, row) => {
    const own = values.subarray(row * outputs, (row + 1) * outputs);
    return own.reduce((sum, each) => sum + each, 0) / outputs;
  });
}
