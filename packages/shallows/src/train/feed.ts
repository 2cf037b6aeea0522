import type { Batch, BatchSource } from '../data/index.js';

/** Reads one epoch's batches for a loop, a batch ahead, and measures how long the loop waits for them. */
export class Feed {
  /** Waiting since it was last asked, in milliseconds. */
  #waitedMs = 0;

  constructor(readonly source: BatchSource) {}

  /** Resolves once `read(i)` will not wait; nothing where the source needs no preparation. */
  ready(i: number): void | Promise<void> {
    if (this.source.prepare === undefined) return;
    return this.#wait(this.source.prepare(i));
  }

  /** A batch; its tensors belong to the scope of the caller. Reading for the next one begins. */
  read(i: number): Batch {
    const start = performance.now();
    const batch = this.source.at(i);
    this.#waitedMs += performance.now() - start;
    // What goes wrong ahead of time is thrown when the batch is due.
    if (i + 1 < this.source.length) this.source.prepare?.(i + 1).catch(() => undefined);
    return batch;
  }

  takeWaitedMs(): number {
    const waited = this.#waitedMs;
    this.#waitedMs = 0;
    return waited;
  }

  async close(): Promise<void> {
    await this.source.close?.();
  }

  async #wait(reading: Promise<void>): Promise<void> {
    const start = performance.now();
    await reading;
    this.#waitedMs += performance.now() - start;
  }
}
