import { fromTypedArray, Operator, scope, type Tensor } from '@shallows/torch';
import { batchPlan, refusePictureOptions, rowPicker } from './batch-plan.js';
import type { BatchOptions, BatchSource, Dataset } from './dataset.js';

/** What {@link arrayDataset} needs. */
export interface ArrayDatasetOptions extends Pick<Dataset, 'name' | 'task' | 'digest'> {
  /** float32 or int64 `[N, …]`, one row a sample; the dataset owns it */
  readonly inputs: Tensor;
  /** int64 `[N]` classes, or float32 `[N, k]`; the dataset owns it */
  readonly targets: Tensor;
  readonly classes?: readonly string[] | null;
  readonly classCounts?: readonly number[] | null;
  readonly vocabulary?: number | null;
  readonly segmentCounts?: Readonly<Record<string, number>> | null;
}

const select = new Operator('aten::index_select');

/** A dataset of rows in memory: a batch is one `index_select` of inputs and one of targets. */
export function arrayDataset({ inputs, targets, ...facts }: ArrayDatasetOptions): Dataset {
  const dispose = (): void => {
    inputs.dispose();
    targets.dispose();
  };
  const dataset: Dataset = Object.freeze({
    classes: null,
    classCounts: null,
    vocabulary: null,
    segmentCounts: null,
    ...facts,
    size: inputs.shape[0] ?? 0,
    inputShape: Object.freeze(inputs.shape.slice(1)),
    inputDtype: inputs.dtype === 'int64' ? 'int64' : 'float32',
    targetShape: Object.freeze(targets.shape.slice(1)),
    batches: (options: BatchOptions): BatchSource => {
      refusePictureOptions(dataset.name, options);
      const plan = batchPlan(dataset.size, options);
      const pick = rowPicker(plan);
      return {
        length: plan.length,
        at(i) {
          const indices = pick(i);
          return scope(() => {
            const index = fromTypedArray(Int32Array.from(indices), [indices.length], { device: inputs.device });
            return {
              inputs: select.call([inputs, 0, index]) as Tensor,
              targets: select.call([targets, 0, index]) as Tensor,
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
