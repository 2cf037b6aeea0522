import { empty, Operator, type Tensor } from '@shallows/torch';
import { deriveKey, type Key } from '../random/key.js';
import { kaimingUniform_, uniform_ } from './init.js';
import { Module } from './module.js';
import { Parameter } from './parameter.js';

const linear = new Operator('aten::linear');

/** y = x·Wᵀ + b. Input `[…, inFeatures]`, output `[…, outFeatures]`. */
export class Linear extends Module {
  /** `[outFeatures, inFeatures]` */
  readonly weight: Parameter;
  /** `[outFeatures]` */
  readonly bias: Parameter | null;

  /** Starts as PyTorch's layer does: weight and bias from U(−1/√inFeatures, 1/√inFeatures), a function of the key. */
  constructor(inFeatures: number, outFeatures: number, { key, bias = true }: { readonly key: Key; readonly bias?: boolean }) {
    super();
    this.weight = new Parameter(
      kaimingUniform_(empty([outFeatures, inFeatures]), {
        key: deriveKey(key, 'weight'),
        nonlinearity: 'leakyRelu',
        negativeSlope: Math.sqrt(5),
      }),
    );
    const bound = 1 / Math.sqrt(inFeatures);
    this.bias = bias
      ? new Parameter(uniform_(empty([outFeatures]), { key: deriveKey(key, 'bias'), low: -bound, high: bound }))
      : null;
  }

  override forward(x: Tensor): Tensor {
    return linear.call([x, this.weight, this.bias]) as Tensor;
  }
}
