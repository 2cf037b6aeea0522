import { empty, Operator, scope, type Tensor } from '@shallows/torch';
import { Dropout, type DropRate, nameDropouts } from '../dropout/index.js';
import { ShallowsError } from '../errors.js';
import {
  Conv2d,
  evaluation,
  LayerNorm,
  Linear,
  Module,
  normal_,
  type Pair,
  Parameter,
  type Pass,
  truncatedNormal_,
} from '../nn/index.js';
import { both, Settings } from '../nn/settings.js';
import { deriveKey, type Key } from '../random/index.js';
import { checkRates } from './drop-rates.js';
import { runBlocks, TransformerBlock } from './transformer-block.js';
import { initLinears } from './transformer-init.js';

const flatten = new Operator('aten::flatten', 'using_ints');
const transpose = new Operator('aten::transpose', 'int');
const expand = new Operator('aten::expand');
const cat = new Operator('aten::cat');
const add_ = new Operator('aten::add_', 'Tensor');
const select = new Operator('aten::select', 'int');

/** The sizes of the papers: tiny, small (DeiT, Touvron et al. 2021), base and large (Dosovitskiy et al. 2021). */
export const vitSizes = {
  ti: { dim: 192, depth: 12, heads: 3 },
  s: { dim: 384, depth: 12, heads: 6 },
  b: { dim: 768, depth: 12, heads: 12 },
  l: { dim: 1024, depth: 24, heads: 16 },
} as const;

/** Options of {@link vit}. */
export interface VitOptions {
  /** Sets `dim`, `depth` and `heads`; each can be given beside it. */
  readonly size: keyof typeof vitSizes;
  readonly classes: number;
  /** Where the initial weights come from. */
  readonly key: Key;
  /** Side of a patch in pixels, or height and width. */
  readonly patch?: Pair;
  /** Side of the pictures in pixels, or height and width. What is left over by whole patches is not looked at. */
  readonly image?: Pair;
  /** Channels of the pictures: 3 for colour, 1 for grey. */
  readonly channels?: number;
  /** Features of a token. */
  readonly dim?: number;
  /** Blocks. */
  readonly depth?: number;
  readonly heads?: number;
  /** Features inside the feed-forward branches, as a multiple of `dim`. */
  readonly mlpRatio?: number;
  /** First γ of a LayerScale on each branch, such as 1e-5; null for none. */
  readonly layerScale?: number | null;
  /** Rate of a dropout of the tokens at their positions. */
  readonly posDrop?: DropRate;
  /** Rate of a dropout of the attention weights. */
  readonly attnDrop?: DropRate;
  /** Rate of a dropout of the output of each branch. */
  readonly projDrop?: DropRate;
  /** Rate of a dropout inside of the feed-forward branches; `projDrop` unless given, as in PyTorch and timm. */
  readonly hiddenDrop?: DropRate;
  /** Rate of a dropout before the last layer. */
  readonly headDrop?: DropRate;
}

/** Patches to tokens: `[B, channels, H, W]` to `[B, patches, dim]`, row by row. */
class PatchEmbedding extends Module {
  readonly proj: Conv2d;
  readonly #image: readonly [height: number, width: number];

  constructor(channels: number, dim: number, patch: Pair, image: Pair, key: Key) {
    super();
    this.proj = new Conv2d(channels, dim, patch, { stride: patch, key });
    this.#image = both(image);
  }

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    const { shape } = x;
    const [height, width] = this.#image;
    if (shape.length !== 4 || shape[2] !== height || shape[3] !== width) {
      throw new ShallowsError(
        `VisionTransformer: expected pictures [B, C, ${height}, ${width}], got [${shape.join(', ')}] - ` +
          'resize them, or make the model with their size as image',
      );
    }
    return transpose.call([flatten.call([this.proj.forward(x, pass), 2]), 1, 2]) as Tensor;
  }
}

/** The vision transformer (Dosovitskiy et al. 2021), as {@link vit} makes it. */
export class VisionTransformer extends Module {
  /** `[1, 1, dim]` */
  readonly clsToken: Parameter;
  /** `[1, 1 + patches, dim]` */
  readonly posEmbed: Parameter;
  readonly patchEmbed: PatchEmbedding;
  readonly posDrop: Dropout;
  readonly blocks: readonly TransformerBlock[];
  readonly norm: LayerNorm;
  readonly headDrop: Dropout;
  readonly head: Linear;

  constructor(options: VitOptions) {
    super();
    const { size, classes, key, patch = 16, image = 224, channels = 3, mlpRatio = 4, layerScale = null } = options;
    const preset = Object.hasOwn(vitSizes, size) ? vitSizes[size] : vitSizes.ti;
    const { dim = preset.dim, depth = preset.depth, heads = preset.heads } = options;
    const { posDrop = 0, attnDrop = 0, projDrop = 0, hiddenDrop = projDrop, headDrop = 0 } = options;
    const rates = { attnDrop, projDrop, hiddenDrop };
    const hidden = Math.floor(dim * mlpRatio);
    checkRates(new Settings('vit'), { posDrop, ...rates, headDrop })
      .word('size', size, Object.keys(vitSizes))
      .whole('classes', classes, 1)
      .pair('patch', patch, 1)
      .pair('image', image, 1)
      .whole('channels', channels, 1)
      .whole('dim', dim, 1)
      .whole('depth', depth, 1)
      .whole('heads', heads, 1)
      .expect(!(dim % heads > 0), 'heads', `a divisor of the dim ${dim}`, heads)
      .number('mlpRatio', mlpRatio, `with a hidden feature for a dim of ${dim}`, () => !(hidden < 1))
      .expect(layerScale === null || Number.isFinite(layerScale), 'layerScale', 'null or a number', layerScale)
      .key(key)
      .check("write vit({ size: 'ti', patch: 16, image: 224, classes, key })");
    const [[patchHeight, patchWidth], [height, width]] = [both(patch), both(image)];
    const patches = Math.floor(height / patchHeight) * Math.floor(width / patchWidth);
    new Settings('vit').expect(patches > 0, 'patch', 'at most the image', patch).check('write patches that fit');
    const fill = { key: deriveKey(key, 'posEmbed'), std: 0.02 };
    this.clsToken = scope(
      () => new Parameter(normal_(empty([1, 1, dim]), { key: deriveKey(key, 'clsToken'), std: 1e-6 })),
    );
    this.posEmbed = scope(() => new Parameter(truncatedNormal_(empty([1, 1 + patches, dim]), fill)));
    this.patchEmbed = new PatchEmbedding(channels, dim, patch, image, deriveKey(key, 'patchEmbed'));
    this.posDrop = new Dropout(posDrop);
    this.blocks = Array.from(
      { length: depth },
      (_, i) =>
        new TransformerBlock(dim, { key: deriveKey(key, 'blocks', i), heads, hidden, eps: 1e-6, layerScale, ...rates }),
    );
    this.norm = new LayerNorm(dim, { eps: 1e-6 });
    this.headDrop = new Dropout(headDrop);
    this.head = new Linear(dim, classes, { key: deriveKey(key, 'head') });
    initLinears(this, { key: deriveKey(key, 'linear'), std: 0.02, fill: 'truncated' });
    nameDropouts(this);
  }

  /**
   * @param x pictures `[B, channels, H, W]` of the size `image`, float
   * @returns logits `[B, classes]`
   * @throws ShallowsError for pictures of another size
   */
  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return scope(() => {
      const tokens = scope(() => this.posDrop.forward(this.#tokens(x, pass), pass));
      const y = runBlocks(this.blocks, tokens, null, pass);
      // The head reads the class token alone, and the norm treats each token for itself.
      const first = this.norm.forward(select.call([y, 1, 0]) as Tensor);
      return this.head.forward(this.headDrop.forward(first, pass), pass);
    });
  }

  /** The class token and those of the patches, at their positions. */
  #tokens(x: Tensor, pass: Pass): Tensor {
    const patches = this.patchEmbed.forward(x, pass);
    const first = expand.call([this.clsToken, [x.shape[0] ?? 0, -1, -1]]);
    return add_.call([cat.call([[first, patches], 1]), this.posEmbed]) as Tensor;
  }
}

/**
 * A vision transformer: patches become tokens, a class token is read by the head. Two sites in each block,
 * `blocks.0.attention` and `blocks.0.feedforward`, which count as one layer.
 *
 * Keys and outputs are those of timm's `VisionTransformer`. Linear layers and positions start from N(0, 0.02²) cut to
 * [−2, 2], the class token from N(0, 10⁻¹²), biases from 0, the patch projection as PyTorch's convolution; all a
 * function of the key. Parameters for 1000 classes at patch 16 and image 224: 5,717,416 (ti), 22,050,664 (s),
 * 86,567,656 (b), 304,326,632 (l).
 *
 * @throws ShallowsError for another size, numbers that are no whole ones from 1, or heads that do not divide the dim
 * @see Dosovitskiy et al., "An image is worth 16×16 words", ICLR 2021
 */
export function vit(options: VitOptions): VisionTransformer {
  return new VisionTransformer(options);
}
