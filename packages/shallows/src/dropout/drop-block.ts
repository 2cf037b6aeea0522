import { Operator, scope, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../errors.js';
import { evaluation, type Pass } from '../nn/pass.js';
import { Settings } from '../nn/settings.js';
import { spread } from '../nn/spread.js';
import { isHalf, requireReal, select } from './apply.js';
import { type Draws, nextDraws } from './draws.js';
import type { DropoutModuleOptions, DropoutOptions } from './dropout.js';
import { DropoutModule } from './dropout-module.js';
import { drawMask } from './mask.js';
import { type DropRate, rateIn, requireRate } from './rate.js';

const pad = new Operator('aten::constant_pad_nd');
const maxPool2d = new Operator('aten::max_pool2d');
const rsub = new Operator('aten::rsub', 'Scalar');
const sum = new Operator('aten::sum', 'dim_IntList');
const clampMin_ = new Operator('aten::clamp_min_');
const reciprocal_ = new Operator('aten::reciprocal_');
const mulScalar_ = new Operator('aten::mul_', 'Scalar');
const mul = new Operator('aten::mul', 'Tensor');
const toDType = new Operator('aten::to', 'dtype');

/** Options of {@link dropBlock2d}. */
export interface DropBlockOptions extends DropoutOptions {
  /** Side of the squares, in pixels; a smaller map is one square. */
  readonly blockSize?: number;
}

/** Options of {@link DropBlock2d}. */
export interface DropBlockModuleOptions extends DropoutModuleOptions {
  /** Side of the squares, in pixels; a smaller map is one square. */
  readonly blockSize?: number;
}

/**
 * Drops squares of b × b pixels from each channel of maps, and divides by the share that is left: a square begins at each of
 * its (H − b + 1)(W − b + 1) places with probability γ = p · H · W / (b² · (H − b + 1)(W − b + 1)).
 *
 * p is the dropped share where no two squares meet; as they do, less is dropped; at p = 1 all is. The share that is left is that of the whole
 * batch, as in the paper; in passes with keys for rows it is that of each row, which then does not depend on the others. All
 * else is as in `dropout`. The paper raises the rate over training: `{ kind: 'warmup', length: '1dur' }`.
 *
 * @param x `[B, C, H, W]`
 * @throws ShallowsError for another shape or block size, and as `dropout`
 * @see Ghiasi et al., "DropBlock: a regularization method for convolutional networks", NeurIPS 2018,
 *   https://arxiv.org/abs/1810.12890
 */
export function dropBlock2d(x: Tensor, p: number, pass: Pass = evaluation, options?: DropBlockOptions): Tensor {
  const { name, blockSize = 7 } = options ?? { name: '' };
  requireRate('dropBlock2d', p);
  requireBlock('dropBlock2d', blockSize);
  return dropBlocks('dropBlock2d', x, rateIn(pass, name, p, null), blockSize, pass, name);
}

/** {@link dropBlock2d} as a module. */
export class DropBlock2d extends DropoutModule {
  readonly blockSize: number;

  /** @throws ShallowsError for a rate outside [0, 1], NaN included, a schedule that is none, or a block size below 1 */
  constructor(rate: DropRate = 0.1, { name, blockSize = 7 }: DropBlockModuleOptions = {}) {
    requireBlock('DropBlock2d', blockSize);
    super('drop-block2d', { fn: 'DropBlock2d', granularity: 'block', scaling: 'normalised', rate, name });
    this.blockSize = blockSize;
  }

  /** @param x `[B, C, H, W]` */
  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return dropBlocks('DropBlock2d', x, this.site.rateIn(pass), this.blockSize, pass, this.site.name);
  }
}

/** @internal γ for maps of a size: the probability that a square begins at a place. */
export function dropBlockGamma(rate: number, blockSize: number, height: number, width: number): number {
  if (rate === 1) return 1;
  const side = Math.min(blockSize, height, width);
  const places = (height - side + 1) * (width - side + 1);
  return Math.min(1, (rate * height * width) / (side * side * places));
}

/** @internal Which pixels are left, `[B, C, H, W]`. */
export function drawBlocks(draws: Draws, rate: number, blockSize: number, x: Tensor): Tensor {
  const [batch = 0, channels = 0, height = 0, width = 0] = x.shape;
  const side = Math.min(blockSize, height, width);
  const begins = drawMask(draws, dropBlockGamma(rate, side, height, width), {
    shape: [batch, channels, height - side + 1, width - side + 1],
    dtype: isHalf(x.dtype) ? 'float32' : x.dtype,
    device: x.device,
  });
  const around = pad.call([rsub.call([begins, 1]), [side - 1, side - 1, side - 1, side - 1]]);
  // A square is a column of rows: two maxima over lines take 2 / side of the time.
  const rows = maxPool2d.call([around, [side, 1], [1, 1]]);
  return rsub.call([maxPool2d.call([rows, [1, side], [1, 1]]), 1]) as Tensor;
}

/** @internal What is left of x, divided by its share of the batch or of each row; all 0 where nothing is left. */
export function normaliseKept(x: Tensor, keep: Tensor, byRow: boolean): Tensor {
  const count = x.numel / (byRow ? (x.shape[0] ?? 1) : 1);
  const kept = clampMin_.call([sum.call([keep, byRow ? [1, 2, 3] : [0, 1, 2, 3], true]), 1]);
  const scale = mulScalar_.call([reciprocal_.call([kept]), count]);
  return select(mul.call([x, scale]) as Tensor, keep);
}

function dropBlocks(fn: string, x: Tensor, rate: number, blockSize: number, pass: Pass, name: string): Tensor {
  requireReal(fn, x);
  const { shape, dtype } = x;
  if (shape.length !== 4) {
    throw new ShallowsError(
      `${fn}: expected [B, C, H, W], got [${shape.join(', ')}] - add the batch and its maps as dimensions`,
    );
  }
  if (rate === 0 || x.numel === 0) return x;
  return scope(() => {
    const all = spread(x, pass, name);
    const draws = nextDraws(fn, pass, name, all.shape[0]);
    const keep = drawBlocks(draws, rate, blockSize, all);
    const byRow = draws.rowKeys !== null;
    if (!isHalf(dtype)) return normaliseKept(all, keep, byRow);
    return toDType.call([normaliseKept(toDType.call([all, 'float32']) as Tensor, keep, byRow), dtype]) as Tensor;
  });
}

function requireBlock(fn: string, blockSize: number): void {
  new Settings(fn)
    .whole('blockSize', blockSize, 1)
    .check(
      `write ${fn === 'DropBlock2d' ? 'new DropBlock2d(0.1, { blockSize: 7 })' : 'dropBlock2d(x, 0.1, pass, { name, blockSize: 7 })'}`,
    );
}
