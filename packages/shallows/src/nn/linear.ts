import { empty, Operator, scope, type Tensor } from '@shallows/torch';
import { deriveKey, type Key } from '../random/key.js';
import { withDroppedWeight } from './drop-weights.js';
import { kaimingUniform_, uniform_ } from './init.js';
import { Module } from './module.js';
import { Parameter } from './parameter.js';
import { evaluation, type Pass } from './pass.js';
import { Settings } from './settings.js';
import { isActive, type StochasticLayer } from './stochastic.js';

const linear = new Operator('shallows::linear');

/** Options of {@link Linear}. */
export interface LinearOptions {
  /** Where the first weights come from. */
  readonly key: Key;
  readonly bias?: boolean;
}

/** y = x·Wᵀ + b. Input `[…, inFeatures]`, output `[…, outFeatures]`. */
export class Linear extends Module {
  /** `[outFeatures, inFeatures]` */
  readonly weight: Parameter;
  /** `[outFeatures]` */
  readonly bias: Parameter | null;
  /** Drops weights at random, see `attachDropConnect`; null for none. */
  dropConnect: StochasticLayer | null = null;

  /**
   * Starts as PyTorch's layer does: weight and bias from U(−1/√inFeatures, 1/√inFeatures), a function of the key.
   *
   * @throws ShallowsError for sizes that are no whole numbers from 1, or without a key
   */
  constructor(inFeatures: number, outFeatures: number, { key, bias = true }: LinearOptions) {
    super();
    new Settings('Linear')
      .whole('inFeatures', inFeatures, 1)
      .whole('outFeatures', outFeatures, 1)
      .flag('bias', bias)
      .key(key)
      .check('write new Linear(inFeatures, outFeatures, { key })');
    this.weight = uniformWeight([outFeatures, inFeatures], key);
    this.bias = bias ? uniformBias(outFeatures, inFeatures, key) : null;
  }

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    const { weight, bias, dropConnect } = this;
    if (!isActive(dropConnect, pass)) return linear.call([x, weight, bias]) as Tensor;
    return withDroppedWeight(dropConnect, weight, x, pass, (rows, left) => linear.call([rows, left, bias]) as Tensor);
  }
}

/** @internal A weight as PyTorch's layers begin: U(−1/√fanIn, 1/√fanIn), written as Kaiming's with a = √5. */
export function uniformWeight(shape: readonly number[], key: Key): Parameter {
  const options = { key: deriveKey(key, 'weight'), nonlinearity: 'leakyRelu', negativeSlope: Math.sqrt(5) } as const;
  return scope(() => new Parameter(kaimingUniform_(empty(shape), options)));
}

/** @internal A bias as PyTorch's layers begin: U(−1/√fanIn, 1/√fanIn). */
export function uniformBias(size: number, fanIn: number, key: Key): Parameter {
  const bound = 1 / Math.sqrt(fanIn);
  return scope(() => new Parameter(uniform_(empty([size]), { key: deriveKey(key, 'bias'), low: -bound, high: bound })));
}
