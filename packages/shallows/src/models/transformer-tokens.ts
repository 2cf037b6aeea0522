import { arange, type Device, type DType, Operator, scope, stack, type Tensor } from '@shallows/torch';
import { Dropout, type DropRate, EmbeddingDropout } from '../dropout/index.js';
import { ShallowsError } from '../errors.js';
import { Embedding, evaluation, Module, type Pass } from '../nn/index.js';
import { deriveKey, type Key } from '../random/index.js';

const narrow = new Operator('aten::narrow');
const add_ = new Operator('aten::add_', 'Tensor');
const mul = new Operator('aten::mul', 'Tensor');

/** Where positions come from: a learnt table, or sines and cosines, which hold for any length. */
export type Positions = 'learned' | 'sinusoidal';

/** Options of {@link TokenEmbedding}; whoever makes one has checked them. */
export interface TokenEmbeddingOptions {
  readonly key: Key;
  readonly vocabulary: number;
  readonly dim: number;
  readonly positions: Positions;
  /** The most tokens of a text, for learnt positions. */
  readonly length: number;
  readonly padding: number | null;
  readonly wordDrop?: DropRate;
  readonly embedDrop?: DropRate;
}

/**
 * Tokens to vectors with their positions: `[B, T]` to `[B, T, dim]`.
 *
 * - `learned`: tokens[x] + positions[t], both from N(0, 0.02²) (Radford et al. 2019).
 * - `sinusoidal`: √dim · tokens[x] + p(t), tokens from N(0, 1 / dim), p as {@link sinusoidalPositions} (Vaswani et al.
 *   2017).
 *
 * Words are dropped before positions are added, numbers after it.
 */
export class TokenEmbedding extends Module {
  readonly tokens: Embedding;
  readonly positions: Embedding | null;
  readonly wordDrop: EmbeddingDropout;
  readonly dropout: Dropout;
  readonly #scale: number | null;

  constructor(options: TokenEmbeddingOptions) {
    super();
    const { key, vocabulary, dim, positions, length, padding, wordDrop = 0, embedDrop = 0 } = options;
    const learned = positions === 'learned';
    const std = learned ? 0.02 : dim ** -0.5;
    this.tokens = new Embedding(vocabulary, dim, { key: deriveKey(key, 'tokens'), std, padding });
    this.positions = learned ? new Embedding(length, dim, { key: deriveKey(key, 'positions'), std }) : null;
    this.wordDrop = new EmbeddingDropout(vocabulary, wordDrop);
    this.dropout = new Dropout(embedDrop);
    this.#scale = learned ? null : Math.sqrt(dim);
  }

  /** @throws ShallowsError for what is no batch of tokens, or more of them than there are learnt positions */
  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return this.dropout.forward(this.#atPositions(x, pass), pass);
  }

  #atPositions(x: Tensor, pass: Pass): Tensor {
    const length = lengthOf(x, this.positions?.weight.shape[0] ?? Number.POSITIVE_INFINITY);
    const vectors = this.wordDrop.forward(this.tokens.forward(x), x, pass);
    if (this.positions !== null) {
      return add_.call([vectors, narrow.call([this.positions.weight, 0, 0, length])]) as Tensor;
    }
    const { dtype, device, shape } = vectors;
    const waves = sinusoidalPositions(length, shape[2] ?? 0, { dtype, device });
    return add_.call([mul.call([vectors, this.#scale]), waves]) as Tensor;
  }
}

/**
 * Positions as waves of `dim` / 2 lengths from 2π to 10000 · 2π: p[t, 2i] = sin(t / 10000^(2i / dim)), p[t, 2i + 1] its
 * cosine.
 *
 * @param dim even
 * @returns `[length, dim]`
 * @see Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.5
 */
export function sinusoidalPositions(
  length: number,
  dim: number,
  { dtype = 'float32', device = 'cpu' }: { readonly dtype?: DType; readonly device?: Device } = {},
): Tensor {
  // A half-precision angle would be off by whole turns.
  const wide = { dtype: dtype === 'float64' ? dtype : 'float32', device } as const;
  return scope(() => {
    const rates = arange(0, dim, 2, wide)
      .mul(-Math.log(10000) / dim)
      .exp();
    const angles = arange(0, length, 1, wide).unsqueeze(1).mul(rates);
    return stack([angles.sin(), angles.cos()], -1).reshape([length, dim]).to(dtype);
  });
}

function lengthOf(tokens: Tensor, most: number): number {
  const { shape, dtype } = tokens;
  const [, length = 0] = shape;
  if (shape.length === 2 && length <= most && (dtype === 'int64' || dtype === 'int32')) return length;
  const limit = Number.isFinite(most) ? `, T at most ${most},` : '';
  throw new ShallowsError(
    `TokenEmbedding: expected tokens [B, T]${limit} of int64 or int32, got [${shape.join(', ')}] of ${dtype} - ` +
      'cut longer texts, or make the model with their length',
  );
}
