import type { Block, BlockRequest, ReadBlock } from './block.js';
import { Job } from './job.js';
import type { Threads } from './threads.js';

/**
 * Holds the blocks that are wanted, and reads those that are not there yet: no more are held than were last asked for.
 */
export class ReadAhead {
  readonly #threads: Threads;
  readonly #workers: number;
  readonly #readHere: ReadBlock;
  #held = new Map<number, Job>();

  /** @param readHere reads in this thread, where there are no workers */
  constructor(threads: Threads, workers: number, readHere: ReadBlock) {
    this.#threads = threads;
    this.#workers = workers;
    this.#readHere = readHere;
    threads.allow(workers);
  }

  /** How many blocks are held or being read. */
  get size(): number {
    return this.#held.size;
  }

  /** Reads these, the first ones first, and forgets all others. */
  want(requests: readonly BlockRequest[]): void {
    const before = this.#held;
    this.#held = new Map();
    for (const request of requests) {
      this.#held.set(request.number, before.get(request.number) ?? this.#start(request));
    }
  }

  /** Resolves when these blocks, which are wanted, are there. @throws what reading one of them failed with */
  async ready(requests: readonly BlockRequest[]): Promise<void> {
    const jobs = requests.map(({ number }) => this.#held.get(number));
    for (const job of jobs) {
      await job?.settled;
      if (job?.done) void job.block;
    }
  }

  /** These blocks: at once where they are there, else waiting for them in this thread. */
  take(requests: readonly BlockRequest[]): Block[] {
    if (!requests.every(({ number }) => this.#held.get(number)?.done)) this.#take(requests);
    return requests.map(({ number }) => {
      const job = this.#held.get(number);
      if (job === undefined) throw new Error(`block ${number} is not held`);
      return job.block;
    });
  }

  /** Forgets all blocks. */
  close(): void {
    this.#held.clear();
  }

  #take(requests: readonly BlockRequest[]): void {
    const before = this.#held;
    if (!requests.every(({ number }) => before.has(number))) this.#held = new Map();
    for (const request of requests) {
      const held = before.get(request.number);
      // What this thread has begun to read comes only when it gets to its event loop: another thread is sooner done.
      const here = held !== undefined && !held.done && held.signal === null;
      this.#held.set(request.number, held === undefined || here ? this.#threads.read(request) : held);
    }
    for (const { number } of requests) this.#held.get(number)?.wait();
  }

  #start(request: BlockRequest): Job {
    if (this.#workers > 0) return this.#threads.read(request);
    const job = new Job();
    this.#readHere(request).then(
      (block) => job.finish(block),
      (error: unknown) => job.fail(error),
    );
    return job;
  }
}
