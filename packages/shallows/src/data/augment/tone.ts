import { fromTypedArray, ops, scope, type Tensor } from '@shallows/torch';
import { blend } from './colour.js';

// The formulas of torchvision 0.28 on uint8 tensors, transforms/_functional_tensor.py, on whole batches.

/** Keeps the highest `bits` bits of each value. @param images uint8 `[B, C, H, W]` */
export function posterize(images: Tensor, bits: number): Tensor {
  return ops.aten.bitwise_and.Scalar(images, 256 - 2 ** (8 - bits));
}

/** Inverts the values from `threshold` on. @param images uint8 `[B, C, H, W]` */
export function solarize(images: Tensor, threshold: number): Tensor {
  return ops.aten.where.self(ops.aten.ge.Scalar(images, threshold), ops.aten.rsub.Scalar(images, 255), images);
}

/** Stretches each channel of each picture to 0 … 255; one of a single value stays. @param images uint8 `[B, C, H, W]` */
export function autoContrast(images: Tensor): Tensor {
  const least = (ops.aten.amin.default(images, [2, 3], true) as Tensor).to('float32');
  const most = (ops.aten.amax.default(images, [2, 3], true) as Tensor).to('float32');
  const flat: Tensor = ops.aten.eq.Tensor(least, most);
  const inverse: Tensor = ops.aten.reciprocal.default(ops.aten.sub.Tensor(most, least));
  const scale: Tensor = ops.aten.masked_fill.Scalar(ops.aten.mul.Scalar(inverse, 255), flat, 1);
  const from: Tensor = ops.aten.masked_fill.Scalar(least, flat, 0);
  const stretched: Tensor = ops.aten.mul_.Tensor(ops.aten.sub.Tensor(images, from), scale);
  return (ops.aten.clamp_.default(stretched, 0, 255) as Tensor).to('uint8');
}

/** Equalises the histogram of each channel of each picture. @param images uint8 `[B, C, H, W]` */
export function equalize(images: Tensor): Tensor {
  const [batch = 0, channels = 0, height = 0, width = 0] = images.shape;
  const planes = batch * channels;
  const values = (ops.aten.reshape.default(images, [planes, height * width]) as Tensor).to('int64');
  const histogram = scope(() => {
    const zeros: Tensor = ops.aten.zeros_like.default(ops.aten.narrow.default(values, 1, 0, 1));
    const none: Tensor = ops.aten.repeat.default(zeros, [1, 256]);
    return ops.aten.scatter_add_.default(none, 1, values, ops.aten.ones_like.default(values)) as Tensor;
  });
  // All pixels but those of the highest value that occurs, shared out over 255 steps.
  const highest: Tensor = ops.aten.gather.default(histogram, 1, ops.aten.amax.default(values, [1], true));
  const below: Tensor = ops.aten.rsub.Scalar(highest, height * width);
  const step: Tensor = ops.aten.div.Scalar_mode(below, 255, { rounding_mode: 'floor' });
  const divisor: Tensor = ops.aten.clamp_min.default(step, 1);
  const half: Tensor = ops.aten.div.Scalar_mode(step, 2, { rounding_mode: 'floor' });
  const sums: Tensor = ops.aten.add_.Tensor(ops.aten.cumsum.default(histogram, 1), half);
  const table: Tensor = ops.aten.div.Tensor_mode(sums, divisor, { rounding_mode: 'floor' });
  // Each value takes the entry of the one before it, the first one 0.
  const shifted: Tensor = ops.aten.constant_pad_nd.default(ops.aten.narrow.default(table, 1, 0, 255), [1, 0], 0);
  const mapped: Tensor = ops.aten.gather.default(ops.aten.clamp_.default(shifted, 0, 255), 1, values);
  const result: Tensor = ops.aten.where.self(ops.aten.eq.Scalar(step, 0), values, mapped);
  return (ops.aten.reshape.default(result, images.shape) as Tensor).to('uint8');
}

/** From (factor 0) a 3 × 3 blur with centre weight 5/13 over (1) the picture to sharper ones. @param images uint8 `[B, C, H, W]` */
export function adjustSharpness(images: Tensor, factors: readonly number[]): Tensor {
  const [, channels = 0, height = 0, width = 0] = images.shape;
  if (height <= 2 || width <= 2) return images;
  const kernel = Float32Array.from({ length: 9 * channels }, (_, i) => Math.fround(i % 9 === 4 ? 5 : 1) / 13);
  const weight = fromTypedArray(kernel, [channels, 1, 3, 3], { device: images.device });
  const blurred = images.to('float32');
  const inner: Tensor = ops.aten.conv2d.default(blurred, weight, null, [1, 1], [0, 0], [1, 1], channels);
  const middle: Tensor = ops.aten.narrow.default(ops.aten.narrow.default(blurred, 2, 1, height - 2), 3, 1, width - 2);
  ops.aten.copy_.default(middle, ops.aten.round_.default(inner));
  return blend(images, blurred, factors);
}
