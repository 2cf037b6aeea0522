import { fromTypedArray, ops, scope, type Tensor } from '@shallows/torch';
import { rowPicker } from '../batch-plan.js';
import type { BatchOptions, BatchSource } from '../dataset.js';
import type { ImageDataset } from './image-dataset.js';
import { picturePipeline } from './picture-pipeline.js';

/** The batches of pictures in memory. */
export function imageBatches(dataset: ImageDataset, options: BatchOptions): BatchSource {
  const { plan, inputs } = picturePipeline(dataset, options);
  const pick = rowPicker(plan);
  return {
    length: plan.length,
    at(i) {
      const indices = pick(i);
      return scope(() => {
        const { device } = dataset.images;
        const index = fromTypedArray(Int32Array.from(indices), [indices.length], { device });
        const targets: Tensor = ops.aten.index_select.default(dataset.labels, 0, index);
        const images: Tensor = ops.aten.index_select.default(dataset.images, 0, index);
        return { inputs: inputs(images, indices), targets, indices, size: indices.length };
      });
    },
  };
}
