import { Operator, scope, type Tensor } from '@shallows/torch';
import { evaluation, type Pass } from '../nn/pass.js';
import { spread } from '../nn/spread.js';
import { isHalf, requireReal } from './apply.js';
import { nextDraws } from './draws.js';
import type { DropoutModuleOptions, DropoutOptions } from './dropout.js';
import { DropoutModule } from './dropout-module.js';
import { drawNoise } from './mask.js';
import { type DropRate, rateIn, requireRate } from './rate.js';

const mul = new Operator('aten::mul', 'Tensor');
const toDType = new Operator('aten::to', 'dtype');

/**
 * Multiplies by noise: y = x · ε with ε from N(1, p / (1 − p)), each number by itself. Any shape. Mean and variance are those
 * of `dropout` at the rate p, but nothing is dropped: NaN stays where it is.
 *
 * In evaluation and at p = 0 `x` itself is returned. Noise derives from the pass's key, the name and how often it was called in
 * the pass. In half precision the product is formed in float32.
 *
 * @param p in [0, 1); the variance has no bound towards 1
 * @throws ShallowsError for another p, and as `dropout`
 * @see Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 2014, section 10,
 *   https://jmlr.org/papers/v15/srivastava14a.html
 */
export function gaussianDropout(x: Tensor, p: number, pass: Pass = evaluation, options?: DropoutOptions): Tensor {
  const { name } = options ?? { name: '' };
  requireRate('gaussianDropout', p, true);
  return multiply('gaussianDropout', x, rateIn(pass, name, p, null), pass, name);
}

/** {@link gaussianDropout} as a module. */
export class GaussianDropout extends DropoutModule {
  /** @throws ShallowsError for a rate outside [0, 1), NaN included, or a schedule that is none */
  constructor(rate: DropRate = 0.5, { name }: DropoutModuleOptions = {}) {
    super('gaussian-dropout', {
      fn: 'GaussianDropout',
      granularity: 'element',
      scaling: 'noise',
      rate,
      name,
      open: true,
    });
  }

  /** @param x floating-point, any shape */
  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return multiply('GaussianDropout', x, this.site.rateIn(pass), pass, this.site.name);
  }
}

function multiply(fn: string, x: Tensor, rate: number, pass: Pass, name: string): Tensor {
  requireReal(fn, x);
  if (rate === 0) return x;
  return scope(() => {
    const all = spread(x, pass, name);
    const { shape, dtype, device } = all;
    const wide = isHalf(dtype) ? 'float32' : dtype;
    const std = Math.sqrt(rate / (1 - rate));
    const noise = drawNoise(nextDraws(fn, pass, name, shape[0]), std, { shape, dtype: wide, device });
    const product = mul.call([all, noise]) as Tensor;
    return wide === dtype ? product : (toDType.call([product, dtype]) as Tensor);
  });
}
