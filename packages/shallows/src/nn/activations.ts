import { Operator, type Tensor } from '@shallows/torch';
import { Module } from './module.js';
import { Settings } from './settings.js';

const operators = {
  relu: new Operator('aten::relu'),
  gelu: new Operator('aten::gelu'),
  silu: new Operator('aten::silu'),
  selu: new Operator('aten::selu'),
  tanh: new Operator('aten::tanh'),
  sigmoid: new Operator('aten::sigmoid'),
};

/** max(x, 0). Any shape. */
export class ReLU extends Module {
  override forward(x: Tensor): Tensor {
    return operators.relu.call([x]) as Tensor;
  }
}

/** How {@link GELU} computes Φ: exactly, or as ½ · (1 + tanh(√(2/π) · (x + 0.044715 · x³))). */
export type GELUApproximation = 'none' | 'tanh';

/** x · Φ(x), with Φ of the normal distribution (Hendrycks and Gimpel 2016). Any shape. */
export class GELU extends Module {
  readonly approximate: GELUApproximation;

  /** @throws ShallowsError for another approximation */
  constructor({ approximate = 'none' }: { readonly approximate?: GELUApproximation } = {}) {
    super();
    new Settings('GELU').word('approximate', approximate, ['none', 'tanh']).check('write new GELU({ approximate })');
    this.approximate = approximate;
  }

  override forward(x: Tensor): Tensor {
    return operators.gelu.call([x], { approximate: this.approximate }) as Tensor;
  }
}

/** x · σ(x) (Elfwing et al. 2017). Any shape. */
export class SiLU extends Module {
  override forward(x: Tensor): Tensor {
    return operators.silu.call([x]) as Tensor;
  }
}

/**
 * λ·x above 0, λα·(eˣ − 1) below, with λ = 1.0507 and α = 1.6733 (Klambauer et al. 2017). Any shape. For layers whose weights
 * start from N(0, 1 / fanIn), with `AlphaDropout`.
 */
export class SELU extends Module {
  override forward(x: Tensor): Tensor {
    return operators.selu.call([x]) as Tensor;
  }
}

/** tanh(x). Any shape. */
export class Tanh extends Module {
  override forward(x: Tensor): Tensor {
    return operators.tanh.call([x]) as Tensor;
  }
}

/** σ(x) = 1 / (1 + e⁻ˣ). Any shape. */
export class Sigmoid extends Module {
  override forward(x: Tensor): Tensor {
    return operators.sigmoid.call([x]) as Tensor;
  }
}
