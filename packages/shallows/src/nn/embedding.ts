import { empty, noGrad, Operator, scope, type Tensor } from '@shallows/torch';
import { deriveKey, type Key } from '../random/key.js';
import { normal_ } from './init.js';
import { Module } from './module.js';
import { Parameter } from './parameter.js';
import { Settings } from './settings.js';

const embedding = new Operator('aten::embedding');
const select = new Operator('aten::select', 'int');
const zero_ = new Operator('aten::zero_');
const contiguous = new Operator('aten::contiguous');
const renorm_ = new Operator('aten::embedding_renorm_');

/** Options of {@link Embedding}. */
export interface EmbeddingOptions {
  /** Where the first vectors come from. */
  readonly key: Key;
  /** Standard deviation of the first vectors, from 0. */
  readonly std?: number;
  /** The entry that stands for nothing: it starts at 0 and never learns. */
  readonly padding?: number | null;
  /**
   * The most that a vector may measure, above 0: those that are longer are shortened in place when they are looked up, without
   * a gradient; null for no bound.
   */
  readonly maxNorm?: number | null;
  /** p of the norm that `maxNorm` bounds, above 0. */
  readonly normType?: number;
  /** Whether the gradient of a vector is divided by how often it was looked up in the batch. */
  readonly scaleGradByFreq?: boolean;
}

/**
 * A table of vectors: y = weight[x]. Input whole numbers below `entries`, `[…]`, int64 or int32; output `[…,
 * features]`.
 */
export class Embedding extends Module {
  /** `[entries, features]` */
  readonly weight: Parameter;
  readonly padding: number | null;
  readonly maxNorm: number | null;
  readonly normType: number;
  readonly scaleGradByFreq: boolean;

  /**
   * Starts from N(0, std²), a function of the key; PyTorch's layer has a std of 1.
   *
   * @throws ShallowsError for sizes that are no whole numbers from 1, a padding that is no entry, numbers out of range, or without a key
   */
  constructor(entries: number, features: number, options: EmbeddingOptions) {
    super();
    const { key, std = 1, padding = null, maxNorm = null, normType = 2, scaleGradByFreq = false } = options;
    const isEntry = padding === null || (Number.isSafeInteger(padding) && padding >= 0 && !(padding >= entries));
    new Settings('Embedding')
      .whole('entries', entries, 1)
      .whole('features', features, 1)
      .number('std', std, 'from 0', (value) => value >= 0)
      .expect(isEntry, 'padding', `null or a whole number below ${entries}`, padding)
      .number('maxNorm', maxNorm ?? 1, 'above 0, or null', (value) => value > 0)
      .number('normType', normType, 'above 0', (value) => value > 0)
      .flag('scaleGradByFreq', scaleGradByFreq)
      .key(key)
      .check('write new Embedding(entries, features, { key })');
    this.weight = scope(
      () => new Parameter(normal_(empty([entries, features]), { key: deriveKey(key, 'weight'), std })),
    );
    this.padding = padding;
    this.maxNorm = maxNorm;
    this.normType = normType;
    this.scaleGradByFreq = scaleGradByFreq;
    if (padding !== null) noGrad(() => scope(() => zero_.call([select.call([this.weight, 0, padding])])));
  }

  /** @throws TorchError for numbers that are no entries */
  override forward(x: Tensor): Tensor {
    const { weight, maxNorm, normType } = this;
    if (maxNorm !== null) noGrad(() => renorm_.call([weight, contiguous.call([x]), maxNorm, normType]));
    return embedding.call([weight, x, this.padding ?? -1, this.scaleGradByFreq]) as Tensor;
  }
}
