import { fromTypedArray, ops, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../../errors.js';
import { deriveKey } from '../../random/index.js';
import { augmenter } from '../augment/augmenter.js';
import { augmentSettings } from '../augment/settings.js';
import { type BatchPlan, batchPlan } from '../batch-plan.js';
import type { BatchOptions } from '../dataset.js';
import type { Normalisation } from './normalisation.js';

/** How the pictures of an epoch become inputs. */
export interface PicturePipeline {
  readonly plan: BatchPlan;
  /** @param images uint8 `[B, C, H, W]`, which it may change; @param rows which rows of the dataset they are; @returns float32 `[B, C, H, W]` */
  inputs(images: Tensor, rows: Uint32Array): Tensor;
}

/** What pictures in memory and pictures on disk have in common. @throws ShallowsError for options that do not fit the pictures */
export function picturePipeline(
  {
    size,
    shape,
    normalisation,
  }: { size: number; shape: readonly [number, number, number]; normalisation: Normalisation },
  options: BatchOptions,
): PicturePipeline {
  const { augment = {}, normalise = normalisation } = options;
  const [channels] = shape;
  const settings = augmentSettings(augment, channels);
  const plan = batchPlan(size, options, settings.any);
  if (normalise.mean.length !== channels || normalise.std.length !== channels) {
    const got = `${normalise.mean.length} and ${normalise.std.length}`;
    throw new ShallowsError(
      `batches: expected a mean and a std for each of ${channels} channels, got ${got} - take those of the set`,
    );
  }
  const { key, epoch } = plan;
  const change = key === null || !settings.any ? null : augmenter(settings, deriveKey(key, 'augment', epoch), shape);
  return {
    plan,
    inputs(images, rows) {
      if (change === null) return toNormalised(images, normalise);
      return change.normalised(toNormalised(change.pixels(images, rows), normalise), rows);
    },
  };
}

function toNormalised(images: Tensor, { mean, std }: Normalisation): Tensor {
  const { device } = images;
  const perChannel = (values: readonly number[]): Tensor =>
    fromTypedArray(Float32Array.from(values), [1, values.length, 1, 1], { device });
  const scaled: Tensor = ops.aten.mul_.Tensor(images.to('float32'), perChannel(std.map((each) => 1 / (255 * each))));
  return ops.aten.sub_.Tensor(scaled, perChannel(mean.map((each, c) => each / (std[c] ?? 1))));
}
