import { empty, noGrad, Operator, scope, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../errors.js';
import { deriveKey, type Key } from '../random/key.js';
import { attend, attentionWeights } from './attend.js';
import { mergeMasks } from './attention-masks.js';
import { xavierUniform_ } from './init.js';
import { Linear } from './linear.js';
import { Module } from './module.js';
import { Parameter } from './parameter.js';
import { evaluation, type Pass } from './pass.js';
import { Settings } from './settings.js';
import type { StochasticLayer } from './stochastic.js';

const linear = new Operator('shallows::linear');
const chunk = new Operator('aten::chunk');
const transpose = new Operator('aten::transpose', 'int');
const reshape = new Operator('aten::reshape');
const matmul = new Operator('aten::matmul');
const mean = new Operator('aten::mean', 'dim');
const zero_ = new Operator('aten::zero_');

/** Options of {@link MultiheadAttention}. */
export interface MultiheadAttentionOptions {
  /** Where the first weights come from. */
  readonly key: Key;
  /** A dropout of the attention weights. */
  readonly dropout?: StochasticLayer | null;
  readonly bias?: boolean;
  /** Features of the keys, where they are not `embedDim`. */
  readonly kdim?: number;
  /** Features of the values, where they are not `embedDim`. */
  readonly vdim?: number;
  /** Whether the batch is the first dimension rather than the second, which is PyTorch's default. */
  readonly batchFirst?: boolean;
}

/** What a query of {@link MultiheadAttention} may look at. */
export interface AttentionMasks {
  /** `[B, S]`: bool, **true** where a key is left out, or floats that are added to its scores. */
  readonly keyPaddingMask?: Tensor | null;
  /** `[T, S]` or `[B · heads, T, S]`: bool, **true** where a query may not look, or floats that are added. */
  readonly attnMask?: Tensor | null;
  /** Whether a query sees only the keys up to its own position. */
  readonly isCausal?: boolean;
}

/** The output and the weights that it is a mean by. */
export interface AttentionResult {
  /** As of `forward`. */
  readonly output: Tensor;
  /** `[B, T, S]`, the mean over heads, or `[B, heads, T, S]`; after dropout, where it is active. */
  readonly weights: Tensor;
}

/**
 * PyTorch's multi-head attention: y = outProj(concat over heads of softmax(q·kᵀ / √d) · v), with d = embedDim / heads
 * (Vaswani et al. 2017). Queries `[T, B, embedDim]`, keys `[S, B, kdim]`, values `[S, B, vdim]`, output `[T, B, embedDim]`;
 * `[B, T, …]` with `batchFirst`.
 *
 * Masks are PyTorch's too: **true hides**, where `SelfAttention` and `scaled_dot_product_attention` take true for what may be
 * seen. A query that may look nowhere gets 0 from all heads, not NaN.
 */
export class MultiheadAttention extends Module<
  readonly [query: Tensor, keys?: Tensor, values?: Tensor, masks?: AttentionMasks]
> {
  /** For queries, keys and values, `[3 · embedDim, embedDim]`; null where they have different features. */
  readonly inProjWeight: Parameter | null;
  /** `[embedDim, embedDim]`, where there is no `inProjWeight` */
  readonly qProjWeight: Parameter | null;
  /** `[embedDim, kdim]`, where there is no `inProjWeight` */
  readonly kProjWeight: Parameter | null;
  /** `[embedDim, vdim]`, where there is no `inProjWeight` */
  readonly vProjWeight: Parameter | null;
  /** `[3 · embedDim]` */
  readonly inProjBias: Parameter | null;
  readonly outProj: Linear;
  readonly dropout: StochasticLayer | null;
  readonly heads: number;
  readonly batchFirst: boolean;

  /**
   * Starts as PyTorch's does: input weights by Xavier's uniform fill, biases 0, the output as {@link Linear} but with a bias of 0.
   *
   * @throws ShallowsError for sizes that are no whole numbers from 1, heads that do not divide embedDim, or without a key
   */
  constructor(embedDim: number, heads: number, options: MultiheadAttentionOptions) {
    super();
    const { key, dropout = null, bias = true, kdim = embedDim, vdim = embedDim, batchFirst = false } = options;
    new Settings('MultiheadAttention')
      .whole('embedDim', embedDim, 1)
      .whole('heads', heads, 1)
      .expect(!(Number(embedDim) % Number(heads) > 0), 'heads', `a divisor of the embedDim ${embedDim}`, heads)
      .whole('kdim', kdim, 1)
      .whole('vdim', vdim, 1)
      .flag('bias', bias)
      .flag('batchFirst', batchFirst)
      .key(key)
      .check('write new MultiheadAttention(embedDim, heads, { key })');
    const weight = (name: string, rows: number, columns: number): Parameter =>
      scope(() => new Parameter(xavierUniform_(empty([rows, columns]), { key: deriveKey(key, name) })));
    const alike = kdim === embedDim && vdim === embedDim;
    this.inProjWeight = alike ? weight('inProj', 3 * embedDim, embedDim) : null;
    this.qProjWeight = alike ? null : weight('qProj', embedDim, embedDim);
    this.kProjWeight = alike ? null : weight('kProj', embedDim, kdim);
    this.vProjWeight = alike ? null : weight('vProj', embedDim, vdim);
    this.inProjBias = bias ? scope(() => new Parameter(zeroed(empty([3 * embedDim])))) : null;
    this.outProj = new Linear(embedDim, embedDim, { key: deriveKey(key, 'outProj'), bias });
    if (this.outProj.bias !== null) zeroed(this.outProj.bias);
    this.dropout = dropout;
    this.heads = heads;
    this.batchFirst = batchFirst;
  }

  /**
   * @param keys the query itself unless given; `values` the keys
   * @throws ShallowsError for inputs without a batch, of other features or lengths, and masks of other shapes or dtypes
   */
  override forward(
    query: Tensor,
    keys: Tensor = query,
    values: Tensor = keys,
    masks: AttentionMasks = {},
    pass: Pass = evaluation,
  ): Tensor {
    return scope(() => {
      const [q, k, v] = this.#project(query, keys, values);
      const rules = { ...this.#rules(masks, q, k), dropout: this.dropout };
      return this.#output(attend({ query: q, keys: k, values: v }, rules, pass), pass);
    });
  }

  /**
   * As `forward`, with the weights: slower, as they have to be made.
   *
   * @param average whether the weights are their mean over the heads
   */
  attend(
    query: Tensor,
    keys: Tensor = query,
    values: Tensor = keys,
    { average = true, ...masks }: AttentionMasks & { readonly average?: boolean } = {},
    pass: Pass = evaluation,
  ): AttentionResult {
    return scope(() => {
      const [q, k, v] = this.#project(query, keys, values);
      const { mask, causal } = this.#rules(masks, q, k);
      const plain = attentionWeights(q, k, mask, causal);
      const weights = this.dropout === null ? plain : this.dropout.forward(plain, pass);
      const output = this.#output(matmul.call([weights, v]) as Tensor, pass);
      return { output, weights: average ? (mean.call([weights, [1]]) as Tensor) : weights };
    });
  }

  /** Queries, keys and values by head, `[B, heads, T or S, d]`. */
  #project(query: Tensor, keys: Tensor, values: Tensor): readonly [Tensor, Tensor, Tensor] {
    const inputs = [query, keys, values] as const;
    this.#requireInputs(inputs);
    const projected = this.#products(inputs).map((each) => {
      const rows = this.batchFirst ? each : (transpose.call([each, 0, 1]) as Tensor);
      const [batch = 0, tokens = 0, dim = 0] = rows.shape;
      return transpose.call([reshape.call([rows, [batch, tokens, this.heads, dim / this.heads]]), 1, 2]) as Tensor;
    });
    return projected as unknown as readonly [Tensor, Tensor, Tensor];
  }

  #products([query, keys, values]: readonly [Tensor, Tensor, Tensor]): readonly Tensor[] {
    const { inProjWeight, inProjBias } = this;
    if (inProjWeight !== null && query === keys && keys === values) {
      return chunk.call([linear.call([query, inProjWeight, inProjBias]), 3, -1]) as Tensor[];
    }
    const weights =
      inProjWeight === null
        ? [this.qProjWeight, this.kProjWeight, this.vProjWeight]
        : (chunk.call([inProjWeight, 3]) as Tensor[]);
    const biases = inProjBias === null ? [null, null, null] : (chunk.call([inProjBias, 3]) as Tensor[]);
    return [query, keys, values].map((each, i) => linear.call([each, weights[i], biases[i]]) as Tensor);
  }

  #rules(
    masks: AttentionMasks,
    query: Tensor,
    keys: Tensor,
  ): { readonly mask: Tensor | null; readonly causal: boolean } {
    const [batch = 0, heads = 0, tokens = 0] = query.shape;
    const mask = mergeMasks(masks, { batch, heads, tokens, keys: keys.shape[2] ?? 0, dtype: query.dtype });
    // The fused operator takes a mask or causality, so that a mask has both.
    return { mask, causal: mask === null && masks.isCausal === true };
  }

  #output(heads: Tensor, pass: Pass): Tensor {
    const [batch = 0, , tokens = 0] = heads.shape;
    const joined = reshape.call([transpose.call([heads, 1, 2]), [batch, tokens, -1]]) as Tensor;
    const y = this.outProj.forward(joined, pass);
    return this.batchFirst ? y : (transpose.call([y, 0, 1]) as Tensor);
  }

  #requireInputs([query, keys, values]: readonly [Tensor, Tensor, Tensor]): void {
    const shapes = [query, keys, values].map(({ shape }) => shape);
    const [q = [], k = [], v = []] = shapes;
    const [batch, length] = this.batchFirst ? [0, 1] : [1, 0];
    const alike = shapes.every((shape) => shape.length === 3 && shape[batch] === q[batch]);
    if (alike && k[length] === v[length]) return;
    const layout = this.batchFirst ? '[B, T, E], [B, S, E] and [B, S, E]' : '[T, B, E], [S, B, E] and [S, B, E]';
    throw new ShallowsError(
      `MultiheadAttention: expected ${layout}, got ${shapes.map((shape) => `[${shape.join(', ')}]`).join(', ')} - ` +
        `${this.batchFirst ? 'put' : 'say batchFirst: true, or put'} the dimensions in this order`,
    );
  }
}

function zeroed<T extends Tensor>(tensor: T): T {
  noGrad(() => zero_.call([tensor]));
  return tensor;
}
