import { Operator, scope, type Tensor } from '@shallows/torch';
import { type DropoutSite, layerDropSite, nameDropouts } from '../dropout/index.js';
import { evaluation, LayerNorm, Linear, Module, normal_, type Pass } from '../nn/index.js';
import { deriveKey } from '../random/index.js';
import { runBlocks, TransformerBlock } from './transformer-block.js';
import { initLinears } from './transformer-init.js';
import { checkTransformer, type TransformerOptions } from './transformer-options.js';
import { TokenEmbedding } from './transformer-tokens.js';

const linear = new Operator('shallows::linear');

/** Options of {@link transformerDecoder}. */
export interface TransformerDecoderOptions extends TransformerOptions {
  /**
   * Whether the head reads tokens with the table that writes them (Press and Wolf 2017), rather than with one of its
   * own.
   */
  readonly tied?: boolean;
}

/** The decoder-only transformer (Radford et al. 2019), as {@link transformerDecoder} makes it. */
export class TransformerDecoder extends Module {
  readonly embed: TokenEmbedding;
  readonly blocks: readonly TransformerBlock[];
  readonly layerDrop: DropoutSite;
  readonly norm: LayerNorm;
  /** Without bias; null where it is the table of tokens. */
  readonly head: Linear | null;

  constructor(options: TransformerDecoderOptions) {
    super();
    const { key, tied = true, vocabulary } = options;
    const { dim, depth, heads, hidden, positions, length, rates, ...drops } = checkTransformer(
      'transformerDecoder',
      options,
      (settings) => settings.flag('tied', tied),
    );
    const embedding = { key: deriveKey(key, 'embed'), vocabulary, dim, positions, length, padding: null, ...drops };
    this.embed = new TokenEmbedding(embedding);
    this.blocks = Array.from(
      { length: depth },
      (_, i) =>
        new TransformerBlock(dim, {
          key: deriveKey(key, 'blocks', i),
          heads,
          hidden,
          eps: 1e-5,
          causal: true,
          ...rates,
        }),
    );
    this.layerDrop = layerDropSite('transformerDecoder', drops.layerDrop);
    this.norm = new LayerNorm(dim);
    this.head = tied ? null : new Linear(dim, vocabulary, { key: deriveKey(key, 'head'), bias: false });
    initLinears(this, { key: deriveKey(key, 'linear'), std: 0.02, fill: 'normal' });
    // 2 · depth branches add up in the residual stream; this keeps its variance from growing with them.
    const std = 0.02 / Math.sqrt(2 * depth);
    for (const [i, { attn, mlp }] of this.blocks.entries()) {
      normal_(attn.proj.weight, { key: deriveKey(key, 'proj', i), std });
      normal_(mlp.fc2.weight, { key: deriveKey(key, 'fc2', i), std });
    }
    nameDropouts(this);
  }

  /**
   * @param x tokens `[B, T]`, int64 or int32; texts shorter than T are filled up at the end, where no other token looks
   * @returns logits of the token that follows each, `[B, T, vocabulary]`
   * @throws ShallowsError for another shape or dtype, or texts longer than the learnt positions
   */
  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return scope(() => {
      const inner = runBlocks(
        this.blocks,
        scope(() => this.embed.forward(x, pass)),
        null,
        pass,
        this.layerDrop,
      );
      const y = this.norm.forward(inner);
      return this.head === null ? (linear.call([y, this.embed.tokens.weight]) as Tensor) : this.head.forward(y, pass);
    });
  }
}

/**
 * A decoder-only transformer that predicts the next token, as GPT-2: pre-norm blocks in which a token sees itself and
 * those before it. Two sites in each block, `blocks.0.attention` and `blocks.0.feedforward`, which count as one layer.
 *
 * Linear layers start from N(0, 0.02²), the last of each branch from N(0, 0.02² / (2 · depth)), biases from 0, tokens
 * and positions as {@link TokenEmbedding} says; all a function of the key. GPT-2's smallest is `vocabulary: 50257,
 * length: 1024, dim: 768, depth: 12, heads: 12`, 124,439,808 parameters; it has the tanh form of GELU, this the exact
 * one.
 *
 * @throws ShallowsError for numbers that are no whole ones from 1, heads that do not divide the dim, or words that are
 *   not known
 * @see Radford et al., "Language models are unsupervised multitask learners", 2019
 */
export function transformerDecoder(options: TransformerDecoderOptions): TransformerDecoder {
  return new TransformerDecoder(options);
}
