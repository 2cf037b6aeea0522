import { Operator, type Tensor } from '@shallows/torch';
import { Module } from './module.js';

const operators = {
  relu: new Operator('aten::relu'),
  gelu: new Operator('aten::gelu'),
  silu: new Operator('aten::silu'),
  tanh: new Operator('aten::tanh'),
  sigmoid: new Operator('aten::sigmoid'),
};

/** max(x, 0). Any shape. */
export class ReLU extends Module {
  override forward(x: Tensor): Tensor {
    return operators.relu.call([x]) as Tensor;
  }
}

/** x · Φ(x), or its tanh approximation (Hendrycks and Gimpel 2016). Any shape. */
export class GELU extends Module {
  readonly approximate: 'none' | 'tanh';

  constructor({ approximate = 'none' }: { readonly approximate?: 'none' | 'tanh' } = {}) {
    super();
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

/** tanh(x). Any shape. */
export class Tanh extends Module {
  override forward(x: Tensor): Tensor {
    return operators.tanh.call([x]) as Tensor;
  }
}

/** 1 / (1 + e⁻ˣ). Any shape. */
export class Sigmoid extends Module {
  override forward(x: Tensor): Tensor {
    return operators.sigmoid.call([x]) as Tensor;
  }
}
