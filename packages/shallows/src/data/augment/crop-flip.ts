import { fromTypedArray, ops, type Tensor } from '@shallows/torch';
import { bernoulli, deriveKey, type Key, randint } from '../../random/index.js';
import type { Augmentation } from '../config.js';
import { changeRows } from './rows.js';

/** The drawn augmentation of a batch, one entry a picture. */
export interface Draws {
  /** First row of the crop in the padded picture, from 0 to 2 · padding; null without cropping. */
  readonly top: Int32Array | null;
  /** First column of the crop. */
  readonly left: Int32Array | null;
  /** 1 where the picture is mirrored; null without flipping. */
  readonly mirrored: Uint8Array | null;
}

/**
 * Draws the augmentation of some rows of a dataset: for each row a function of (key, row) alone, whatever batch it is in.
 */
export function drawAugmentation({ crop, flip = false }: Augmentation, key: Key, rows: Uint32Array): Draws {
  const places = crop === undefined ? 0 : 2 * crop.padding + 1;
  const cropKey = deriveKey(key, 'crop');
  const flipKey = deriveKey(key, 'flip');
  return {
    top: places === 0 ? null : Int32Array.from(rows, (row) => randint(cropKey, places, 2 * row)),
    left: places === 0 ? null : Int32Array.from(rows, (row) => randint(cropKey, places, 2 * row + 1)),
    mirrored: flip ? Uint8Array.from(rows, (row) => Number(bernoulli(flipKey, 0.5, row))) : null,
  };
}

/**
 * Pads with zeros, crops to the original size and mirrors pictures as drawn, in a handful of operators on the batch.
 *
 * Every place that a crop can have is a view of the padded batch (two `unfold`s), so that one advanced index picks a
 * place for each picture and copies whole rows: a fifth of the time of indexing each pixel.
 *
 * @param images float `[B, C, H, W]`, normalised: the padding is zero after normalisation, as in the original recipe
 * @see He et al., "Deep residual learning for image recognition", 2015, section 4.2
 */
export function applyAugmentation(images: Tensor, { crop }: Augmentation, { top, left, mirrored }: Draws): Tensor {
  let result = images;
  const { device } = images;
  const [batch = 0, , height = 0, width = 0] = images.shape;
  if (crop !== undefined && top !== null && left !== null) {
    const { padding } = crop;
    const padded: Tensor = ops.aten.constant_pad_nd.default(images, [padding, padding, padding, padding], 0);
    const places: Tensor = ops.aten.unfold.default(ops.aten.unfold.default(padded, 2, height, 1), 3, width, 1);
    const each: Tensor = ops.aten.arange.default(batch, { device });
    const place = [each, null, fromTypedArray(top, [batch], { device }), fromTypedArray(left, [batch], { device })];
    result = ops.aten.index.Tensor(places, place);
  }
  if (mirrored !== null) {
    const rows = Array.from(mirrored.keys()).filter((row) => mirrored[row] === 1);
    // Only the mirrored pictures are touched: less than half of the time of mirroring all and choosing.
    const own: Tensor = result === images && rows.length > 0 ? ops.aten.clone.default(images) : result;
    result = changeRows(own, rows, (some) => ops.aten.flip.default(some, [3]));
  }
  return result;
}
