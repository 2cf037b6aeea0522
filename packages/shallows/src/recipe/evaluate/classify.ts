import { fromTypedArray } from '@shallows/torch';
import type { Dataset } from '../../data/index.js';
import { type ClassificationUncertainty, monteCarlo, type PassFacts } from '../../dropout/index.js';
import { compareUncertainties, type Metrics, topLabel } from '../../metrics/index.js';
import type { Module, Pass } from '../../nn/index.js';
import type { ClassificationPasses } from '../../track/index.js';
import { objectiveOf } from '../../train/index.js';
import { eachBatch } from './each-batch.js';
import { mostUncertain } from './most-uncertain.js';
import type { EvaluationRequest } from './request.js';
import { GrowingEstimate, histogramOf, rankingOf } from './summaries.js';
import { GrowingTable } from './table.js';

/** Rows at a time, T times each. */
const BATCH = 64;
/** The probability that stands for 0 under a logarithm. */
const LEAST = 1e-30;

/** What a classifier says of every row of a set. */
export interface Predictions {
  readonly classes: number;
  readonly targets: Int32Array;
  /** Of the plain model, `[N · C]`. */
  readonly logits: Float64Array;
  /** The mean of the passes, `[N · C]`; null without them. */
  readonly mean: Float64Array | null;
  readonly passes: ClassificationPasses | null;
}

/** Runs a classifier over a set, plain and as often at random as is asked for. */
export async function classify(
  model: Module,
  dataset: Dataset,
  { monteCarlo: asked }: EvaluationRequest,
  pass: Pass,
): Promise<Predictions> {
  const [logits, mean, targets] = [new GrowingTable(), new GrowingTable(), new GrowingTable()];
  const collected = statistics();
  const predictions: number[] = [];
  let facts: PassFacts | null = null;
  await eachBatch(dataset, asked?.batchSize ?? BATCH, (batch) => {
    logits.add(model.forward(batch.inputs, pass));
    targets.add(batch.targets);
    if (asked === undefined) return;
    const { passes, seed = 0 } = asked;
    using result = monteCarlo(model, batch.inputs, { passes, seed, requests: [...batch.indices] });
    facts ??= result.facts;
    const uncertainty = result.classification as ClassificationUncertainty;
    for (const [name, each] of Object.entries(collected)) each.add(uncertainty[name as keyof typeof collected]);
    mean.add(uncertainty.mean.value);
    predictions.push(...uncertainty.prediction);
  });
  const labels = Int32Array.from(targets.values());
  const plain = logits.values();
  const classes = plain.length / labels.length;
  const found = { classes, targets: labels, logits: plain };
  if (asked === undefined || facts === null) return { ...found, mean: null, passes: null };

  const chosen = Int32Array.from(predictions);
  const wrong = Float64Array.from(labels, (label, row) => (label === chosen[row] ? 0 : 1));
  const { confidence, correct } = topLabel(probabilitiesOf(plain, classes), labels);
  const unsure = confidence.map((p) => 1 - p);
  const [entropy, information] = [collected.predictiveEntropy.values(), collected.mutualInformation.values()];
  const wrongRows = wrong.reduce((sum, each) => sum + each, 0);
  const { split, together, why } = facts as PassFacts;
  return {
    ...found,
    mean: mean.values(),
    passes: {
      task: 'classification',
      rows: labels.length,
      metrics: metricsOf(dataset, mean.values(), labels, classes),
      predictiveEntropy: collected.predictiveEntropy.summary(),
      expectedEntropy: collected.expectedEntropy.summary(),
      mutualInformation: collected.mutualInformation.summary(),
      variationRatio: collected.variationRatio.summary(),
      rankings: [
        rankingOf('predictive entropy', entropy, wrong),
        rankingOf('mutual information', information, wrong),
        rankingOf('1 − highest mean probability', collected.softVariationRatio.values(), wrong),
      ],
      baseline: rankingOf(
        '1 − highest probability',
        unsure,
        Float64Array.from(correct, (each) => 1 - each),
      ),
      againstBaseline: wrongRows === 0 || wrongRows === wrong.length ? null : comparison(entropy, unsure, wrong),
      entropyHistogram: histogramOf(entropy, wrong, Math.log(classes)),
      mostUncertain: mostUncertain(dataset, {
        targets: labels,
        predictions: chosen,
        confidence: collected.confidence.values(),
        entropy,
        mutualInformation: information,
      }),
      run: { split, together, why },
    },
  };
}

function statistics() {
  return {
    confidence: new GrowingEstimate(),
    predictiveEntropy: new GrowingEstimate(),
    expectedEntropy: new GrowingEstimate(),
    mutualInformation: new GrowingEstimate(),
    variationRatio: new GrowingEstimate(),
    softVariationRatio: new GrowingEstimate(),
  };
}

function comparison(
  candidate: Float64Array,
  baseline: Float64Array,
  wrong: Float64Array,
): NonNullable<ClassificationPasses['againstBaseline']> {
  const { difference, bca, verdict, ...values } = compareUncertainties(candidate, baseline, wrong);
  return { candidate: values.candidate, baseline: values.baseline, difference, bca, verdict };
}

/** softmax of logits, row by row. */
export function probabilitiesOf(logits: Float64Array, classes: number) {
  using z = fromTypedArray(logits, [logits.length / classes, classes]);
  using p = z.softmax(1);
  return { values: Float64Array.from(p.toArray(), Number), rows: logits.length / classes, columns: classes };
}

/** Logits whose softmax are these probabilities. */
export function logitsOf(probabilities: Float64Array): Float64Array {
  return probabilities.map((p) => Math.log(Math.max(p, LEAST)));
}

function metricsOf(dataset: Dataset, mean: Float64Array, labels: Int32Array, classes: number): Metrics {
  const { meters } = objectiveOf(dataset);
  const meter = meters.create();
  using outputs = fromTypedArray(logitsOf(mean), [labels.length, classes]);
  using targets = fromTypedArray(BigInt64Array.from(labels, BigInt), [labels.length]);
  meter.add(outputs, targets);
  return meters.metrics(meter.take());
}
