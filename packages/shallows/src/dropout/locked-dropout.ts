import { scope, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../errors.js';
import { evaluation, type Pass } from '../nn/pass.js';
import type { RecurrentDropouts } from '../nn/recurrent.js';
import { Settings } from '../nn/settings.js';
import { dropAndScale, requireReal } from './apply.js';
import { nextDraws } from './draws.js';
import { type DropoutModuleOptions, type DropoutOptions, drop } from './dropout.js';
import { DropoutModule } from './dropout-module.js';
import { drawMask } from './mask.js';
import { type DropRate, rateIn, requireRate } from './rate.js';

/** Options of {@link lockedDropout}. */
export interface LockedDropoutOptions extends DropoutOptions {
  /** Whether the batch is the first dimension rather than the second. */
  readonly batchFirst?: boolean;
}

/** Options of {@link LockedDropout}. */
export interface LockedDropoutModuleOptions extends DropoutModuleOptions {
  /** Whether the batch is the first dimension rather than the second. */
  readonly batchFirst?: boolean;
}

/**
 * Drops features of sequences at random, for all of their steps: y[b, t, f] = x[b, t, f] / (1 − p) with probability 1 − p, else
 * 0, one decision for all t. Also known as variational dropout of recurrent networks.
 *
 * All else is as in `dropout`.
 *
 * @param x `[B, T, F]`, `[T, B, F]` without `batchFirst`
 * @throws ShallowsError for another shape, and as `dropout`
 * @see Gal and Ghahramani, "A theoretically grounded application of dropout in recurrent neural networks", NeurIPS 2016,
 *   https://arxiv.org/abs/1512.05287
 */
export function lockedDropout(x: Tensor, p: number, pass: Pass = evaluation, options?: LockedDropoutOptions): Tensor {
  const { name, batchFirst = true } = options ?? { name: '' };
  requireRate('lockedDropout', p);
  return dropFeatures('lockedDropout', x, rateIn(pass, name, p, null), batchFirst, pass, name);
}

/** {@link lockedDropout} as a module; also for the states of LSTM and GRU. */
export class LockedDropout extends DropoutModule {
  readonly batchFirst: boolean;

  /** @throws ShallowsError for a rate outside [0, 1], NaN included, or a schedule that is none */
  constructor(rate: DropRate = 0.5, { name, batchFirst = true }: LockedDropoutModuleOptions = {}) {
    new Settings('LockedDropout')
      .flag('batchFirst', batchFirst)
      .check('write new LockedDropout(0.2, { batchFirst: true })');
    super('locked-dropout', { fn: 'LockedDropout', granularity: 'feature', scaling: 'inverted', rate, name });
    this.batchFirst = batchFirst;
  }

  /** @param x `[B, T, F]`, `[T, B, F]` without `batchFirst` */
  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return dropFeatures('LockedDropout', x, this.site.rateIn(pass), this.batchFirst, pass, this.site.name);
  }

  /** One mask for the states `[B, H]` of all steps of a sequence, and the function that applies it. */
  lock(state: Tensor, pass: Pass): (state: Tensor) => Tensor {
    const { name } = this.site;
    const rate = this.site.rateIn(pass);
    requireReal('LockedDropout', state);
    if (rate === 0) return (each) => each;
    const { shape, dtype, device } = state;
    const keep = scope(() =>
      drawMask(nextDraws('LockedDropout', pass, name, shape[0]), rate, { shape, dtype, device }),
    );
    return (each) => dropAndScale(each, keep, rate);
  }
}

/** Rates of {@link lockedDropouts}. */
export interface LockedRates {
  /** Of the input. */
  readonly input?: DropRate;
  /** Of what a layer gives to the next. */
  readonly between?: DropRate;
  /** Of the state before, on its way into the gates. */
  readonly hidden?: DropRate;
  /** Of the output. */
  readonly output?: DropRate;
}

/**
 * The dropouts of Gal and Ghahramani for an LSTM or GRU, each locked over time: `new LSTM(8, 16, { key, dropouts:
 * lockedDropouts({ input: 0.2, hidden: 0.2, output: 0.2 }) })`. What has no rate is not dropped.
 *
 * @throws ShallowsError for a rate outside [0, 1], NaN included, or a schedule that is none
 * @see Gal and Ghahramani, "A theoretically grounded application of dropout in recurrent neural networks", NeurIPS 2016,
 *   https://arxiv.org/abs/1512.05287
 */
export function lockedDropouts({ input, between, hidden, output }: LockedRates): RecurrentDropouts {
  const locked = (rate: DropRate | undefined): LockedDropout | null =>
    rate === undefined ? null : new LockedDropout(rate);
  return { input: locked(input), between: locked(between), hidden: locked(hidden), output: locked(output) };
}

function dropFeatures(fn: string, x: Tensor, rate: number, batchFirst: boolean, pass: Pass, name: string): Tensor {
  const { shape } = x;
  if (shape.length !== 3) {
    throw new ShallowsError(
      `${fn}: expected [${batchFirst ? 'B, T' : 'T, B'}, F], got [${shape.join(', ')}] - give a batch of sequences`,
    );
  }
  const time = batchFirst ? 1 : 0;
  return drop(fn, x, rate, pass, name, {
    shape: (sizes) => sizes.map((size, i) => (i === time ? 1 : size)),
    rowDim: 1 - time,
  });
}
