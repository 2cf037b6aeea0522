import { fromTypedArray, Operator, ops, randn, type Tensor } from '@shallows/torch';
import { deriveKey, generator, type Key, uniform } from '../../random/index.js';
import { type Box, boxAttempts, drawSides, placeBox, type Range } from './boxes.js';

/** Which part of a picture is erased. */
export interface RandomErasingSettings {
  /** Share of the pictures. */
  readonly probability: number;
  /** Share of the area. */
  readonly scale: Range;
  /** Height over width. */
  readonly ratio: Range;
  /** What stands there then, after normalisation: a number, or standard normal noise for each pixel. */
  readonly value: number | 'noise';
}

/**
 * Draws a part, or none, for each row of a dataset: a function of (key, row).
 *
 * @see Zhong et al., "Random erasing data augmentation", 2017; torchvision 0.28, `RandomErasing`
 */
export function drawErasing(
  { probability, scale, ratio }: RandomErasingSettings,
  key: Key,
  rows: Uint32Array,
  [height, width]: readonly [number, number],
): (Box | null)[] {
  const chance = deriveKey(key, 'whether');
  return Array.from(rows, (row) => {
    if (uniform(chance, row) >= probability) return null;
    for (let attempt = 0; attempt < boxAttempts; attempt++) {
      const index = row * boxAttempts + attempt;
      const { first: h, second: w } = drawSides(key, index, [height, width], scale, ratio);
      if (h < height && w < width) return placeBox(key, index, [height, width], { height: h, width: w });
    }
    return null;
  });
}

const narrow = new Operator('aten::narrow');
const copy = new Operator('aten::copy_');

/**
 * Erases the drawn parts in place.
 *
 * @param images float32 `[B, C, H, W]`, normalised
 * @param key of the noise; rows with the same number have the same
 */
export function applyErasing(
  images: Tensor,
  boxes: readonly (Box | null)[],
  value: number | 'noise',
  key: Key,
  rows: Uint32Array,
): Tensor {
  if (value === 'noise') return fillWithNoise(images, boxes, key, rows);
  const [batch = 0, , height = 0, width = 0] = images.shape;
  const inside = (size: number, shape: readonly number[], from: (box: Box) => number, length: (box: Box) => number) => {
    const bounds = (of: (box: Box) => number): Tensor =>
      fromTypedArray(
        Int32Array.from(boxes, (box) => (box === null ? 0 : of(box))),
        [batch, 1, 1, 1],
        { device: images.device },
      );
    const places: Tensor = ops.aten.arange.default(size, { dtype: 'int32', device: images.device });
    const line: Tensor = ops.aten.reshape.default(places, shape);
    const after: Tensor = ops.aten.ge.Tensor(line, bounds(from));
    return ops.aten.logical_and.default(
      after,
      ops.aten.lt.Tensor(
        line,
        bounds((box) => from(box) + length(box)),
      ),
    ) as Tensor;
  };
  const lines = inside(
    height,
    [1, 1, height, 1],
    ({ top }) => top,
    (box) => box.height,
  );
  const columns = inside(
    width,
    [1, 1, 1, width],
    ({ left }) => left,
    (box) => box.width,
  );
  return ops.aten.masked_fill_.Scalar(images, ops.aten.logical_and.default(lines, columns), value);
}

function fillWithNoise(images: Tensor, boxes: readonly (Box | null)[], key: Key, rows: Uint32Array): Tensor {
  const [, channels = 0] = images.shape;
  for (const [i, box] of boxes.entries()) {
    if (box === null) continue;
    // Drawn on the CPU: the noise of a row is the same on every device.
    const noise = randn([channels, box.height, box.width], {
      generator: generator(deriveKey(key, 'noise', rows[i] ?? 0)),
    });
    const picture = narrow.call([images, 0, i, 1]) as Tensor;
    const lines = narrow.call([picture, 2, box.top, box.height]) as Tensor;
    copy.call([narrow.call([lines, 3, box.left, box.width]), noise]);
  }
  return images;
}
