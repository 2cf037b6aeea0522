import { Operator, ones, scope, type Tensor } from '@shallows/torch';
import { Module } from './module.js';
import { Parameter } from './parameter.js';
import { Settings } from './settings.js';

const rmsNorm = new Operator('aten::rms_norm');

/** Options of {@link RMSNorm}. */
export interface RMSNormOptions {
  /** ε, added to the mean square; from 0. `null` is the distance from 1 to the next number of the input's dtype. */
  readonly eps?: number | null;
  /** Whether there is a γ. */
  readonly affine?: boolean;
}

/**
 * Divides by the root mean square over the last dimensions: y = γ · x / √(mean(x²) + ε). Input and output `[…, ...shape]`.
 * Evaluation and training are the same. (Zhang and Sennrich 2019.)
 */
export class RMSNorm extends Module {
  /** γ, of the normalised shape */
  readonly weight: Parameter | null;
  readonly normalizedShape: readonly number[];
  readonly eps: number | null;

  /**
   * Starts from γ = 1.
   *
   * @param normalizedShape the sizes of the last dimensions, or of the last one
   * @throws ShallowsError for sizes that are no whole numbers from 1, or an ε below 0
   */
  constructor(normalizedShape: number | readonly number[], { eps = null, affine = true }: RMSNormOptions = {}) {
    super();
    const shape = typeof normalizedShape === 'object' ? normalizedShape : [normalizedShape];
    const sizes =
      Array.isArray(shape) && shape.length > 0 && shape.every((size) => Number.isSafeInteger(size) && size > 0);
    new Settings('RMSNorm')
      .expect(sizes, 'normalizedShape', 'a whole number from 1 or a list of them', normalizedShape)
      .number('eps', eps ?? 0, 'from 0, or null', (value) => value >= 0)
      .flag('affine', affine)
      .check('write new RMSNorm(features, { eps, affine })');
    this.weight = affine ? scope(() => new Parameter(ones(shape))) : null;
    this.normalizedShape = [...shape];
    this.eps = eps;
  }

  override forward(x: Tensor): Tensor {
    return rmsNorm.call([x, this.normalizedShape, this.weight, this.eps]) as Tensor;
  }
}
