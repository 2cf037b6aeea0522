import { Operator, scope, type Tensor } from '@shallows/torch';
import { Dropout, type DropRate, nameDropouts } from '../dropout/index.js';
import { Conv2d, evaluation, LayerNorm, Linear, Module, type Pair, type Pass, Sequential } from '../nn/index.js';
import { both, Settings } from '../nn/settings.js';
import { deriveKey, type Key } from '../random/index.js';
import { checkRates } from './drop-rates.js';
import { areSizes } from './sizes.js';
import { SwinBlock } from './swin-block.js';
import { initLinears } from './transformer-init.js';

const permute = new Operator('aten::permute');
const pad = new Operator('aten::constant_pad_nd');
const reshape = new Operator('aten::reshape');
const mean = new Operator('aten::mean', 'dim');

/** The sizes of the paper that torchvision has: tiny, small and base. */
export const swinSizes = {
  t: { dim: 96, depths: [2, 2, 6, 2], heads: [3, 6, 12, 24] },
  s: { dim: 96, depths: [2, 2, 18, 2], heads: [3, 6, 12, 24] },
  b: { dim: 128, depths: [2, 2, 18, 2], heads: [4, 8, 16, 32] },
} as const;

/** Options of {@link swin}. */
export interface SwinOptions {
  /** Sets `dim`, `depths` and `heads`; each can be given beside it. */
  readonly size: keyof typeof swinSizes;
  readonly classes: number;
  /** Where the initial weights come from. */
  readonly key: Key;
  /** Side of a patch in pixels, or height and width. */
  readonly patch?: Pair;
  /** Side of a window in patches, or height and width. */
  readonly window?: Pair;
  /** Channels of the pictures: 3 for colour, 1 for grey. */
  readonly channels?: number;
  /** Features of the first stage; each next stage has twice as many. */
  readonly dim?: number;
  /** Blocks of each stage. */
  readonly depths?: readonly number[];
  /** Heads of each stage. */
  readonly heads?: readonly number[];
  /** Features inside the feed-forward branches, as a multiple of the stage's. */
  readonly mlpRatio?: number;
  /** Rate of a dropout of the attention weights. */
  readonly attnDrop?: DropRate;
  /** Rate of a dropout of the output of each branch. */
  readonly projDrop?: DropRate;
  /** Rate of a dropout inside of the feed-forward branches; `projDrop` unless given, as in PyTorch and timm. */
  readonly hiddenDrop?: DropRate;
  /** Rate of a dropout before the last layer. */
  readonly headDrop?: DropRate;
}

/** Patches to a map: `[B, channels, H, W]` to `[B, H / patch, W / patch, dim]`, normalised. Torchvision's keys. */
class Stem extends Module {
  readonly 0: Conv2d;
  readonly 2: LayerNorm;

  constructor(channels: number, dim: number, patch: Pair, key: Key) {
    super();
    this[0] = new Conv2d(channels, dim, patch, { stride: patch, key });
    this[2] = new LayerNorm(dim);
  }

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return this[2].forward(permute.call([this[0].forward(x, pass), [0, 2, 3, 1]]) as Tensor);
  }
}

/** Joins each 2 × 2 pixels: `[B, H, W, dim]` to `[B, ⌈H / 2⌉, ⌈W / 2⌉, 2 · dim]`. No residual: it changes the shape. */
class PatchMerging extends Module {
  readonly reduction: Linear;
  readonly norm: LayerNorm;

  constructor(dim: number, key: Key) {
    super();
    this.reduction = new Linear(4 * dim, 2 * dim, { key, bias: false });
    this.norm = new LayerNorm(4 * dim);
  }

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    const [batch = 0, height = 0, width = 0, dim = 0] = x.shape;
    const [down, across] = [Math.ceil(height / 2), Math.ceil(width / 2)];
    const even = 2 * down === height && 2 * across === width;
    const whole = even ? x : pad.call([x, [0, 0, 0, 2 * across - width, 0, 2 * down - height]]);
    const pixels = reshape.call([whole, [batch, down, 2, across, 2, dim]]);
    // Upper left, lower left, upper right, lower right.
    const joined = reshape.call([permute.call([pixels, [0, 1, 3, 4, 2, 5]]), [batch, down, across, 4 * dim]]);
    return this.reduction.forward(this.norm.forward(joined as Tensor), pass);
  }
}

/** The transformer of shifted windows (Liu et al. 2021), as {@link swin} makes it. */
export class SwinTransformer extends Module {
  /** The stem, then a stage of blocks and what halves the map, in turn. */
  readonly features: Sequential;
  readonly norm: LayerNorm;
  readonly headDrop: Dropout;
  readonly head: Linear;

  constructor(options: SwinOptions) {
    super();
    const { size, classes, key, patch = 4, window = 7, channels = 3, mlpRatio = 4 } = options;
    const preset = Object.hasOwn(swinSizes, size) ? swinSizes[size] : swinSizes.t;
    const { dim = preset.dim, depths = preset.depths, heads = preset.heads } = options;
    const { attnDrop = 0, projDrop = 0, hiddenDrop = projDrop, headDrop = 0 } = options;
    const rates = { attnDrop, projDrop, hiddenDrop };
    const divides = (i: number): boolean => !((dim * 2 ** i) % (heads[i] ?? Number.NaN) > 0);
    checkRates(new Settings('swin'), { ...rates, headDrop })
      .word('size', size, Object.keys(swinSizes))
      .whole('classes', classes, 1)
      .pair('patch', patch, 1)
      .pair('window', window, 1)
      .whole('channels', channels, 1)
      .whole('dim', dim, 1)
      .expect(areSizes(depths), 'depths', 'a whole number from 1 for each stage', depths)
      .expect(
        areSizes(heads, areSizes(depths) ? depths.length : undefined),
        'heads',
        'a whole number from 1 for each stage',
        heads,
      )
      .expect(!areSizes(heads) || heads.every((_, i) => divides(i)), 'heads', 'divisors of dim · 2ⁱ in stage i', heads)
      .number('mlpRatio', mlpRatio, `with a hidden feature for a dim of ${dim}`, (ratio) => !(ratio * dim < 1))
      .key(key)
      .check("write swin({ size: 't', classes, key })");
    const windowSize = both(window);
    const layers: Module[] = [new Stem(channels, dim, patch, deriveKey(key, 'stem'))];
    for (const [stage, depth] of depths.entries()) {
      const width = dim * 2 ** stage;
      const blocks = Array.from({ length: depth }, (_, i) => {
        const shift = i % 2 === 0 ? ([0, 0] as const) : ([windowSize[0] >> 1, windowSize[1] >> 1] as const);
        return new SwinBlock(width, {
          key: deriveKey(key, 'stages', stage, i),
          heads: heads[stage] ?? 1,
          window: windowSize,
          shift,
          hidden: Math.floor(width * mlpRatio),
          ...rates,
        });
      });
      layers.push(new Sequential(...blocks));
      if (stage < depths.length - 1) layers.push(new PatchMerging(width, deriveKey(key, 'merging', stage)));
    }
    const last = dim * 2 ** (depths.length - 1);
    this.features = new Sequential(...layers);
    this.norm = new LayerNorm(last);
    this.headDrop = new Dropout(headDrop);
    this.head = new Linear(last, classes, { key: deriveKey(key, 'head') });
    initLinears(this, { key: deriveKey(key, 'linear'), std: 0.02, fill: 'truncated' });
    nameDropouts(this);
  }

  /**
   * @param x pictures `[B, channels, H, W]` of any size from one patch, float
   * @returns logits `[B, classes]`
   */
  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return scope(() => {
      const y = this.norm.forward(this.features.forward(x, pass));
      return this.head.forward(this.headDrop.forward(mean.call([y, [1, 2]]) as Tensor, pass), pass);
    });
  }
}

/**
 * A Swin transformer: attention inside windows that every second block shifts, in stages that halve the map. Two sites
 * in each block, `features.1.0.attention` and `features.1.0.feedforward`, which count as one layer.
 *
 * Keys and outputs are those of torchvision's `swin_t`, `swin_s` and `swin_b`. Linear layers and position biases start
 * from N(0, 0.02²) cut to [−2, 2], other biases from 0, the stem as PyTorch's convolution; all a function of the key.
 * Parameters for 1000 classes: 28,288,354 (t), 49,606,258 (s), 87,768,224 (b).
 *
 * @throws ShallowsError for another size, numbers that are no whole ones from 1, or heads that do not divide their
 *   stage
 * @see Liu et al., "Swin transformer: hierarchical vision transformer using shifted windows", ICCV 2021
 */
export function swin(options: SwinOptions): SwinTransformer {
  return new SwinTransformer(options);
}
