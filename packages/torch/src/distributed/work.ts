import { TorchError, toTorchError } from '../errors.js';
import { attempt } from '../tensor.js';
import { nativeDistributed } from './native.js';

// An operation that nobody waits for is forgotten with its object.
const forgotten = new FinalizationRegistry<number>((handle) => nativeDistributed('Work').forget(handle));

/**
 * An operation that all ranks do together, under way: its tensors must neither be read nor changed before it is waited for.
 * They may be disposed.
 */
export class Work {
  readonly #handle: number;
  #promise: Promise<void> | null = null;
  #settled = false;

  /** @param handle from the native side */
  constructor(handle: number) {
    this.#handle = handle;
    forgotten.register(this, handle, this);
  }

  /** Whether it is over, successfully or not. */
  get done(): boolean {
    return this.#settled || nativeDistributed('Work').isDone(this.#handle);
  }

  /**
   * Resolves when the result is there. The event loop goes on in the meantime.
   *
   * @throws TorchError that names the operation and the ranks that are missing, as far as known
   */
  wait(): Promise<void> {
    return (this.#promise ??= this.#wait());
  }

  /** As {@link wait}, but blocks this thread. */
  waitSync(): void {
    if (this.#promise !== null) {
      throw new TorchError('waitSync: expected an operation that nobody waits for, got one after wait() - await that');
    }
    if (this.#settled) return;
    this.#take();
    attempt(() => nativeDistributed('waitSync').waitSync(this.#handle));
  }

  async #wait(): Promise<void> {
    if (this.#settled) return;
    this.#take();
    try {
      await nativeDistributed('wait').whenDone(this.#handle);
    } catch (error) {
      throw toTorchError(error);
    }
  }

  #take(): void {
    this.#settled = true;
    forgotten.unregister(this);
  }
}
