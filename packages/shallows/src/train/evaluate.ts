import { type Device, noGrad, scope } from '@shallows/torch';
import type { Dataset, Normalisation } from '../data/index.js';
import type { Metrics } from '../metrics/index.js';
import { evaluation, type Module, type Pass } from '../nn/index.js';
import { type Objective, objectiveOf } from './objective.js';
import type { Parallel } from './parallel.js';
import { deviceOf, placed } from './placement.js';
import { inPrecision, type Precision } from './precision.js';

/** Options of {@link evaluateModel}. */
export interface EvaluateOptions {
  /** Rows of a batch, on this rank. */
  readonly batchSize?: number;
  /** Only the first rows. */
  readonly rows?: number;
  /** How the model is evaluated, such as by a pass of `skipSites`. */
  readonly pass?: Pass;
  readonly precision?: Precision;
  /** Where the model is; found out unless given. */
  readonly device?: Device;
  /** Whether pictures are given to the model with their channels innermost in memory. */
  readonly channelsLast?: boolean;
  /** What is measured; that of the dataset's task unless given. */
  readonly objective?: Objective;
  /** Ranks that measure a part of the rows each; all of them get the metrics of all rows. */
  readonly parallel?: Parallel | null;
  /** Pictures alone: mean and deviation in place of the dataset's own. */
  readonly normalise?: Normalisation;
}

/**
 * The metrics of a model over a set, in evaluation mode: nothing drops, batch norm uses its running statistics, pictures
 * are not augmented, the loss is the plain one. Reads results back once, at the end.
 *
 * @throws ShallowsError for outputs that do not fit the task
 */
export async function evaluateModel(
  model: Module,
  dataset: Dataset,
  {
    batchSize = 256,
    rows = dataset.size,
    pass = evaluation,
    precision = 'float32',
    device = deviceOf(model),
    channelsLast = false,
    objective = objectiveOf(dataset),
    parallel = null,
    normalise,
  }: EvaluateOptions = {},
): Promise<Metrics> {
  const ranks = parallel?.size ?? 1;
  const source = dataset.batches({
    batchSize: batchSize * ranks,
    rows,
    ...(parallel === null ? {} : { shard: { rank: parallel.rank, size: ranks } }),
    ...(normalise === undefined ? {} : { normalise }),
  });
  const meter = objective.meters.create();
  try {
    for (let i = 0; i < source.length; i++) {
      await source.prepare?.(i);
      noGrad(() =>
        scope(() => {
          const { inputs, targets, size } = source.at(i);
          if (size === 0) return;
          const place = { device, channelsLast };
          const x = placed(inputs, place);
          meter.add(
            inPrecision(precision, device, () => model.forward(x, pass)),
            placed(targets, place),
          );
        }),
      );
    }
  } catch (error) {
    meter.take();
    throw error;
  } finally {
    await source.close?.();
  }
  const sums = meter.take();
  return objective.meters.metrics(parallel === null ? sums : await parallel.sum(sums));
}
