import type { Tensor } from '@shallows/torch';
import { deriveKey, type Key } from '../../random/index.js';
import type { Augmentation } from '../config.js';
import { applyColourJitter, drawColourJitter } from './colour-jitter.js';
import { applyAugmentation, drawAugmentation } from './crop-flip.js';
import { applyRandAugment, drawRandAugment } from './rand-augment.js';
import { applyErasing, drawErasing } from './random-erasing.js';
import { applyResizedCrops, drawResizedCrops } from './resized-crop.js';
import type { AugmentSettings } from './settings.js';

/**
 * What is done to pictures at random, in two parts: on their bytes, and after normalisation. Each draw is a function of
 * (key, row), so a row's picture does not depend on its batch.
 */
export interface Augmenter {
  /** Random resized crop, colour jitter, RandAugment. @param images uint8 `[B, C, H, W]`, which may be changed in place */
  pixels(images: Tensor, rows: Uint32Array): Tensor;
  /** Crop, flip, erasing. @param images float32 `[B, C, H, W]`, normalised, which may be changed in place */
  normalised(images: Tensor, rows: Uint32Array): Tensor;
}

/** The augmentation of an epoch. @param key of the epoch */
export function augmenter(
  settings: AugmentSettings,
  key: Key,
  [, height, width]: readonly [number, number, number],
): Augmenter {
  const { resizedCrop, colourJitter, randAugment, crop, flip, erasing } = settings;
  const size = [height, width] as const;
  const keys = {
    resizedCrop: deriveKey(key, 'randomResizedCrop'),
    colourJitter: deriveKey(key, 'colourJitter'),
    randAugment: deriveKey(key, 'randAugment'),
    erasing: deriveKey(key, 'randomErasing'),
  };
  const simple: Augmentation = { crop: crop ?? undefined, flip };
  return {
    pixels(images, rows) {
      let result = images;
      if (resizedCrop !== null)
        result = applyResizedCrops(result, drawResizedCrops(resizedCrop, keys.resizedCrop, rows, size));
      if (colourJitter !== null)
        result = applyColourJitter(result, drawColourJitter(colourJitter, keys.colourJitter, rows));
      if (randAugment !== null)
        result = applyRandAugment(result, drawRandAugment(randAugment, keys.randAugment, rows, size));
      return result;
    },
    normalised(images, rows) {
      const result =
        crop === null && !flip ? images : applyAugmentation(images, simple, drawAugmentation(simple, key, rows));
      if (erasing === null) return result;
      return applyErasing(result, drawErasing(erasing, keys.erasing, rows, size), erasing.value, keys.erasing, rows);
    },
  };
}
