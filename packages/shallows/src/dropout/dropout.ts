import { Operator, scope, type Tensor } from '@shallows/torch';
import { evaluation, type Pass } from '../nn/pass.js';
import { spread } from '../nn/spread.js';
import { dropAndScale, requireReal } from './apply.js';
import { nextDraws } from './draws.js';
import { DropoutModule } from './dropout-module.js';
import { drawMask, keysOf } from './mask.js';
import { type DropRate, rateIn, requireRate } from './rate.js';

const keyedDropout = new Operator('shallows::keyed_dropout');

/** Options of a dropout function. */
export interface DropoutOptions {
  /** The place of this call in the model, such as `blocks.3.mlp.dropout`: what is drawn is a function of the pass and this name. */
  readonly name: string;
}

/** Options of a dropout module. */
export interface DropoutModuleOptions {
  /** The module's place; where there is none, `nameDropouts` gives it its path in the model. */
  readonly name?: string;
}

/**
 * Drops numbers at random: y = x / (1 − p) with probability 1 − p, else 0, each by itself. Any shape; the shape and dtype of x.
 *
 * Only training and Monte-Carlo passes drop; in evaluation and at p = 0 `x` itself is returned, without an operator. At p = 1
 * all is 0, and so are gradients. NaN and ∞ in what is dropped do not leak. Masks derive from the pass's key, the name and
 * how often it was called in the pass.
 *
 * @param p drop rate in [0, 1]; the pass may lower it (`dropoutFactorSlot`)
 * @throws ShallowsError for another p, x of integers, and where it drops without a name or without a key on the pass
 * @see Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 2014,
 *   https://jmlr.org/papers/v15/srivastava14a.html
 */
export function dropout(
  x: Tensor,
  p: number,
  pass: Pass = evaluation,
  { name }: DropoutOptions = { name: '' },
): Tensor {
  requireRate('dropout', p);
  return drop('dropout', x, rateIn(pass, name, p, null), pass, name);
}

/** {@link dropout} as a module. */
export class Dropout extends DropoutModule {
  /** @throws ShallowsError for a rate outside [0, 1], NaN included, or a schedule that is none */
  constructor(rate: DropRate = 0.5, { name }: DropoutModuleOptions = {}) {
    super('dropout', { fn: 'Dropout', granularity: 'element', scaling: 'inverted', rate, name });
  }

  /** @param x floating-point, any shape */
  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return drop('Dropout', x, this.site.rateIn(pass), pass, this.site.name);
  }
}

/** What is dropped of a tensor together. */
export interface Shared {
  /** The shape of the mask for an x of this shape: a 1 where one decision holds along a dimension. */
  readonly shape?: (shape: readonly number[]) => readonly number[];
  /** The dimension of x that is the batch. */
  readonly rowDim?: number;
}

/** @internal The inverted dropouts: a mask of some shape, applied. */
export function drop(
  fn: string,
  x: Tensor,
  rate: number,
  pass: Pass,
  name: string,
  { shape, rowDim = 0 }: Shared = {},
): Tensor {
  requireReal(fn, x);
  if (rate === 0) return x;
  return scope(() => {
    const all = spread(x, pass, name, rowDim);
    const sizes = all.shape;
    const draws = nextDraws(fn, pass, name, sizes[rowDim]);
    const { dtype, device } = x;
    // Element by element the CPU draws and drops in one pass; the bits are those of the mask.
    if (shape === undefined && rowDim === 0 && rate < 1 && device === 'cpu') {
      return keyedDropout.call([all, keysOf(draws), rate]) as Tensor;
    }
    return dropAndScale(all, drawMask(draws, rate, { shape: shape?.(sizes) ?? sizes, dtype, device, rowDim }), rate);
  });
}
