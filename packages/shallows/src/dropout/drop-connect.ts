import { scope, type Tensor } from '@shallows/torch';
import { ShallowsError, shown } from '../errors.js';
import type { Conv2d } from '../nn/conv.js';
import type { Conv1d } from '../nn/conv1d.js';
import type { Linear } from '../nn/linear.js';
import { evaluation, type Pass } from '../nn/pass.js';
import { Recurrent } from '../nn/recurrent.js';
import { rowKeysSlot } from '../nn/row-keys.js';
import { Settings } from '../nn/settings.js';
import { deriveKey } from '../random/key.js';
import { dropAndScale, requireReal } from './apply.js';
import { type Draws, nextKey } from './draws.js';
import type { DropoutModuleOptions, DropoutOptions } from './dropout.js';
import { DropoutModule } from './dropout-module.js';
import { drawMask } from './mask.js';
import { type DropRate, rateIn, requireRate } from './rate.js';

/**
 * Drops weights at random: w = weight / (1 − p) with probability 1 − p, else 0, one mask for all rows of the batch and all
 * steps of a sequence. Biases are left alone. Evaluation takes the mean of the weights, as dropout does of activations.
 *
 * All else is as in `dropout`. Layers take it by `attachDropConnect`.
 *
 * @param weight floating-point, any shape
 * @throws ShallowsError as `dropout`, and in a pass whose rows have several keys: rows cannot share a weight there
 * @see Wan et al., "Regularization of neural networks using DropConnect", ICML 2013,
 *   https://proceedings.mlr.press/v28/wan13.html; for recurrent weights Merity et al., "Regularizing and optimizing LSTM
 *   language models", ICLR 2018, https://arxiv.org/abs/1708.02182
 */
export function dropConnect(weight: Tensor, p: number, pass: Pass = evaluation, options?: DropoutOptions): Tensor {
  const { name } = options ?? { name: '' };
  requireRate('dropConnect', p);
  return dropWeights('dropConnect', weight, rateIn(pass, name, p, null), pass, name);
}

/** {@link dropConnect} as a module: `forward(weight, pass)`. */
export class DropConnect extends DropoutModule<readonly [weight: Tensor]> {
  /** @throws ShallowsError for a rate outside [0, 1], NaN included, or a schedule that is none */
  constructor(rate: DropRate = 0.5, { name }: DropoutModuleOptions = {}) {
    super('drop-connect', { fn: 'DropConnect', granularity: 'weight', scaling: 'inverted', rate, name });
  }

  /** @param weight floating-point, any shape */
  override forward(weight: Tensor, pass: Pass = evaluation): Tensor {
    return dropWeights('DropConnect', weight, this.site.rateIn(pass), pass, this.site.name);
  }
}

/** The layers whose weights can be dropped. */
export type DropConnectable = Linear | Conv1d | Conv2d | Recurrent<never> | Recurrent<unknown>;

/** Options of {@link attachDropConnect}. */
export interface AttachOptions {
  /** Of an LSTM or GRU: weights of the state before (as in AWD-LSTM), of the input, or both. */
  readonly weights?: 'hidden' | 'input' | 'all';
}

/**
 * Drops the weights of a layer in training and Monte-Carlo passes. The layer stays the same object, with its weights, keys,
 * strides, groups and padding; only what its operator is given changes. Call `nameDropouts` on the model afterwards.
 *
 * In passes with keys for rows, rows of one key share their weights and others are run apart, which costs a call for each.
 *
 * @param rate a rate of 0 leaves the layer as it was, operator by operator
 * @returns the layer
 * @throws ShallowsError for a rate outside [0, 1], a layer of another kind, or other words
 */
export function attachDropConnect<T extends DropConnectable>(
  layer: T,
  rate: DropRate,
  { weights = 'hidden' }: AttachOptions = {},
): T {
  new Settings('attachDropConnect')
    .word('weights', weights, ['hidden', 'input', 'all'])
    .check("write attachDropConnect(lstm, 0.5, { weights: 'hidden' })");
  if (layer instanceof Recurrent) {
    if (weights !== 'input') layer.hiddenDropConnect = new DropConnect(rate);
    if (weights !== 'hidden') layer.inputDropConnect = new DropConnect(rate);
    return layer;
  }
  if (typeof layer !== 'object' || layer === null || !('dropConnect' in layer)) {
    throw new ShallowsError(
      `attachDropConnect: expected a Linear, Conv1d, Conv2d, LSTM or GRU, got ${shown(layer)} - give the layer itself`,
    );
  }
  layer.dropConnect = new DropConnect(rate);
  return layer;
}

function dropWeights(fn: string, weight: Tensor, rate: number, pass: Pass, name: string): Tensor {
  requireReal(fn, weight);
  if (rate === 0) return weight;
  return scope(() => {
    const { shape, dtype, device } = weight;
    return dropAndScale(weight, drawMask(weightDraws(fn, pass, name), rate, { shape, dtype, device }), rate);
  });
}

/** All rows have the weights in common, so at most one key. */
function weightDraws(fn: string, pass: Pass, name: string): Draws {
  const key = nextKey(fn, pass, name);
  const [row, ...others] = pass.get(rowKeysSlot) ?? [];
  if (row === undefined) return { key, rowKeys: null };
  if (others.every(({ hi, lo }) => hi === row.hi && lo === row.lo)) {
    return { key: deriveKey(key, row.hi, row.lo), rowKeys: null };
  }
  throw new ShallowsError(
    `${fn}: expected rows of one key at '${name}', got several - weights are for all rows: use attachDropConnect(layer, rate), ` +
      'which runs them apart, or byRowKeys',
  );
}
