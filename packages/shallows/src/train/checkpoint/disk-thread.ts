import { Worker } from 'node:worker_threads';
import type { Answer, Jobs, Request, Result } from './jobs.js';

/** An error of a job, with the system's code where it has one. */
export class JobError extends Error {
  constructor(
    message: string,
    readonly code: string,
  ) {
    super(message);
  }
}

interface Pending {
  readonly worker: Worker;
  readonly resolve: (result: Result<keyof Jobs>) => void;
  readonly reject: (error: Error) => void;
}

// The same place seen from src/ and from dist/: threads run what is built.
const program = new URL('../../../dist/train/checkpoint/thread.js', import.meta.url);

/**
 * A thread for work on the disk, one job at a time: hashing and writing go on while this thread computes, also where a
 * step of training blocks it for long. Started by the first job; does not keep the process alive while it has none.
 */
export class DiskThread {
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | null = null;
  #last = 0;

  /**
   * Gives the thread a job.
   *
   * @param transfer buffers that the thread takes over: they are empty here afterwards
   */
  run<K extends keyof Jobs>(
    kind: K,
    job: Parameters<Jobs[K]>[0],
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<Result<K>> {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      const worker = (this.#worker ??= this.#start());
      worker.postMessage({ id, kind, job } as Request, [...transfer]);
      worker.ref();
      this.#pending.set(id, { worker, resolve: resolve as Pending['resolve'], reject });
    });
  }

  /** Ends the thread, in the middle of a job if it has one. */
  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = null;
    await worker?.terminate();
  }

  #start(): Worker {
    const worker = new Worker(program, { name: 'shallows checkpoints', execArgv: [] });
    worker.unref();
    worker.on('message', (answer: Answer) => {
      const pending = this.#pending.get(answer.id);
      this.#pending.delete(answer.id);
      if (this.#pending.size === 0) worker.unref();
      if ('failure' in answer) pending?.reject(new JobError(answer.failure.message, answer.failure.code));
      else pending?.resolve(answer.result);
    });
    worker.on('error', (error: Error) => this.#lose(worker, error));
    worker.on('exit', () => this.#lose(worker, new Error('the thread that writes was ended')));
    return worker;
  }

  /** The jobs of a thread that is gone fail; the next job starts another thread. */
  #lose(worker: Worker, error: Error): void {
    if (this.#worker === worker) this.#worker = null;
    for (const [id, { worker: theirs, reject }] of this.#pending) {
      if (theirs !== worker) continue;
      this.#pending.delete(id);
      reject(new JobError(error.message, ''));
    }
  }
}
