import { Operator, scope, type Tensor } from '@shallows/torch';
import { Dropout, type DropoutSite, type DropRate, layerDropSite, nameDropouts } from '../dropout/index.js';
import { evaluation, LayerNorm, Linear, Module, type Pass } from '../nn/index.js';
import { deriveKey, type Key } from '../random/index.js';
import { checkRates } from './drop-rates.js';
import { meanOver } from './mean-over.js';
import { runBlocks, TransformerBlock } from './transformer-block.js';
import { initLinears } from './transformer-init.js';
import { checkTransformer, type TransformerOptions } from './transformer-options.js';
import { TokenEmbedding } from './transformer-tokens.js';

const notEqual = new Operator('aten::ne', 'Scalar');
const reshape = new Operator('aten::reshape');

/** Options of {@link transformerEncoder}. */
export interface TransformerEncoderOptions extends TransformerOptions {
  /** Classes of a text; null for the vectors of its tokens instead. */
  readonly classes: number | null;
  /** Where the norms stand: `pre` before each branch, with one more at the end, `post` after each sum. */
  readonly norm?: 'pre' | 'post';
  /**
   * The token that fills up short texts: nothing looks at it, and it does not count in the mean. Null where there is
   * none.
   */
  readonly padding?: number | null;
  /** First γ of a LayerScale on each branch, such as 1e-5; null for none. */
  readonly layerScale?: number | null;
  /** Rate of a dropout before the classifier. */
  readonly headDrop?: DropRate;
}

/** The encoder of Vaswani et al. (2017), as {@link transformerEncoder} makes it. */
export class TransformerEncoder extends Module {
  readonly embed: TokenEmbedding;
  readonly blocks: readonly TransformerBlock[];
  readonly layerDrop: DropoutSite;
  /** After the last block, for `pre` alone: `post` has normalised there. */
  readonly norm: LayerNorm | null;
  readonly headDrop: Dropout;
  readonly head: Linear | null;

  constructor(options: TransformerEncoderOptions) {
    super();
    const { classes, key, norm = 'pre', padding = null, layerScale = null, vocabulary, headDrop = 0 } = options;
    const isToken = padding === null || (Number.isSafeInteger(padding) && padding >= 0 && !(padding >= vocabulary));
    const { dim, depth, heads, hidden, positions, length, rates, ...drops } = checkTransformer(
      'transformerEncoder',
      options,
      (settings) =>
        checkRates(settings, { headDrop })
          .expect(
            classes === null || (Number.isSafeInteger(classes) && classes > 0),
            'classes',
            'null or a whole number from 1',
            classes,
          )
          .word('norm', norm, ['pre', 'post'])
          .expect(isToken, 'padding', `null or a token below ${vocabulary}`, padding)
          .expect(layerScale === null || Number.isFinite(layerScale), 'layerScale', 'null or a number', layerScale),
    );
    const blockKey = (i: number): Key => deriveKey(key, 'blocks', i);
    this.embed = new TokenEmbedding({
      key: deriveKey(key, 'embed'),
      vocabulary,
      dim,
      positions,
      length,
      padding,
      ...drops,
    });
    this.blocks = Array.from(
      { length: depth },
      (_, i) => new TransformerBlock(dim, { key: blockKey(i), heads, hidden, eps: 1e-5, norm, layerScale, ...rates }),
    );
    this.layerDrop = layerDropSite('transformerEncoder', drops.layerDrop);
    this.norm = norm === 'pre' ? new LayerNorm(dim) : null;
    this.headDrop = new Dropout(headDrop);
    this.head = classes === null ? null : new Linear(dim, classes, { key: deriveKey(key, 'head') });
    initLinears(this, { key: deriveKey(key, 'linear'), std: 0.02, fill: 'truncated' });
    nameDropouts(this);
  }

  /**
   * @param x tokens `[B, T]`, int64 or int32
   * @returns logits `[B, classes]` of the mean over the tokens that are no padding, or the vectors `[B, T, dim]` where
   *   `classes` is null; a text of padding alone has a mean of 0
   * @throws ShallowsError for another shape or dtype, or texts longer than the learnt positions
   */
  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return scope(() => {
      const { padding } = this.embed.tokens;
      const present = padding === null ? null : (notEqual.call([x, padding]) as Tensor);
      const [batch = 0, tokens = 0] = x.shape;
      const mask = present && (reshape.call([present, [batch, 1, 1, tokens]]) as Tensor);
      const inner = runBlocks(
        this.blocks,
        scope(() => this.embed.forward(x, pass)),
        mask,
        pass,
        this.layerDrop,
      );
      const y = this.norm === null ? inner : this.norm.forward(inner);
      return this.head === null ? y : this.head.forward(this.headDrop.forward(meanOver(y, present), pass), pass);
    });
  }
}

/**
 * A transformer encoder for texts: tokens and positions, then blocks in which every token sees every other, then a
 * classifier of their mean or the vectors themselves. Two sites in each block, `blocks.0.attention` and
 * `blocks.0.feedforward`, which count as one layer.
 *
 * Linear layers start from N(0, 0.02²) cut to [−2, 2] and biases from 0, as in BERT; tokens and positions as
 * {@link TokenEmbedding} says; all a function of the key.
 *
 * @throws ShallowsError for numbers that are no whole ones from 1, heads that do not divide the dim, or words that are
 *   not known
 * @see Vaswani et al., "Attention is all you need", NeurIPS 2017
 */
export function transformerEncoder(options: TransformerEncoderOptions): TransformerEncoder {
  return new TransformerEncoder(options);
}
