import { Settings } from '../../nn/settings.js';
import { bernoulli, deriveKey } from '../../random/index.js';
import type { Algorithm } from '../algorithm.js';
import { replaceBatch, requireMixable } from './mix-batch.js';
import { drawCutMix, drawMixUp } from './mixing.js';

/** Options of {@link mixUp} and {@link cutMix}. */
export interface MixOptions {
  /** α of the Beta distribution that λ is drawn from, above 0: the larger, the stronger. */
  readonly alpha?: number;
  /** Share of the batches that are mixed, in [0, 1]. */
  readonly prob?: number;
  /** Outputs of the model, where they are more than the classes of the data. */
  readonly classes?: number;
}

/**
 * MixUp: rows of a batch are mixed in pairs, inputs and targets alike, x ← λ·x + (1 − λ)·x′ with one λ ~ Beta(α, α) a batch
 * and partners by a random order of the rows. Class numbers become probabilities `[B, C]`. (Zhang et al. 2018.)
 *
 * Works on inputs of any shape with a floating dtype; on numbers as targets as well. Draws derive from the batch's key: the same
 * after a resume and for any number of microbatches. Of several ranks each mixes its own rows, with the same λ.
 *
 * Defaults: α 0.2, that of the paper for ImageNet; vision transformers take 0.8 beside CutMix, see {@link mixupOrCutmix}.
 *
 * @throws ShallowsError for settings out of range; when the run starts, for a language task
 */
export function mixUp({ alpha = 0.2, prob = 1, classes }: MixOptions = {}): Algorithm {
  checkMix('mixUp', { alpha, prob, classes });
  return {
    name: 'mixup',
    options: { alpha, prob },
    onFitStart: ({ data }) => requireMixable('mixUp', data, false),
    onBatchStart({ data }, batch) {
      const key = deriveKey(batch.key, 'mixup');
      if (batch.size < 2 || !bernoulli(key, prob)) return;
      replaceBatch('mixUp', batch, drawMixUp(key, batch.size, alpha), classes ?? data.classes?.length ?? null);
    },
  };
}

/**
 * CutMix: a box of each picture is replaced by that of a partner, and the target is shared by area. The box takes a share of 1
 * − λ, λ ~ Beta(α, α), around a centre anywhere in the picture; what stands out is cut off, and λ taken anew from what is left. One
 * box a batch, partners by a random order of the rows. (Yun et al. 2019.)
 *
 * Works on pictures `[B, C, H, W]`. Draws derive from the batch's key, as those of {@link mixUp}. Default: α 1, as in the paper.
 *
 * @throws ShallowsError for settings out of range; when the run starts, for inputs that are no pictures
 */
export function cutMix({ alpha = 1, prob = 1, classes }: MixOptions = {}): Algorithm {
  checkMix('cutMix', { alpha, prob, classes });
  return {
    name: 'cutmix',
    options: { alpha, prob },
    onFitStart: ({ data }) => requireMixable('cutMix', data, true),
    onBatchStart({ data }, batch) {
      const key = deriveKey(batch.key, 'cutmix');
      if (batch.size < 2 || !bernoulli(key, prob)) return;
      const [, , height = 0, width = 0] = batch.inputs.shape;
      const mix = drawCutMix(key, batch.size, alpha, height, width);
      replaceBatch('cutMix', batch, mix, classes ?? data.classes?.length ?? null);
    },
  };
}

/** Options of {@link mixupOrCutmix}. */
export interface MixupOrCutmixOptions {
  /** α of MixUp, above 0. */
  readonly mixup?: number;
  /** α of CutMix, above 0. */
  readonly cutmix?: number;
  /** Share of the batches that are mixed at all, in [0, 1]. */
  readonly prob?: number;
  /** Share of those that CutMix mixes, in [0, 1]. */
  readonly switchProb?: number;
  /** Outputs of the model, where they are more than the classes of the data. */
  readonly classes?: number;
}

/**
 * Mixes each batch by {@link mixUp} or by {@link cutMix}, as timm's `Mixup` in mode `batch` does. Defaults are DeiT's (Touvron
 * et al. 2021): mixup 0.8, cutmix 1, prob 1, switchProb 0.5.
 *
 * @throws ShallowsError for settings out of range; when the run starts, for inputs that are no pictures
 */
export function mixupOrCutmix(options: MixupOrCutmixOptions = {}): Algorithm {
  const { mixup = 0.8, cutmix = 1, prob = 1, switchProb = 0.5, classes } = options;
  const share = (value: number): boolean => value >= 0 && value <= 1;
  new Settings('mixupOrCutmix')
    .number('mixup', mixup, 'above 0', (value) => value > 0)
    .number('cutmix', cutmix, 'above 0', (value) => value > 0)
    .number('prob', prob, 'from 0 to 1', share)
    .number('switchProb', switchProb, 'from 0 to 1', share)
    .whole('classes', classes ?? 2, 2)
    .check('write mixupOrCutmix({ mixup: 0.8, cutmix: 1, switchProb: 0.5 })');
  return {
    name: 'mixup-or-cutmix',
    options: { mixup, cutmix, prob, switchProb },
    onFitStart: ({ data }) => requireMixable('mixupOrCutmix', data, true),
    onBatchStart({ data }, batch) {
      const key = deriveKey(batch.key, 'mixup-or-cutmix');
      if (batch.size < 2 || !bernoulli(key, prob, 0)) return;
      const [, , height = 0, width = 0] = batch.inputs.shape;
      const mix = bernoulli(key, switchProb, 1)
        ? drawCutMix(key, batch.size, cutmix, height, width)
        : drawMixUp(key, batch.size, mixup);
      replaceBatch('mixupOrCutmix', batch, mix, classes ?? data.classes?.length ?? null);
    },
  };
}

function checkMix(fn: string, { alpha, prob, classes }: { alpha: number; prob: number; classes: number | undefined }) {
  new Settings(fn)
    .number('alpha', alpha, 'above 0', (value) => value > 0)
    .number('prob', prob, 'from 0 to 1', (value) => value >= 0 && value <= 1)
    .whole('classes', classes ?? 2, 2)
    .check(`write ${fn}({ alpha, prob })`);
}
