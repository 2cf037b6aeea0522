import { Operator, type Tensor, zeros } from '@shallows/torch';
import { ShallowsError, shown } from '../../errors.js';
import { beta, deriveKey, type Key, permutation, randint } from '../../random/index.js';
import { rowsTensor } from './rows-tensor.js';

const indexSelect = new Operator('aten::index_select');
const mul = new Operator('aten::mul', 'Scalar');
const add = new Operator('aten::add', 'Tensor');
const clone = new Operator('aten::clone');
const copy_ = new Operator('aten::copy_');
const narrow = new Operator('aten::narrow');
const unsqueeze = new Operator('aten::unsqueeze');
const scatter_ = new Operator('aten::scatter_', 'value');
const scatterAdd_ = new Operator('aten::scatter_', 'value_reduce');

/** A rectangle of pixels: rows from `top` up to but not including `bottom`, columns likewise. */
export interface Box {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/** How one batch is mixed: plain data, a function of the batch's key. */
export interface Mix {
  /** λ: how much of a row is its own, in [0, 1]. */
  readonly lambda: number;
  /** The row that each row is mixed with, `[B]`. */
  readonly partners: Uint32Array;
  /** Where the partner's pixels stand; null mixes every pixel. */
  readonly box: Box | null;
}

/**
 * How MixUp mixes a batch: λ from Beta(α, α), partners by a random order of the rows.
 *
 * @param key the batch's own
 */
export function drawMixUp(key: Key, rows: number, alpha: number): Mix {
  return {
    lambda: beta(deriveKey(key, 'lambda'), alpha, alpha),
    partners: permutation(deriveKey(key, 'partners'), rows),
    box: null,
  };
}

/**
 * How CutMix mixes a batch: a box of share 1 − λ of the picture, λ from Beta(α, α), its centre anywhere; λ is then what the
 * box leaves, as it is cut at the border.
 *
 * @param key the batch's own
 */
export function drawCutMix(key: Key, rows: number, alpha: number, height: number, width: number): Mix {
  const centre = deriveKey(key, 'centre');
  const box = cutMixBox(
    beta(deriveKey(key, 'lambda'), alpha, alpha),
    { y: randint(centre, height, 0), x: randint(centre, width, 1) },
    { height, width },
  );
  return { lambda: lambdaOf(box, height, width), partners: permutation(deriveKey(key, 'partners'), rows), box };
}

/**
 * The box of CutMix around a centre: sides √(1 − λ) of the picture's, rounded down to whole pixels, each half rounded down
 * again, cut at the border. (Yun et al. 2019, algorithm 1, and the authors' code.)
 */
export function cutMixBox(
  lambda: number,
  { y, x }: { readonly y: number; readonly x: number },
  { height, width }: { readonly height: number; readonly width: number },
): Box {
  const ratio = Math.sqrt(1 - lambda);
  const halfHeight = Math.floor(Math.floor(height * ratio) / 2);
  const halfWidth = Math.floor(Math.floor(width * ratio) / 2);
  return {
    top: Math.max(y - halfHeight, 0),
    bottom: Math.min(y + halfHeight, height),
    left: Math.max(x - halfWidth, 0),
    right: Math.min(x + halfWidth, width),
  };
}

/** The share of a picture outside of a box. */
export function lambdaOf({ top, bottom, left, right }: Box, height: number, width: number): number {
  return 1 - ((bottom - top) * (right - left)) / (height * width);
}

/**
 * The inputs of a mixed batch: λ·x + (1 − λ)·x[partners], or x with the partner's pixels in the box. `x` stays as it is.
 *
 * @param x `[B, …]` of a floating dtype; with a box `[B, C, H, W]`
 */
export function mixInputs(x: Tensor, { lambda, partners, box }: Mix): Tensor {
  const index = rowsTensor(partners, x.device);
  const selected = (from: Tensor): Tensor => indexSelect.call([from, 0, index]) as Tensor;
  if (box === null) return blend(x, selected(x), lambda);
  const { top, bottom, left, right } = box;
  const inBox = (from: Tensor): Tensor => {
    const rows = narrow.call([from, 2, top, bottom - top]) as Tensor;
    return narrow.call([rows, 3, left, right - left]) as Tensor;
  };
  const mixed = clone.call([x]) as Tensor;
  copy_.call([inBox(mixed), selected(inBox(x))]);
  return mixed;
}

/**
 * The targets of a mixed batch: class numbers become probabilities, λ of the own class and 1 − λ of the partner's; numbers
 * and probabilities are mixed as inputs are.
 *
 * @param targets int64 `[B]`, or `[B, …]` of a floating dtype
 * @param classes C, for class numbers
 * @returns `[B, C]` float32, or of the targets' shape
 */
export function mixTargets(targets: Tensor, { lambda, partners }: Mix, classes: number | null): Tensor {
  const index = rowsTensor(partners, targets.device);
  const others = indexSelect.call([targets, 0, index]) as Tensor;
  if (targets.dtype.startsWith('float') || targets.dtype === 'bfloat16') return blend(targets, others, lambda);
  if (targets.ndim !== 1 || classes === null) {
    throw new ShallowsError(
      `mixTargets: expected class numbers [B] and the number of classes, or floating targets, got ` +
        `[${targets.shape.join(', ')}] of ${targets.dtype} and ${shown(classes)} classes - tokens cannot be mixed`,
    );
  }
  const soft = zeros([partners.length, classes], { device: targets.device });
  scatter_.call([soft, 1, unsqueeze.call([targets, 1]), lambda]);
  return scatterAdd_.call([soft, 1, unsqueeze.call([others, 1]), 1 - lambda], { reduce: 'add' }) as Tensor;
}

function blend(own: Tensor, other: Tensor, lambda: number): Tensor {
  return add.call([mul.call([own, lambda]), other], { alpha: 1 - lambda }) as Tensor;
}
