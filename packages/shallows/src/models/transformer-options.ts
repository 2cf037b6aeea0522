import type { DropRate } from '../dropout/index.js';
import { Settings } from '../nn/settings.js';
import type { Key } from '../random/index.js';
import { checkRates } from './drop-rates.js';
import type { Positions } from './transformer-tokens.js';

/** What an encoder and a decoder have in common. */
export interface TransformerOptions {
  /** Different tokens: 0 to vocabulary − 1. */
  readonly vocabulary: number;
  /** Where the initial weights come from. */
  readonly key: Key;
  /** The most tokens of a text, for learnt positions; waves hold for any. */
  readonly length?: number;
  readonly positions?: Positions;
  /** Features of a token. */
  readonly dim?: number;
  /** Blocks. */
  readonly depth?: number;
  readonly heads?: number;
  /** Features inside the feed-forward branches, as a multiple of `dim`. */
  readonly mlpRatio?: number;
  /** Rate at which whole words are dropped, each in all of the batch (`EmbeddingDropout`). */
  readonly wordDrop?: DropRate;
  /** Rate of a dropout of the tokens at their positions. */
  readonly embedDrop?: DropRate;
  /** Rate of a dropout of the attention weights. */
  readonly attnDrop?: DropRate;
  /** Rate of a dropout of the output of each branch. */
  readonly projDrop?: DropRate;
  /** Rate of a dropout inside of the feed-forward branches; `projDrop` unless given, as in PyTorch and timm. */
  readonly hiddenDrop?: DropRate;
  /** Rate at which whole blocks are dropped (`layerDrop`). */
  readonly layerDrop?: DropRate;
}

/** The options with their defaults. */
export interface TransformerSizes {
  readonly length: number;
  readonly positions: Positions;
  readonly dim: number;
  readonly depth: number;
  readonly heads: number;
  /** Features inside the feed-forward branches. */
  readonly hidden: number;
  /** Those of each block. */
  readonly rates: { readonly attnDrop: DropRate; readonly projDrop: DropRate; readonly hiddenDrop: DropRate };
  readonly wordDrop: DropRate;
  readonly embedDrop: DropRate;
  readonly layerDrop: DropRate;
}

/**
 * Fills in the defaults and checks all options of a transformer at once, with those of `more`.
 *
 * @throws ShallowsError naming every option that is wrong
 */
export function checkTransformer(
  fn: string,
  options: TransformerOptions,
  more: (settings: Settings) => Settings,
): TransformerSizes {
  const {
    vocabulary,
    key,
    positions = 'learned',
    dim = 256,
    depth = 6,
    heads = 8,
    mlpRatio = 4,
    length = 512,
  } = options;
  const { wordDrop = 0, embedDrop = 0, attnDrop = 0, projDrop = 0, hiddenDrop = projDrop, layerDrop = 0 } = options;
  const rates = { attnDrop, projDrop, hiddenDrop };
  const hidden = Math.floor(dim * mlpRatio);
  const settings = checkRates(new Settings(fn), { wordDrop, embedDrop, ...rates, layerDrop })
    .whole('vocabulary', vocabulary, 1)
    .whole('length', length, 1)
    .word('positions', positions, ['learned', 'sinusoidal'])
    .whole('dim', dim, 1)
    .expect(positions !== 'sinusoidal' || dim % 2 !== 1, 'dim', 'an even number for waves', dim)
    .whole('depth', depth, 1)
    .whole('heads', heads, 1)
    .expect(!(dim % heads > 0), 'heads', `a divisor of the dim ${dim}`, heads)
    .number('mlpRatio', mlpRatio, `with a hidden feature for a dim of ${dim}`, () => !(hidden < 1))
    .key(key);
  more(settings).check(
    `write ${fn}({ vocabulary, ${fn === 'transformerEncoder' ? 'classes, ' : ''}length, dim, depth, heads, key })`,
  );
  return { length, positions, dim, depth, heads, hidden, rates, wordDrop, embedDrop, layerDrop };
}
