import { Operator, scope, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../errors.js';
import { evaluation, type Pass } from '../nn/pass.js';
import { spread } from '../nn/spread.js';
import { isHalf, requireReal, select } from './apply.js';
import { nextDraws } from './draws.js';
import type { DropoutModuleOptions, DropoutOptions } from './dropout.js';
import { DropoutModule } from './dropout-module.js';
import { drawMask } from './mask.js';
import { type DropRate, rateIn, requireRate } from './rate.js';
import { channelShape } from './spatial-dropout.js';

const mul = new Operator('aten::mul', 'Scalar');
const add = new Operator('aten::add', 'Scalar');
const toDType = new Operator('aten::to', 'dtype');

/** λ·α of SELU: what it tends to for numbers far below 0, with its sign turned. */
const ALPHA = 1.7580993408473766;

/**
 * Drops numbers to the value where SELU saturates, and keeps mean 0 and variance 1: y = a·d + b with d = x with probability
 * 1 − p, else −λα; a = ((1 − p)(1 + p·(λα)²))^(−1/2), b = a·p·λα. Any shape. For networks of SELU, whose activations would
 * lose their mean and variance to zeros.
 *
 * All else is as in `dropout`; at p = 1 all is 0, as in PyTorch.
 *
 * @throws ShallowsError as `dropout`
 * @see Klambauer et al., "Self-normalizing neural networks", NeurIPS 2017, https://arxiv.org/abs/1706.02515
 */
export function alphaDropout(x: Tensor, p: number, pass: Pass = evaluation, options?: DropoutOptions): Tensor {
  const { name } = options ?? { name: '' };
  requireRate('alphaDropout', p);
  return drop('alphaDropout', x, rateIn(pass, name, p, null), pass, name, itself);
}

/**
 * {@link alphaDropout} of whole channels: one decision for all places of a channel.
 *
 * @param x `[B, C, …]`
 * @throws ShallowsError for an x without channels, and as `dropout`
 * @see Klambauer et al., "Self-normalizing neural networks", NeurIPS 2017, https://arxiv.org/abs/1706.02515
 */
export function featureAlphaDropout(x: Tensor, p: number, pass: Pass = evaluation, options?: DropoutOptions): Tensor {
  const { name } = options ?? { name: '' };
  requireRate('featureAlphaDropout', p);
  requireChannels('featureAlphaDropout', x);
  return drop('featureAlphaDropout', x, rateIn(pass, name, p, null), pass, name, channelShape);
}

/** {@link alphaDropout} as a module. */
export class AlphaDropout extends DropoutModule {
  /** @throws ShallowsError for a rate outside [0, 1], NaN included, or a schedule that is none */
  constructor(rate: DropRate = 0.5, { name }: DropoutModuleOptions = {}) {
    super('alpha-dropout', { fn: 'AlphaDropout', granularity: 'element', scaling: 'affine', rate, name });
  }

  /** @param x floating-point, any shape */
  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return drop('AlphaDropout', x, this.site.rateIn(pass), pass, this.site.name, itself);
  }
}

/** {@link featureAlphaDropout} as a module. */
export class FeatureAlphaDropout extends DropoutModule {
  /** @throws ShallowsError for a rate outside [0, 1], NaN included, or a schedule that is none */
  constructor(rate: DropRate = 0.5, { name }: DropoutModuleOptions = {}) {
    super('feature-alpha-dropout', {
      fn: 'FeatureAlphaDropout',
      granularity: 'channel',
      scaling: 'affine',
      rate,
      name,
    });
  }

  /** @param x `[B, C, …]` */
  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    requireChannels('FeatureAlphaDropout', x);
    return drop('FeatureAlphaDropout', x, this.site.rateIn(pass), pass, this.site.name, channelShape);
  }
}

/** @internal y = a·d + b, with d what the mask keeps of x and −λα where it keeps nothing. */
export function alphaDrop(x: Tensor, keep: Tensor, rate: number): Tensor {
  if (rate === 1) return select(x, keep);
  const a = 1 / Math.sqrt((ALPHA * ALPHA * rate + 1) * (1 - rate));
  const dropped = a * ALPHA * (rate - 1);
  // What is kept is a·x + b: b − dropped is added before the selection, and dropped after it.
  const kept = add.call([mul.call([x, a]), a * ALPHA]) as Tensor;
  return add.call([select(kept, keep), dropped]) as Tensor;
}

const itself = (shape: readonly number[]): readonly number[] => shape;

function drop(
  fn: string,
  x: Tensor,
  rate: number,
  pass: Pass,
  name: string,
  maskShape: (shape: readonly number[]) => readonly number[],
): Tensor {
  requireReal(fn, x);
  if (rate === 0) return x;
  return scope(() => {
    const all = spread(x, pass, name);
    const { shape, dtype, device } = all;
    // Three roundings of half precision would move the mean.
    const wide = isHalf(dtype) ? 'float32' : dtype;
    const draws = nextDraws(fn, pass, name, shape[0]);
    const keep = drawMask(draws, rate, { shape: maskShape(shape), dtype: wide, device });
    if (wide === dtype) return alphaDrop(all, keep, rate);
    return toDType.call([alphaDrop(toDType.call([all, wide]) as Tensor, keep, rate), dtype]) as Tensor;
  });
}

function requireChannels(fn: string, { shape }: Tensor): void {
  if (shape.length >= 2) return;
  throw new ShallowsError(`${fn}: expected [B, C, …], got [${shape.join(', ')}] - channels are the second dimension`);
}
