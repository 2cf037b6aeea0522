import { keep, noGrad, Operator, scope, type Tensor } from '@shallows/torch';
import type { Module } from '../nn/index.js';

const foreachCopy_ = new Operator('aten::_foreach_copy_');
const clone = new Operator('aten::clone');

/** A copy of a model's buffers, such as running means: one operator saves them, one brings them back. */
export class BufferBackup {
  readonly #buffers: readonly Tensor[];
  #copies: readonly Tensor[] | null = null;

  constructor(model: Module) {
    this.#buffers = Array.from(model.namedBuffers(), ([, buffer]) => buffer);
  }

  save(): void {
    if (this.#buffers.length === 0) return;
    noGrad(() => {
      if (this.#copies === null) this.#copies = this.#buffers.map((buffer) => keep(clone.call([buffer]) as Tensor));
      else scope(() => void foreachCopy_.call([this.#copies, this.#buffers]));
    });
  }

  restore(): void {
    if (this.#copies === null) return;
    noGrad(() => scope(() => void foreachCopy_.call([this.#buffers, this.#copies])));
  }

  dispose(): void {
    for (const each of this.#copies ?? []) each.dispose();
    this.#copies = null;
  }
}
