import type { Policy, PolicyOptions } from '../policy/policy.js';
import { presetPolicy, requireWord, rowMask } from './preset-policy.js';

const torchvisionFamilies = ['convnext', 'swin', 'mvit', 'maxvit', 'efficientnet'] as const;

/** A family of models, by torchvision's names. */
export type TorchvisionFamily = (typeof torchvisionFamilies)[number];

/** The top rates of torchvision 0.28's models, by the names of their constructors. */
export const torchvisionDrops = Object.freeze({
  ...{ convnext_tiny: 0.1, convnext_small: 0.4, convnext_base: 0.5, convnext_large: 0.5 },
  ...{ swin_t: 0.2, swin_s: 0.3, swin_b: 0.5, swin_v2_t: 0.2, swin_v2_s: 0.3, swin_v2_b: 0.5 },
  ...{ swin3d_t: 0.1, swin3d_s: 0.1, swin3d_b: 0.1, mvit_v1_b: 0.2, mvit_v2_s: 0.2, maxvit_t: 0.2 },
  ...{ efficientnet_b0: 0.2, efficientnet_b1: 0.2, efficientnet_b2: 0.2, efficientnet_b3: 0.2, efficientnet_b4: 0.2 },
  ...{ efficientnet_b5: 0.2, efficientnet_b6: 0.2, efficientnet_b7: 0.2 },
  ...{ efficientnet_v2_s: 0.2, efficientnet_v2_m: 0.2, efficientnet_v2_l: 0.2 },
});

/** Options of `presets.torchvision`. */
export interface TorchvisionOptions extends PolicyOptions {
  /** A model of theirs, whose rate and rule are taken. */
  readonly model?: keyof typeof torchvisionDrops | undefined;
  /** Whose rule is taken: p · (l − 1) / L for `efficientnet`, p · (l − 1) / (L − 1) for the others. */
  readonly family?: TorchvisionFamily | undefined;
}

/**
 * torchvision 0.28's models: a mask of one draw a row on every branch, kept rows scaled by 1/keep, rates by the rule of the
 * model's family. Give `model`, or `drop` and `family`.
 *
 * Differs: the scale is not rounded to the dtype of x, and NaN in dropped rows does not leak; a single block is an error (there,
 * a division by 0). All branches are computed, as there: `execution: 'subset'` saves the work of the dropped rows.
 */
export function torchvision({ model, family, ...options }: TorchvisionOptions): Policy {
  if (model !== undefined) requireWord('model', model, Object.keys(torchvisionDrops));
  const kind = family ?? torchvisionFamilies.find((each) => model?.startsWith(each)) ?? 'swin';
  requireWord('family', kind, torchvisionFamilies);
  const schedule = kind === 'efficientnet' ? 'ramp' : 'linspace';
  return presetPolicy({ ...rowMask, schedule, drop: model && torchvisionDrops[model] }, options);
}

/** Options of `presets.timm`. */
export interface TimmOptions extends PolicyOptions {
  /** Whose rule is taken: p · (l − 1) / L for `efficientnet`, p for `cait`, p · (l − 1) / (L − 1) for all the others. */
  readonly family?: 'vit' | 'convnext' | 'swin' | 'resnet' | 'efficientnet' | 'cait' | undefined;
  /** Whether kept rows are scaled by 1/keep. */
  readonly scaleByKeep?: boolean | undefined;
}

const timmSchedules = Object.freeze({
  vit: 'linspace',
  convnext: 'linspace',
  swin: 'linspace',
  resnet: 'linspace',
  efficientnet: 'ramp',
  cait: 'uniform',
} as const);

/**
 * timm 1.0's `DropPath`: a mask of one draw a row, kept rows scaled by 1/keep unless `scaleByKeep` is false; rates from 0 to
 * `drop`, which is 0 by default.
 *
 * Differs: rates are doubles (there, float32: 0.1 is 0.10000000149); a rate outside [0, 1] is an error (there, 2.0 passes), and
 * so is a single block (there, its rate is 0); a rate of 0 can be raised later. `execution: 'subset'` saves the work of the
 * dropped rows.
 */
export function timm({ family = 'vit', scaleByKeep = true, ...options }: TimmOptions = {}): Policy {
  requireWord('family', family, Object.keys(timmSchedules));
  const scale = scaleByKeep ? 'inverted' : 'none';
  return presetPolicy({ ...rowMask, drop: 0, schedule: timmSchedules[family], scale }, options);
}

/**
 * EfficientNet as its TensorFlow code has it, and Keras and timm after it: "drop connect" at rate p · (l − 1) / L with p = 0.2, a
 * mask of one draw a row, kept rows scaled by 1/keep. The last block stays below p, and blocks without a shortcut count.
 *
 * Differs: masks are decided in 53 bits, not by the floor of a sum in the dtype of x, which is wrong in bfloat16.
 */
export function efficientnet(options: PolicyOptions = {}): Policy {
  return presetPolicy({ ...rowMask, drop: 0.2, schedule: 'ramp' }, options);
}

/** Options of `presets.kerasCv`. */
export interface KerasCvOptions extends PolicyOptions {
  /** Which layer: `DropPath` masks rows and scales them by 1/keep, `StochasticDepth` masks the batch and scales in evaluation. */
  readonly layer?: 'DropPath' | 'StochasticDepth' | undefined;
}

/**
 * KerasCV 0.9's layers, with its EfficientNets' rates: p · (l − 1) / L with p = 0.2. Both layers compute what they drop.
 *
 * Differs: a rate of 1 gives zeros (there, `DropPath` divides by 0).
 */
export function kerasCv({ layer = 'DropPath', ...options }: KerasCvOptions = {}): Policy {
  requireWord('layer', layer, ['DropPath', 'StochasticDepth']);
  const rates = { drop: 0.2, schedule: 'ramp' } as const;
  if (layer === 'DropPath') return presetPolicy({ ...rowMask, ...rates }, options);
  const run: PolicyOptions = { unit: 'block', execution: 'mask', scale: 'paper', ranks: 'independent' };
  return presetPolicy({ ...rates, ...run, optimizer: 'zero' }, options);
}

/** Options of `presets.dinov2`. */
export interface Dinov2Options extends PolicyOptions {
  /** The rate of every block is p; false: p · (l − 1) / (L − 1). */
  readonly uniform?: boolean | undefined;
}

/**
 * DINOv2's blocks: each branch runs on max(⌊b · (1 − p)⌋, 1) = k rows of b, any set of them, scaled by b/k; p = 0.3 everywhere. Up
 * to p = 0.1 there is its `DropPath` instead, a mask of one draw a row.
 *
 * Differs: where rates differ between blocks (`uniform: false`), those up to 0.1 run on k rows too; any number of dimensions;
 * the branch may have another dtype than x. `count: 'unbiased'` drops p of the rows on average also where b is small.
 */
export function dinov2({ uniform = true, ...options }: Dinov2Options = {}): Policy {
  const { drop = 0.3 } = options;
  const schedule = uniform ? 'uniform' : 'linspace';
  if (uniform && drop <= 0.1) return presetPolicy({ ...rowMask, schedule }, options);
  const run: PolicyOptions = { unit: 'row', rows: 'random', count: 'dinov2', execution: 'subset', scale: 'realised' };
  return presetPolicy({ ...run, drop, schedule, ranks: 'independent' }, options);
}

/**
 * torchtune 0.6's `LayerDropout`: each layer runs on the rows that its draws keep, and nothing is rescaled; rates by its scales
 * `uniform` (the default), `linspace` (their `linear`), `exp` (LayerSkip's), `log`, `sine`, `sigmoid`; `select` is their
 * `layers_str`, such as `'::2'`.
 *
 * Differs: draws follow the seed of the run and the step (there, each layer has a generator seeded by its own number: the same
 * masks for every seed, on every rank and after every restart); tensors that go along are gathered with the rows; `select` takes
 * `'4'` and `'0:5'` of five layers; the single layer of `linspace` is an error (there, it has p).
 */
export function torchtune(options: PolicyOptions = {}): Policy {
  const run: PolicyOptions = { unit: 'row', rows: 'independent', execution: 'subset', scale: 'none', ranks: 'shared' };
  return presetPolicy({ ...run, drop: 0, schedule: 'uniform' }, options);
}
