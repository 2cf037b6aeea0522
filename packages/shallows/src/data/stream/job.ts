import { ShallowsError } from '../../errors.js';
import type { Block } from './block.js';

/** How long a block may take before the wait for it is given up, in milliseconds. */
const patienceMs = 600_000;

/** One block that is being read, was read, or could not be. */
export class Job {
  /** Resolves when the block is there or has failed; never rejects, so that nothing that is read ahead goes unhandled. */
  readonly settled: Promise<void>;
  /** Where the thread that reads says that its answer is on the way; null where this thread reads. */
  readonly signal: Int32Array | null;
  #settle: () => void = () => {};
  #block: Block | null = null;
  #error: unknown = null;
  #drain: () => void = () => {};

  constructor(signal: Int32Array | null = null, drain: () => void = () => {}) {
    this.signal = signal;
    this.#drain = drain;
    this.settled = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  get done(): boolean {
    return this.#block !== null || this.#error !== null;
  }

  /** @throws what reading failed with; only once `done` */
  get block(): Block {
    if (this.#block !== null) return this.#block;
    throw this.#error;
  }

  finish(block: Block): void {
    this.#block ??= block;
    this.#settle();
  }

  fail(error: unknown): void {
    if (!this.done) this.#error = error;
    this.#settle();
  }

  /** Blocks this thread until the other one has answered. */
  wait(): void {
    const { signal } = this;
    if (this.done || signal === null) return;
    const outcome = Atomics.wait(signal, 0, 0, patienceMs);
    this.#drain();
    if (this.done) return;
    const reason = outcome === 'timed-out' ? `none in ${patienceMs / 1000} s` : 'none';
    this.fail(new ShallowsError(`batches: expected an answer of a decoding thread, got ${reason} - check the disk`));
  }
}
