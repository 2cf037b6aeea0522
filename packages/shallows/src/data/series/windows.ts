import { createHash } from 'node:crypto';
import { fromTypedArray, Operator, ops, scope, type Tensor } from '@shallows/torch';
import { ShallowsError, shown } from '../../errors.js';
import { batchPlan, refusePictureOptions, rowPicker } from '../batch-plan.js';
import type { Limit } from '../config.js';
import type { BatchOptions, Dataset } from '../dataset.js';
import { type DataSplits, dataSplits, sharedDisposal } from '../splits.js';
import { Moments } from '../tabular/moments.js';

/** How a series is cut into rows. */
export interface WindowOptions {
  /** Steps that a model sees, W. */
  readonly input: number;
  /** Steps after them that are forecast, H. */
  readonly horizon: number;
  /** Steps from the start of one row to that of the next; 1 unless given. */
  readonly stride?: number | undefined;
  /** Share of the steps, the last ones, that validate; 0.2 unless given. */
  readonly validationShare?: number | undefined;
  /** Whether each channel gets mean 0 and deviation 1 over the training steps; true unless given. */
  readonly standardise?: boolean | undefined;
  readonly limit?: Limit | undefined;
}

/** Several quantities over time. */
export interface Series {
  /** `[steps, channels]`, row-major */
  readonly values: Float64Array;
  readonly channels: readonly string[];
  /** Which of the channels are forecast, in order. */
  readonly targets: readonly number[];
}

const fn = 'seriesWindows';
const select = new Operator('aten::index_select');
const narrow = new Operator('aten::narrow');

/**
 * Cuts a series into rows: W steps of all channels `[W, C]`, and the H steps after them of the forecast channels, `[H · C′]`,
 * step by step.
 *
 * The split is by time. Training rows end before the validation steps begin; a validation row forecasts validation steps
 * alone, from steps that may lie before them. Mean and deviation are those of the training steps; targets are scaled alike.
 *
 * @throws ShallowsError for options out of range, or a series too short for one row on either side
 */
export function seriesWindows(name: string, series: Series, options: WindowOptions): DataSplits {
  const { input, horizon, stride = 1, validationShare = 0.2, standardise = true, limit = {} } = options;
  for (const [key, value] of Object.entries({ input, horizon, stride })) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw new ShallowsError(`${fn}: expected a whole number from 1 as ${key}, got ${shown(value)} - correct it`);
  }
  if (!(validationShare > 0 && validationShare < 1))
    throw new ShallowsError(
      `${fn}: expected a validationShare between 0 and 1, got ${shown(validationShare)} - 0.2 is usual`,
    );
  const width = series.channels.length;
  const steps = series.values.length / width;
  const cut = Math.round(steps * (1 - validationShare));
  const moments = series.channels.map(() => new Moments());
  for (let i = 0; i < cut * width; i++) moments[i % width]?.add(series.values[i] ?? Number.NaN);
  const mean = moments.map((each) => (standardise ? each.mean : 0));
  const std = moments.map((each) => (standardise ? each.std : 1));
  const scaled = Float32Array.from(
    series.values,
    (value, i) => (value - (mean[i % width] ?? 0)) / (std[i % width] ?? 1),
  );
  const parts = [
    { part: 'train', first: 0, end: cut },
    { part: 'validation', first: Math.max(0, cut - input), end: steps },
  ] as const;
  for (const { part, first, end } of parts) {
    if (end - first < input + horizon || (part === 'validation' && end - cut < horizon)) {
      const got = `${part === 'train' ? cut : steps - cut} for ${part}`;
      throw new ShallowsError(
        `${fn}: expected at least ${part === 'train' ? input + horizon : horizon} of the ${steps} steps of ${name} on each side, ` +
          `got ${got} - write a smaller input, horizon or validationShare`,
      );
    }
  }
  const values = fromTypedArray(scaled, [steps, width]);
  const disposals = sharedDisposal(2, () => values.dispose());
  const [train, validation] = parts.map(({ part, first, end }, i) =>
    windows({
      name: `${name}/${part}`,
      values,
      dispose: disposals[i] ?? (() => {}),
      digest: digestOf(series, part, cut, steps),
      targets: series.targets,
      first,
      end,
      input,
      horizon,
      stride,
      most: limit[part] ?? Number.POSITIVE_INFINITY,
    }),
  ) as [Dataset, Dataset];
  const { channels, targets } = series;
  return dataSplits(train, validation, {
    channels,
    targets: targets.map((channel) => channels[channel] ?? ''),
    mean,
    std,
    input,
    horizon,
  });
}

/** SHA-256 of a header line (channels, targets, steps) and the values as little-endian float64 of the steps of the part. */
function digestOf(
  { values, channels, targets }: Series,
  part: 'train' | 'validation',
  cut: number,
  steps: number,
): string {
  const [from, to] = part === 'train' ? [0, cut] : [cut, steps];
  const width = channels.length;
  return createHash('sha256')
    .update(`${JSON.stringify({ task: 'regression', channels, targets, steps: to - from })}\n`)
    .update(new Uint8Array(values.buffer, values.byteOffset + 8 * from * width, 8 * (to - from) * width))
    .digest('hex');
}

interface Windows {
  readonly name: string;
  readonly values: Tensor;
  readonly dispose: () => void;
  readonly digest: string;
  readonly targets: readonly number[];
  readonly first: number;
  readonly end: number;
  readonly input: number;
  readonly horizon: number;
  readonly stride: number;
  readonly most: number;
}

function windows({
  name,
  values,
  dispose,
  digest,
  targets,
  first,
  end,
  input,
  horizon,
  stride,
  most,
}: Windows): Dataset {
  const whole = Math.floor((end - first - input - horizon) / stride) + 1;
  const channels = values.shape[1] ?? 0;
  const wanted = targets.length === channels && targets.every((channel, i) => channel === i) ? null : targets;
  const dataset: Dataset = Object.freeze({
    name,
    task: 'regression',
    size: Math.min(whole, most),
    digest,
    inputShape: Object.freeze([input, channels]),
    inputDtype: 'float32',
    targetShape: Object.freeze([horizon * targets.length]),
    classes: null,
    classCounts: null,
    vocabulary: null,
    segmentCounts: null,
    batches: (options: BatchOptions) => {
      refusePictureOptions(name, options);
      const plan = batchPlan(dataset.size, options);
      const pick = rowPicker(plan);
      return {
        length: plan.length,
        at(i: number) {
          const indices = pick(i);
          return scope(() => {
            const starts = Int32Array.from(indices, (row) => first + row * stride);
            const index = fromTypedArray(starts, [starts.length], { device: values.device });
            // All windows are a view, [steps, channels, W + H]: one select copies those of the batch.
            const view: Tensor = ops.aten.unfold.default(values, 0, input + horizon, 1);
            const rows = select.call([view, 0, index]) as Tensor;
            const part = (start: number, length: number): Tensor =>
              ops.aten.transpose.int(narrow.call([rows, 2, start, length]), 1, 2);
            const future = part(input, horizon);
            const kept = wanted === null ? future : (select.call([future, 2, channelIndex(wanted, values)]) as Tensor);
            return {
              inputs: part(0, input).contiguous(),
              targets: ops.aten.reshape.default(kept, [starts.length, horizon * targets.length]) as Tensor,
              indices,
              size: indices.length,
            };
          });
        },
      };
    },
    dispose,
    [Symbol.dispose]: dispose,
  });
  return dataset;
}

function channelIndex(channels: readonly number[], { device }: Tensor): Tensor {
  return fromTypedArray(Int32Array.from(channels), [channels.length], { device });
}
