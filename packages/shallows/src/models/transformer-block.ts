import { Operator, type Tensor } from '@shallows/torch';
import { type ResidualBlock, residual, Site } from '../depth/index.js';
import { Dropout, type DropoutSite, type DropRate, runLayers } from '../dropout/index.js';
import { evaluation, FeedForward, LayerNorm, LayerScale, Module, type Pass, SelfAttention } from '../nn/index.js';
import { deriveKey, type Key } from '../random/index.js';

/** Options of a {@link TransformerBlock}; whoever makes one has checked them. */
export interface TransformerBlockOptions {
  readonly key: Key;
  readonly heads: number;
  /** Features inside the feed-forward branch. */
  readonly hidden: number;
  /** ε of both norms. */
  readonly eps: number;
  readonly norm?: 'pre' | 'post';
  readonly causal?: boolean;
  /** First γ on both branches; null for none. */
  readonly layerScale?: number | null;
  /** Rate of a dropout of the attention weights. */
  readonly attnDrop?: DropRate;
  /** Rate of a dropout of the output of each branch. */
  readonly projDrop?: DropRate;
  /** Rate of a dropout inside of the feed-forward branches; `projDrop` unless given, as in PyTorch and timm. */
  readonly hiddenDrop?: DropRate;
}

const indexSelect = new Operator('aten::index_select');

const itself = (x: Tensor): Tensor => x;

/**
 * Attention, then a feed-forward network, each a branch that can be dropped; both are one layer of a schedule over
 * depth. Input and output `[B, T, dim]`; the keys are timm's.
 *
 * - `pre`: x + ls1(attn(norm1(x))), then x + ls2(mlp(norm2(x))) (Xiong et al. 2020, ViT, GPT-2).
 * - `post`: norm1(x + ls1(attn(x))), then norm2(x + ls2(mlp(x))) (Vaswani et al. 2017). The norms are no part of the
 *   branches: where one is dropped its input is normalised all the same, so that the next block gets what it gets in
 *   evaluation.
 *
 * The sites are the fields `attention` and `feedforward`: `blocks.3.attention`, `blocks.3.feedforward`. The modules
 * that these use are `attn` and `mlp`, as in timm.
 */
export class TransformerBlock extends Module<readonly [x: Tensor, mask?: Tensor | null]> {
  readonly norm1: LayerNorm;
  readonly attn: SelfAttention;
  readonly ls1: LayerScale | null;
  readonly attention: ResidualBlock;
  readonly norm2: LayerNorm;
  readonly mlp: FeedForward;
  readonly ls2: LayerScale | null;
  readonly feedforward: ResidualBlock;
  readonly #post: boolean;

  constructor(dim: number, options: TransformerBlockOptions) {
    super();
    const { key, heads, hidden, eps, norm = 'pre', causal = false, layerScale = null } = options;
    const { attnDrop = 0, projDrop = 0, hiddenDrop = projDrop } = options;
    const layerScaleOf = (): LayerScale | null => (layerScale === null ? null : new LayerScale(dim, layerScale));
    this.norm1 = new LayerNorm(dim, { eps });
    this.attn = new SelfAttention(dim, {
      heads,
      causal,
      key: deriveKey(key, 'attn'),
      attnDrop: new Dropout(attnDrop),
      projDrop: new Dropout(projDrop),
    });
    this.ls1 = layerScaleOf();
    this.norm2 = new LayerNorm(dim, { eps });
    this.mlp = new FeedForward(dim, {
      hidden,
      key: deriveKey(key, 'mlp'),
      drop1: new Dropout(hiddenDrop),
      drop2: new Dropout(projDrop),
    });
    this.ls2 = layerScaleOf();
    this.#post = norm === 'post';

    const { norm1, attn, ls1, norm2, mlp, ls2 } = this;
    const before = (layer: LayerNorm, x: Tensor): Tensor => (this.#post ? x : layer.forward(x));
    const scaled = (scale: LayerScale | null, y: Tensor): Tensor => (scale === null ? y : scale.forward(y));
    const site = new Site('attention');
    this.attention = {
      site,
      branch: (x, pass, [mask = null]) => scaled(ls1, attn.forward(before(norm1, x), mask, pass)),
      shortcut: itself,
    };
    this.feedforward = {
      site: new Site('mlp', { beside: site }),
      branch: (x, pass) => scaled(ls2, mlp.forward(before(norm2, x), pass)),
      shortcut: itself,
    };
  }

  /**
   * @param mask for {@link SelfAttention}, of the batch's rows: `[B, 1, 1, T]`, or null; dropped rows take theirs with
   *   them
   */
  override forward(x: Tensor, mask: Tensor | null = null, pass: Pass = evaluation): Tensor {
    const attended = residual(this.attention, x, pass, [mask]);
    if (!this.#post) return residual(this.feedforward, attended, pass);
    const middle = this.norm1.forward(attended);
    return this.norm2.forward(residual(this.feedforward, middle, pass));
  }
}

/**
 * One block after the other, without those that are dropped; what a block made is freed when the next one has its result.
 *
 * @param mask of the batch's rows, `[B, …]`, or null
 * @param site that of the stack's layer drop; null where none is dropped
 */
export function runBlocks(
  blocks: readonly TransformerBlock[],
  x: Tensor,
  mask: Tensor | null,
  pass: Pass,
  site: DropoutSite | null = null,
): Tensor {
  return runLayers(blocks, x, pass, site, (block, y, own, rows) => {
    const theirs = mask === null || rows === null ? mask : (indexSelect.call([mask, 0, rows]) as Tensor);
    return block.forward(y, theirs, own);
  });
}
