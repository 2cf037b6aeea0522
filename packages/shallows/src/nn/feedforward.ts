import { Operator, type Tensor } from '@shallows/torch';
import { deriveKey, type Key } from '../random/key.js';
import { Linear } from './linear.js';
import { Module } from './module.js';
import { evaluation, type Pass } from './pass.js';
import { Settings } from './settings.js';
import type { StochasticLayer } from './stochastic.js';

const gelu = new Operator('aten::gelu');

/** Options of {@link FeedForward}. */
export interface FeedForwardOptions {
  /** Features between the two products. */
  readonly hidden: number;
  /** Where the first weights come from. */
  readonly key: Key;
  /** A dropout between the two products. */
  readonly drop1?: StochasticLayer | null;
  /** A dropout of the output. */
  readonly drop2?: StochasticLayer | null;
}

/** y = fc2(gelu(fc1(x))), each token for itself. Input and output `[…, dim]`. (Vaswani et al. 2017, with GELU.) */
export class FeedForward extends Module {
  readonly fc1: Linear;
  readonly drop1: StochasticLayer | null;
  readonly fc2: Linear;
  readonly drop2: StochasticLayer | null;

  /**
   * Both products start as {@link Linear} does.
   *
   * @throws ShallowsError for sizes that are no whole numbers from 1, or without a key
   */
  constructor(dim: number, { hidden, key, drop1 = null, drop2 = null }: FeedForwardOptions) {
    super();
    new Settings('FeedForward')
      .whole('dim', dim, 1)
      .whole('hidden', hidden, 1)
      .key(key)
      .check('write new FeedForward(dim, { hidden, key })');
    this.fc1 = new Linear(dim, hidden, { key: deriveKey(key, 'fc1') });
    this.drop1 = drop1;
    this.fc2 = new Linear(hidden, dim, { key: deriveKey(key, 'fc2') });
    this.drop2 = drop2;
  }

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    const inner = gelu.call([this.fc1.forward(x, pass)], { approximate: 'none' }) as Tensor;
    const y = this.fc2.forward(this.drop1 === null ? inner : this.drop1.forward(inner, pass), pass);
    return this.drop2 === null ? y : this.drop2.forward(y, pass);
  }
}
