import { isTensor, keep, Tensor } from '@shallows/torch';
import { ShallowsError, shown } from '../errors.js';

/**
 * A tensor that a module learns: a leaf with gradient, found by its field's name. Lives until it is disposed, whatever
 * scope it was made in.
 */
export class Parameter extends Tensor {
  /**
   * @param data the first values, any shape; the parameter shares their memory but is a tensor of its own
   * @throws ShallowsError where `data` is no tensor; TorchError for a gradient on integers
   */
  constructor(data: Tensor, { requiresGrad = true }: { readonly requiresGrad?: boolean } = {}) {
    const own = ownTensor('Parameter', data);
    super(own);
    own.dispose();
    keep(this);
    if (!requiresGrad) return;
    try {
      this.requiresGrad = true;
    } catch (error) {
      this.dispose();
      throw error;
    }
  }
}

/**
 * A tensor that belongs to a module's state but is not learnt, such as a running mean. Lives until it is disposed,
 * whatever scope it was made in.
 */
export class Buffer extends Tensor {
  /**
   * @param data the first values, any shape; the buffer shares their memory but is a tensor of its own
   * @throws ShallowsError where `data` is no tensor
   */
  constructor(data: Tensor) {
    const own = ownTensor('Buffer', data);
    super(own);
    own.dispose();
    keep(this);
  }
}

/** Detached, so that `data` itself neither learns nor changes dtype or device with the module. */
function ownTensor(fn: string, data: Tensor): Tensor {
  if (!isTensor(data)) throw new ShallowsError(`${fn}: expected a tensor, got ${shown(data)} - pass the first values`);
  return data.detach();
}
