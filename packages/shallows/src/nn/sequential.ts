import { scope, type Tensor } from '@shallows/torch';
import { ShallowsError, shown } from '../errors.js';
import { Module } from './module.js';
import { evaluation, type Pass } from './pass.js';

/**
 * Modules one after another: the output of each is the input of the next. Keys are positions as in PyTorch, `0.weight`.
 *
 * What a layer made is freed when the next one has its result, so an evaluation holds two activations, not all of them.
 */
export class Sequential extends Module {
  readonly #layers: readonly Module[];

  /** @throws ShallowsError for a layer that is no module */
  constructor(...layers: readonly Module[]) {
    super();
    for (const [i, layer] of layers.entries()) {
      if (layer instanceof Module) continue;
      throw new ShallowsError(
        `Sequential: expected modules, got ${shown(layer)} at ${i} - pass layers one by one: new Sequential(...list)`,
      );
    }
    this.#layers = layers;
    // Own numbered fields give the keys `0.weight`, `1.bias`, …
    for (const [i, layer] of layers.entries()) Object.defineProperty(this, i, { value: layer, enumerable: true });
  }

  get length(): number {
    return this.#layers.length;
  }

  [Symbol.iterator](): Iterator<Module> {
    return this.#layers[Symbol.iterator]();
  }

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return this.#run(this.#layers.length, x, pass);
  }

  /** The first `count` layers. Each runs in a scope around the one before, which frees that one's result after use. */
  #run(count: number, x: Tensor, pass: Pass): Tensor {
    const layer = this.#layers[count - 1];
    return layer === undefined ? x : scope(() => layer.forward(this.#run(count - 1, x, pass), pass));
  }
}
