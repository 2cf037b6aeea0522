import { Operator, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../errors.js';
import { deriveKey, type Key } from '../random/key.js';
import { attend } from './attend.js';
import { Linear } from './linear.js';
import { Module } from './module.js';
import { evaluation, type Pass } from './pass.js';
import { Settings } from './settings.js';
import type { StochasticLayer } from './stochastic.js';

const reshape = new Operator('aten::reshape');
const permute = new Operator('aten::permute');
const unbind = new Operator('aten::unbind', 'int');
const transpose = new Operator('aten::transpose', 'int');

/** Options of {@link SelfAttention}. */
export interface SelfAttentionOptions {
  /** Heads that attend apart, each with dim / heads features. */
  readonly heads: number;
  /** Where the first weights come from. */
  readonly key: Key;
  /** Whether a token sees only itself and those before it. */
  readonly causal?: boolean;
  /** A dropout of the attention weights; where it is active the fused operator is not used. */
  readonly attnDrop?: StochasticLayer | null;
  /** A dropout of the output. */
  readonly projDrop?: StochasticLayer | null;
}

/**
 * Multi-head self-attention: y = proj(concat over heads of softmax(q·kᵀ / √d) · v), with q, k, v of one product `qkv`
 * and d = dim / heads (Vaswani et al. 2017). Input and output `[B, T, dim]`.
 */
export class SelfAttention extends Module<readonly [x: Tensor, mask?: Tensor | null]> {
  /** To queries, keys and values, in this order, each by heads. */
  readonly qkv: Linear;
  readonly proj: Linear;
  readonly attnDrop: StochasticLayer | null;
  readonly projDrop: StochasticLayer | null;
  readonly heads: number;
  readonly causal: boolean;
  readonly #headDim: number;

  /**
   * Both products start as {@link Linear} does.
   *
   * @throws ShallowsError for a dim that is no whole number from 1, heads that do not divide it, or without a key
   */
  constructor(dim: number, { heads, key, causal = false, attnDrop = null, projDrop = null }: SelfAttentionOptions) {
    super();
    new Settings('SelfAttention')
      .whole('dim', dim, 1)
      .whole('heads', heads, 1)
      .expect(!(Number(dim) % Number(heads) > 0), 'heads', `a divisor of the dim ${dim}`, heads)
      .flag('causal', causal)
      .key(key)
      .check('write new SelfAttention(dim, { heads, key })');
    this.qkv = new Linear(dim, 3 * dim, { key: deriveKey(key, 'qkv') });
    this.proj = new Linear(dim, dim, { key: deriveKey(key, 'proj') });
    this.attnDrop = attnDrop;
    this.projDrop = projDrop;
    this.heads = heads;
    this.causal = causal;
    this.#headDim = dim / heads;
  }

  /**
   * @param mask bool, true where a query may look, or floats that are added to q·kᵀ / √d; broadcast to `[B, heads, T,
   *   T]`. A query that may look nowhere gets 0 from all heads.
   * @throws ShallowsError for a mask where attention is causal
   */
  override forward(x: Tensor, mask: Tensor | null = null, pass: Pass = evaluation): Tensor {
    if (this.causal && mask !== null) {
      throw new ShallowsError(
        'SelfAttention: expected no mask beside causal: true, got one - ' +
          'padding after the last token needs none, as no token sees what follows',
      );
    }
    const [batch = 0, tokens = 0, dim = 0] = x.shape;
    const parts = reshape.call([this.qkv.forward(x, pass), [batch, tokens, 3, this.heads, this.#headDim]]);
    const [query, keys, values] = unbind.call([permute.call([parts, [2, 0, 3, 1, 4]])]) as [Tensor, Tensor, Tensor];
    const rules = { mask, causal: this.causal, dropout: this.attnDrop };
    const heads = attend({ query, keys, values }, rules, pass);
    const joined = reshape.call([transpose.call([heads, 1, 2]), [-1, tokens, dim]]) as Tensor;
    const y = this.proj.forward(joined, pass);
    return this.projDrop === null ? y : this.projDrop.forward(y, pass);
  }
}
