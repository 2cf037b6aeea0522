import { Operator, scope, type Tensor } from '@shallows/torch';
import {
  attachDropConnect,
  Dropout,
  type DropRate,
  EmbeddingDropout,
  LockedDropout,
  nameDropouts,
} from '../dropout/index.js';
import { ShallowsError } from '../errors.js';
import { Embedding, evaluation, GRU, Linear, LSTM, Module, type Pass } from '../nn/index.js';
import { Settings } from '../nn/settings.js';
import { deriveKey, type Key } from '../random/index.js';
import { checkRates } from './drop-rates.js';
import { readSteps, type SequenceReading } from './sequence-reading.js';

const notEqual = new Operator('aten::ne', 'Scalar');

/** Options of {@link lstm}; `vocabulary` for tokens, or `inputs` for rows of features. */
export interface LstmOptions {
  /** Different tokens: 0 to vocabulary − 1. */
  readonly vocabulary?: number;
  /** Features of a step. */
  readonly inputs?: number;
  /** Classes, or numbers to predict. */
  readonly outputs: number;
  /** Where the initial weights come from. */
  readonly key: Key;
  /** Features of a token, where there is a vocabulary. */
  readonly dim?: number;
  /** Features of the state. */
  readonly hidden?: number;
  readonly layers?: number;
  readonly bidirectional?: boolean;
  readonly cell?: 'lstm' | 'gru';
  /** What the head reads: the last step, the mean over all, or each by itself. */
  readonly read?: SequenceReading;
  /** The token that fills up short texts at their end: it is not read. Null where there is none. */
  readonly padding?: number | null;
  /** Rate at which whole words are dropped, each in all of the batch (`EmbeddingDropout`). */
  readonly wordDrop?: DropRate;
  /** Rate of a dropout of the input that is locked over time, as are the next three. */
  readonly inputDrop?: DropRate;
  /** Rate of a dropout of what a layer gives to the next. */
  readonly betweenDrop?: DropRate;
  /** Rate of a dropout of the state before, on its way into the gates. */
  readonly hiddenDrop?: DropRate;
  /** Rate of a dropout of the output. */
  readonly outputDrop?: DropRate;
  /** Rate at which weights of the state before are dropped (`DropConnect`, as in AWD-LSTM). */
  readonly weightDrop?: DropRate;
  /** Rate of a plain dropout before the head. */
  readonly headDrop?: DropRate;
}

/** The recurrent network for sequences, as {@link lstm} makes it. */
export class LstmModel extends Module {
  readonly embed: Embedding | null;
  readonly wordDrop: EmbeddingDropout | null;
  readonly rnn: LSTM | GRU;
  readonly headDrop: Dropout;
  readonly head: Linear;
  readonly read: SequenceReading;
  readonly #features: number;

  constructor(options: LstmOptions) {
    super();
    const { outputs, key, dim = 64, hidden = 128, layers = 1, bidirectional = false, cell = 'lstm' } = options;
    const { vocabulary = null, inputs = null, read = 'last', padding = null } = options;
    const { wordDrop = 0, inputDrop = 0, betweenDrop = 0, hiddenDrop = 0 } = options;
    const { outputDrop = 0, weightDrop = 0, headDrop = 0 } = options;
    const locked = { inputDrop, betweenDrop, hiddenDrop, outputDrop };
    const isToken = padding === null || (vocabulary !== null && Number.isSafeInteger(padding) && padding >= 0);
    checkRates(new Settings('lstm'), { wordDrop, ...locked, weightDrop, headDrop })
      .expect((vocabulary === null) !== (inputs === null), 'inputs', 'either inputs or a vocabulary', inputs)
      .whole('vocabulary', vocabulary ?? 1, 1)
      .whole('inputs', inputs ?? 1, 1)
      .whole('outputs', outputs, 1)
      .whole('dim', dim, 1)
      .whole('hidden', hidden, 1)
      .whole('layers', layers, 1)
      .flag('bidirectional', bidirectional)
      .word('cell', cell, ['lstm', 'gru'])
      .word('read', read, ['last', 'mean', 'each'])
      .expect(isToken && !(padding !== null && padding >= (vocabulary ?? 0)), 'padding', 'null or a token', padding)
      .key(key)
      .check('write lstm({ inputs, outputs, key }) or lstm({ vocabulary, outputs, key })');
    this.embed = vocabulary === null ? null : new Embedding(vocabulary, dim, { key: deriveKey(key, 'embed'), padding });
    this.wordDrop = vocabulary === null ? null : new EmbeddingDropout(vocabulary, wordDrop);
    this.#features = inputs ?? dim;
    this.rnn = new (cell === 'lstm' ? LSTM : GRU)(this.#features, hidden, {
      key: deriveKey(key, 'rnn'),
      numLayers: layers,
      bidirectional,
      batchFirst: true,
      dropouts: {
        input: new LockedDropout(inputDrop),
        between: new LockedDropout(betweenDrop),
        hidden: new LockedDropout(hiddenDrop),
        output: new LockedDropout(outputDrop),
      },
    });
    attachDropConnect(this.rnn, weightDrop);
    this.headDrop = new Dropout(headDrop);
    this.head = new Linear((bidirectional ? 2 : 1) * hidden, outputs, { key: deriveKey(key, 'head') });
    this.read = read;
    nameDropouts(this);
  }

  /**
   * @param x tokens `[B, T]`, int64 or int32, or rows of features `[B, T, inputs]`, float
   * @returns `[B, outputs]`, and `[B, T, outputs]` where each step is read
   * @throws ShallowsError for another shape
   */
  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return scope(() => {
      this.#requireInput(x);
      const vectors = this.embed === null ? x : this.embed.forward(x);
      const steps = this.wordDrop === null ? vectors : this.wordDrop.forward(vectors, x, pass);
      const padding = this.embed?.padding ?? null;
      const present = padding === null ? null : (notEqual.call([x, padding]) as Tensor);
      const { rnn, read } = this;
      const { output } = rnn instanceof LSTM ? rnn.forward(steps, null, pass) : rnn.forward(steps, null, pass);
      const y = readSteps(output, read, present, { bidirectional: rnn.bidirectional, hidden: rnn.hiddenSize });
      return this.head.forward(this.headDrop.forward(y, pass), pass);
    });
  }

  #requireInput({ shape }: Tensor): void {
    const fits = this.embed === null ? shape.length === 3 && shape[2] === this.#features : shape.length === 2;
    if (fits && (shape[1] ?? 0) > 0) return;
    const wanted = this.embed === null ? `[B, T, ${this.#features}]` : 'tokens [B, T]';
    throw new ShallowsError(
      `lstm: expected ${wanted} with T from 1, got [${shape.join(', ')}] - give a batch of sequences`,
    );
  }
}

/**
 * A recurrent network for sequences of tokens or of features: an embedding for tokens, an LSTM or GRU, and a head that reads
 * its last step, their mean, or each. With `read: 'each'` it forecasts or labels every step.
 *
 * Its dropouts are those of Gal and Ghahramani (2016), one mask for all steps, and of AWD-LSTM (Merity et al. 2018): input,
 * between layers, state, output, words, and weights of the state. Keys are `embed.weight`, `rnn.weight_ih_l0`, …,
 * `head.weight`; all starts as in PyTorch, tokens from N(0, 1), a function of the key.
 *
 * Padding stands at the end. It does not count in the last step or the mean; the second direction begins with it.
 *
 * @throws ShallowsError for sizes that are no whole numbers from 1, rates outside [0, 1], or words that are not known
 * @see Gal and Ghahramani, "A theoretically grounded application of dropout in recurrent neural networks", NeurIPS 2016
 */
export function lstm(options: LstmOptions): LstmModel {
  return new LstmModel(options);
}
