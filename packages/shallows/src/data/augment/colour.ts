import { Operator, ops, type Tensor } from '@shallows/torch';
import { perPicture } from './rows.js';

// The formulas of torchvision 0.28 on uint8 tensors, transforms/_functional_tensor.py, with a factor a picture.

const add = new Operator('aten::add', 'Tensor');
const mul = new Operator('aten::mul', 'Tensor');
const clamp = new Operator('aten::clamp_');

/** (factor · images + (1 − factor) · others), clamped to 0 … 255 and truncated: uint8 `[B, C, H, W]`. */
export function blend(images: Tensor, others: Tensor | null, factors: readonly number[]): Tensor {
  const weighted = mul.call([images, perPicture(factors, images)]) as Tensor;
  const rest = factors.map((factor) => 1 - factor);
  const mixed =
    others === null ? weighted : (add.call([weighted, mul.call([others, perPicture(rest, images)])]) as Tensor);
  return (clamp.call([mixed, 0, 255]) as Tensor).to('uint8');
}

/** 0.2989 R + 0.587 G + 0.114 B, truncated: uint8 `[B, 1, H, W]`; grey pictures stay as they are. */
export function toGrey(images: Tensor): Tensor {
  if (images.shape[1] === 1) return images;
  const [r, g, b] = [0, 1, 2].map((channel) => ops.aten.narrow.default(images, 1, channel, 1) as Tensor) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  const redAndGreen: Tensor = ops.aten.add_.Tensor(ops.aten.mul.Scalar(r, 0.2989), ops.aten.mul.Scalar(g, 0.587));
  return (ops.aten.add_.Tensor(redAndGreen, ops.aten.mul.Scalar(b, 0.114)) as Tensor).to('uint8');
}

/** Towards black: factor 0 is black, 1 changes nothing. @param images uint8 `[B, C, H, W]` */
export function adjustBrightness(images: Tensor, factors: readonly number[]): Tensor {
  return blend(images, null, factors);
}

/** Towards the mean grey of each picture. @param images uint8 `[B, 1 or 3, H, W]` */
export function adjustContrast(images: Tensor, factors: readonly number[]): Tensor {
  const mean: Tensor = ops.aten.mean.dim(toGrey(images).to('float32'), [1, 2, 3], true);
  return blend(images, mean, factors);
}

/** Towards grey; grey pictures stay as they are. @param images uint8 `[B, 1 or 3, H, W]` */
export function adjustSaturation(images: Tensor, factors: readonly number[]): Tensor {
  return images.shape[1] === 1 ? images : blend(images, toGrey(images), factors);
}

/** Turns the hue by a share of the circle, in [−0.5, 0.5]; grey pictures stay. @param images uint8 `[B, 1 or 3, H, W]` */
export function adjustHue(images: Tensor, shifts: readonly number[]): Tensor {
  if (images.shape[1] === 1) return images;
  const rgb: Tensor = ops.aten.div.Scalar(images.to('float32'), 255);
  const [h, s, v] = toHsv(rgb);
  const turned: Tensor = ops.aten.remainder.Scalar(ops.aten.add.Tensor(h, perPicture(shifts, images)), 1);
  // Every value from 0 to 255 gets an equal part of [0, 1].
  return (ops.aten.mul.Scalar(fromHsv(turned, s, v), 255 + 1 - 1e-3) as Tensor).to('uint8');
}

/** Hue, saturation, value of float RGB, each `[B, 1, H, W]` in [0, 1]. */
function toHsv(rgb: Tensor): [Tensor, Tensor, Tensor] {
  const [r, g, b] = [0, 1, 2].map((channel) => ops.aten.narrow.default(rgb, 1, channel, 1) as Tensor) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  const most: Tensor = ops.aten.amax.default(rgb, [1], true);
  const least: Tensor = ops.aten.amin.default(rgb, [1], true);
  const grey: Tensor = ops.aten.eq.Tensor(most, least);
  const range: Tensor = ops.aten.sub.Tensor(most, least);
  // Where all channels are equal the range is 0, and what it is divided by does not matter.
  const s: Tensor = ops.aten.div.Tensor(range, ops.aten.masked_fill.Scalar(most, grey, 1));
  const divisor: Tensor = ops.aten.masked_fill.Scalar(range, grey, 1);
  const away = (channel: Tensor): Tensor => ops.aten.div.Tensor(ops.aten.sub.Tensor(most, channel), divisor);
  const [rc, gc, bc] = [away(r), away(g), away(b)];
  const red: Tensor = ops.aten.eq.Tensor(most, r);
  const green: Tensor = ops.aten.eq.Tensor(most, g);
  const ofRed: Tensor = ops.aten.sub.Tensor(bc, gc);
  const ofGreen: Tensor = ops.aten.sub.Tensor(ops.aten.add.Scalar(rc, 2), bc);
  const ofBlue: Tensor = ops.aten.sub.Tensor(ops.aten.add.Scalar(gc, 4), rc);
  const sector: Tensor = ops.aten.where.self(red, ofRed, ops.aten.where.self(green, ofGreen, ofBlue));
  const h: Tensor = ops.aten.fmod.Scalar(ops.aten.add.Scalar(ops.aten.div.Scalar(sector, 6), 1), 1);
  return [h, s, most];
}

/** Float RGB `[B, 3, H, W]` of hue, saturation and value. */
function fromHsv(h: Tensor, s: Tensor, v: Tensor): Tensor {
  const sixths: Tensor = ops.aten.mul.Scalar(h, 6);
  const sector: Tensor = ops.aten.floor.default(sixths);
  const f: Tensor = ops.aten.sub.Tensor(sixths, sector);
  const one = (x: Tensor): Tensor => ops.aten.rsub.Scalar(x, 1);
  const product = (a: Tensor, b: Tensor): Tensor => ops.aten.mul.Tensor(a, b);
  const inUnit = (x: Tensor): Tensor => ops.aten.clamp.default(x, 0, 1);
  const p = inUnit(product(v, one(s)));
  const q = inUnit(product(v, one(product(s, f))));
  const t = inUnit(product(v, one(product(s, one(f)))));
  const index: Tensor = (ops.aten.remainder.Scalar(sector, 6) as Tensor).to('int64');
  const channel = (...bySector: Tensor[]): Tensor =>
    ops.aten.gather.default(ops.aten.cat.default(bySector, 1), 1, index);
  return ops.aten.cat.default([channel(v, q, p, p, t, v), channel(t, v, v, q, p, p), channel(p, p, t, v, v, q)], 1);
}
