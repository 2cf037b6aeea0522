import type { Tensor } from '@shallows/torch';
import { Module } from './module.js';
import { evaluation, type Pass } from './pass.js';

/** Modules one after another: the output of each is the input of the next. Keys are positions, as in PyTorch. */
export class Sequential extends Module {
  readonly #layers: readonly Module[];

  constructor(...layers: readonly Module[]) {
    super();
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
    return this.#layers.reduce((y, layer) => layer.forward(y, pass), x);
  }
}
