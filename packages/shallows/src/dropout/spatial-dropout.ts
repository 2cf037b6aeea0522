import type { Tensor } from '@shallows/torch';
import { ShallowsError } from '../errors.js';
import { evaluation, type Pass } from '../nn/pass.js';
import { type DropoutModuleOptions, type DropoutOptions, drop } from './dropout.js';
import { DropoutModule } from './dropout-module.js';
import { type DropRate, rateIn, requireRate } from './rate.js';

const layouts = { 1: '[B, C, L]', 2: '[B, C, H, W]', 3: '[B, C, D, H, W]' } as const;

/** Dimensions of space. */
type Dimensions = keyof typeof layouts;

/**
 * Drops whole channels of sequences at random: y[b, c] = x[b, c] / (1 − p) with probability 1 − p, else 0, one decision for all
 * of its places. For layers whose neighbouring numbers say the same, where dropping single ones hides little.
 *
 * All else is as in `dropout`.
 *
 * @param x `[B, C, L]`
 * @throws ShallowsError for another shape, and as `dropout`
 * @see Tompson et al., "Efficient object localization using convolutional networks", CVPR 2015, https://arxiv.org/abs/1411.4280
 */
export function dropout1d(x: Tensor, p: number, pass: Pass = evaluation, options?: DropoutOptions): Tensor {
  return spatial(1, x, p, pass, options);
}

/**
 * Drops whole channels of maps at random, as `dropout1d` does of sequences.
 *
 * @param x `[B, C, H, W]`
 * @throws ShallowsError for another shape, and as `dropout`
 * @see Tompson et al., "Efficient object localization using convolutional networks", CVPR 2015, https://arxiv.org/abs/1411.4280
 */
export function dropout2d(x: Tensor, p: number, pass: Pass = evaluation, options?: DropoutOptions): Tensor {
  return spatial(2, x, p, pass, options);
}

/**
 * Drops whole channels of volumes at random, as `dropout1d` does of sequences.
 *
 * @param x `[B, C, D, H, W]`
 * @throws ShallowsError for another shape, and as `dropout`
 * @see Tompson et al., "Efficient object localization using convolutional networks", CVPR 2015, https://arxiv.org/abs/1411.4280
 */
export function dropout3d(x: Tensor, p: number, pass: Pass = evaluation, options?: DropoutOptions): Tensor {
  return spatial(3, x, p, pass, options);
}

/** {@link dropout1d} as a module. */
export class Dropout1d extends DropoutModule {
  /** @throws ShallowsError for a rate outside [0, 1], NaN included, or a schedule that is none */
  constructor(rate: DropRate = 0.5, options: DropoutModuleOptions = {}) {
    super('dropout1d', siteOptions(1, rate, options));
  }

  /** @param x `[B, C, L]` */
  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return dropChannels(1, 'Dropout1d', x, this.site.rateIn(pass), pass, this.site.name);
  }
}

/** {@link dropout2d} as a module. */
export class Dropout2d extends DropoutModule {
  /** @throws ShallowsError for a rate outside [0, 1], NaN included, or a schedule that is none */
  constructor(rate: DropRate = 0.5, options: DropoutModuleOptions = {}) {
    super('dropout2d', siteOptions(2, rate, options));
  }

  /** @param x `[B, C, H, W]` */
  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return dropChannels(2, 'Dropout2d', x, this.site.rateIn(pass), pass, this.site.name);
  }
}

/** {@link dropout3d} as a module. */
export class Dropout3d extends DropoutModule {
  /** @throws ShallowsError for a rate outside [0, 1], NaN included, or a schedule that is none */
  constructor(rate: DropRate = 0.5, options: DropoutModuleOptions = {}) {
    super('dropout3d', siteOptions(3, rate, options));
  }

  /** @param x `[B, C, D, H, W]` */
  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return dropChannels(3, 'Dropout3d', x, this.site.rateIn(pass), pass, this.site.name);
  }
}

function siteOptions(dimensions: Dimensions, rate: DropRate, { name }: DropoutModuleOptions) {
  return { fn: `Dropout${dimensions}d`, granularity: 'channel', scaling: 'inverted', rate, name } as const;
}

function spatial(
  dimensions: Dimensions,
  x: Tensor,
  p: number,
  pass: Pass,
  { name }: DropoutOptions = { name: '' },
): Tensor {
  const fn = `dropout${dimensions}d`;
  requireRate(fn, p);
  return dropChannels(dimensions, fn, x, rateIn(pass, name, p, null), pass, name);
}

function dropChannels(dimensions: Dimensions, fn: string, x: Tensor, rate: number, pass: Pass, name: string): Tensor {
  const { shape } = x;
  if (shape.length !== dimensions + 2) {
    throw new ShallowsError(
      `${fn}: expected ${layouts[dimensions]}, got [${shape.join(', ')}] - a channel is dropped over all dimensions after the second`,
    );
  }
  return drop(fn, x, rate, pass, name, { shape: channelShape });
}

/** @internal One decision for each channel of each row: `[B, C, 1, …]`. */
export function channelShape(shape: readonly number[]): readonly number[] {
  return shape.map((size, i) => (i < 2 ? size : 1));
}
