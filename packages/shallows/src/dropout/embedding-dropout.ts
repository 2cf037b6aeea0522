import { Operator, scope, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../errors.js';
import { evaluation, type Pass } from '../nn/pass.js';
import { rowKeysSlot } from '../nn/row-keys.js';
import { Settings } from '../nn/settings.js';
import { spread } from '../nn/spread.js';
import { dropAndScale, requireReal } from './apply.js';
import { nextDraws } from './draws.js';
import type { DropoutModuleOptions, DropoutOptions } from './dropout.js';
import { DropoutModule } from './dropout-module.js';
import { drawMask } from './mask.js';
import { type DropRate, rateIn, requireRate } from './rate.js';

const lookUp = new Operator('aten::embedding');
const gather = new Operator('aten::gather');
const flatten = new Operator('aten::flatten', 'using_ints');
const reshape = new Operator('aten::reshape');
const toDType = new Operator('aten::to', 'dtype');

/** Who has one mask in common: all texts of a batch (AWD-LSTM), or each text has its own (Gal and Ghahramani). */
export type WordSharing = 'batch' | 'row';

/** Which words there are. */
export interface WordOptions {
  /** Different tokens: 0 to entries − 1. */
  readonly entries: number;
  readonly sharing?: WordSharing;
}

/**
 * Drops whole words: all places of a token get 0 with probability p, else their vector times 1 / (1 − p). Which tokens, is
 * decided once for the batch or for each of its rows, so that a word that is gone is gone everywhere.
 *
 * All else is as in `dropout`. In passes with keys for rows each row has its own words.
 *
 * @param vectors those of the tokens, `[…, F]`
 * @param tokens int64 or int32, `[…]`, the first dimension the batch
 * @throws ShallowsError for vectors that are not those of the tokens, and as `dropout`
 * @see Gal and Ghahramani, "A theoretically grounded application of dropout in recurrent neural networks", NeurIPS 2016,
 *   https://arxiv.org/abs/1512.05287; Merity et al., "Regularizing and optimizing LSTM language models", ICLR 2018,
 *   https://arxiv.org/abs/1708.02182
 */
export function embeddingDropout(
  vectors: Tensor,
  tokens: Tensor,
  p: number,
  pass: Pass,
  { name, entries, sharing = 'batch' }: DropoutOptions & WordOptions,
): Tensor {
  requireRate('embeddingDropout', p);
  requireWords('embeddingDropout', { entries, sharing });
  return dropWords('embeddingDropout', vectors, tokens, rateIn(pass, name, p, null), { entries, sharing }, pass, name);
}

/** {@link embeddingDropout} as a module: `forward(vectors, tokens, pass)`. */
export class EmbeddingDropout extends DropoutModule<readonly [vectors: Tensor, tokens: Tensor]> {
  readonly entries: number;
  readonly sharing: WordSharing;

  /**
   * @param entries different tokens, as of the embedding
   * @throws ShallowsError for a rate outside [0, 1], NaN included, a schedule that is none, or entries below 1
   */
  constructor(
    entries: number,
    rate: DropRate = 0.1,
    { name, sharing = 'batch' }: DropoutModuleOptions & { readonly sharing?: WordSharing } = {},
  ) {
    requireWords('EmbeddingDropout', { entries, sharing });
    super('embedding-dropout', { fn: 'EmbeddingDropout', granularity: 'word', scaling: 'inverted', rate, name });
    this.entries = entries;
    this.sharing = sharing;
  }

  /**
   * @param vectors `[…, F]`
   * @param tokens int64 or int32, `[…]`
   */
  override forward(vectors: Tensor, tokens: Tensor, pass: Pass = evaluation): Tensor {
    return dropWords('EmbeddingDropout', vectors, tokens, this.site.rateIn(pass), this, pass, this.site.name);
  }
}

function dropWords(
  fn: string,
  vectors: Tensor,
  tokens: Tensor,
  rate: number,
  { entries, sharing = 'batch' }: WordOptions,
  pass: Pass,
  name: string,
): Tensor {
  requireReal(fn, vectors);
  const places = tokens.shape;
  const { shape, dtype, device } = vectors;
  if (shape.length !== places.length + 1 || places.some((size, i) => size !== shape[i])) {
    throw new ShallowsError(
      `${fn}: expected vectors [${[...places, 'F'].join(', ')}] of the tokens, got [${shape.join(', ')}] - give both of one look-up`,
    );
  }
  if (rate === 0) return vectors;
  return scope(() => {
    const all = spread(vectors, pass, name);
    const theirs = spread(tokens, pass, name);
    const rows = theirs.shape[0] ?? 1;
    const draws = nextDraws(fn, pass, name, theirs.shape[0]);
    const own = places.length > 0 && (sharing === 'row' || pass.get(rowKeysSlot) !== undefined);
    const words = drawMask(draws, rate, { shape: own ? [rows, entries] : [entries, 1], dtype, device });
    return dropAndScale(all, own ? ofRows(words, theirs) : (lookUp.call([words, theirs]) as Tensor), rate);
  });
}

/** Whether each token is kept, `[…, 1]`, by the words `[rows, entries]` of its row. */
function ofRows(words: Tensor, tokens: Tensor): Tensor {
  const { shape } = tokens;
  const wide = tokens.dtype === 'int64' ? tokens : toDType.call([tokens, 'int64']);
  const found = gather.call([words, 1, shape.length === 1 ? reshape.call([wide, [-1, 1]]) : flatten.call([wide, 1])]);
  return reshape.call([found, [...shape, 1]]) as Tensor;
}

function requireWords(fn: string, { entries, sharing }: Required<WordOptions>): void {
  new Settings(fn)
    .whole('entries', entries, 1)
    .word('sharing', sharing, ['batch', 'row'])
    .check('give the entries of the embedding');
}
