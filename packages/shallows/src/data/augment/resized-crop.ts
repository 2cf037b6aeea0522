import { Operator, type Tensor } from '@shallows/torch';
import type { Key } from '../../random/index.js';
import { type Box, boxAttempts, drawSides, placeBox, type Range } from './boxes.js';

/** Which part of a picture is kept and brought back to its size. */
export interface ResizedCropSettings {
  /** Share of the area that is kept. */
  readonly scale: Range;
  /** Width over height. */
  readonly ratio: Range;
}

/**
 * Draws a part for each row of a dataset, a function of (key, row); after ten that do not fit, the largest centred part
 * whose ratio is allowed.
 *
 * @see torchvision 0.28, `RandomResizedCrop.get_params`
 */
export function drawResizedCrops(
  { scale, ratio }: ResizedCropSettings,
  key: Key,
  rows: Uint32Array,
  [height, width]: readonly [number, number],
): Box[] {
  return Array.from(rows, (row) => {
    for (let attempt = 0; attempt < boxAttempts; attempt++) {
      const index = row * boxAttempts + attempt;
      const { first: w, second: h } = drawSides(key, index, [height, width], scale, ratio);
      const fits = w > 0 && w <= width && h > 0 && h <= height;
      if (fits) return placeBox(key, index, [height, width], { height: h, width: w });
    }
    return centred([height, width], ratio);
  });
}

function centred([height, width]: readonly [number, number], [low, high]: Range): Box {
  const ratio = width / height;
  const h = ratio < low ? Math.round(width / low) : height;
  const w = ratio > high ? Math.round(height * high) : width;
  return { top: Math.floor((height - h) / 2), left: Math.floor((width - w) / 2), height: h, width: w };
}

const narrow = new Operator('aten::narrow');
const resize = new Operator('aten::_upsample_bilinear2d_aa');
const cat = new Operator('aten::cat');
const round = new Operator('aten::round_');

/**
 * Cuts each picture's part out and brings it to the size of the whole: bilinear with antialiasing, rounded.
 *
 * Parts differ in size, so this is one resize a picture.
 *
 * @param images uint8 `[B, C, H, W]`
 * @see torchvision 0.28, `resized_crop`
 */
export function applyResizedCrops(images: Tensor, boxes: readonly Box[]): Tensor {
  const [batch = 0, , height = 0, width = 0] = images.shape;
  if (batch === 0) return images;
  const values = images.to('float32');
  const parts = boxes.map((box, row) => {
    const one = narrow.call([values, 0, row, 1]) as Tensor;
    if (box.height === height && box.width === width) return one;
    const lines = narrow.call([one, 2, box.top, box.height]) as Tensor;
    const part = narrow.call([lines, 3, box.left, box.width]) as Tensor;
    return resize.call([part, [height, width], false, null, null]) as Tensor;
  });
  return (round.call([cat.call([parts, 0])]) as Tensor).to('uint8');
}
