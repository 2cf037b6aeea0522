import { Operator, scope, type Tensor } from '@shallows/torch';

const stack = new Operator('aten::stack');

/** A batch whose loss has not been read back. */
export interface BatchName {
  /** Number of the batch in the run, from 1: as many are finished with it. */
  readonly batch: number;
  /** The epoch that it is in, from 0. */
  readonly epoch: number;
  /** Its number in the epoch, from 0. */
  readonly batchInEpoch: number;
  /** Its rows of the dataset. */
  readonly indices: Uint32Array;
}

/** The losses of the last batches, on their device: read back all at once, so that no step waits for the device. */
export class LossWindow {
  #losses: Tensor[] = [];
  #names: BatchName[] = [];

  /** Batches that wait to be read. */
  get size(): number {
    return this.#names.length;
  }

  /** @param loss a scalar, which is the window's from now on */
  push(loss: Tensor, name: BatchName): void {
    this.#losses.push(loss);
    this.#names.push(name);
  }

  /** Reads and frees all losses. */
  take(): { readonly losses: readonly number[]; readonly names: readonly BatchName[] } {
    const [waiting, names] = [this.#losses, this.#names];
    this.#losses = [];
    this.#names = [];
    if (waiting.length === 0) return { losses: [], names };
    const losses = scope(() => Array.from((stack.call([waiting]) as Tensor).toArray(), Number));
    for (const each of waiting) each.dispose();
    return { losses, names };
  }

  dispose(): void {
    for (const each of this.#losses) each.dispose();
    this.#losses = [];
    this.#names = [];
  }
}
