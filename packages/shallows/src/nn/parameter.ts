import { keep, Tensor } from '@shallows/torch';

/** A tensor that a module learns: a leaf with gradient, found by its field's name. Lives until it is disposed. */
export class Parameter extends Tensor {
  /** @param data the first values, any shape; the parameter shares their memory */
  constructor(data: Tensor, { requiresGrad = true }: { readonly requiresGrad?: boolean } = {}) {
    super(data.isLeaf && !data.requiresGrad ? data : data.detach());
    if (requiresGrad) this.requiresGrad = true;
    keep(this);
  }
}

/** A tensor that belongs to a module's state but is not learnt, such as a running mean. Lives until it is disposed. */
export class Buffer extends Tensor {
  /** @param data the first values, any shape; the buffer shares their memory */
  constructor(data: Tensor) {
    super(data.requiresGrad ? data.detach() : data);
    keep(this);
  }
}
