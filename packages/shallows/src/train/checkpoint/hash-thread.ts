import { Worker } from 'node:worker_threads';

interface Pending {
  readonly resolve: (digest: string) => void;
  readonly reject: (error: Error) => void;
}

// The same place seen from src/ and from dist/: threads run what is built.
const program = new URL('../../../dist/train/checkpoint/hash-program.js', import.meta.url);

/** A thread that hashes while this one goes on. Started by the first call; does not keep the process alive. */
export class HashThread {
  readonly #pending: Pending[] = [];
  #worker: Worker | null = null;

  /** The SHA-256 of pieces that follow each other; the thread takes their buffers over, they are empty here afterwards. */
  digest(pieces: readonly Uint8Array<ArrayBuffer>[]): Promise<string> {
    const worker = (this.#worker ??= this.#start());
    return new Promise((resolve, reject) => {
      const buffers = new Set(pieces.map(({ buffer }) => buffer));
      worker.postMessage(pieces, [...buffers]);
      worker.ref();
      this.#pending.push({ resolve, reject });
    });
  }

  #start(): Worker {
    const worker = new Worker(program, { name: 'shallows digests', execArgv: [] });
    worker.unref();
    worker.on('message', (digest: string) => {
      this.#pending.shift()?.resolve(digest);
      if (this.#pending.length === 0) worker.unref();
    });
    worker.on('error', (error: Error) => this.#lose(worker, error));
    worker.on('exit', () => this.#lose(worker, new Error('the thread that hashes was ended')));
    return worker;
  }

  /** What the thread was at fails; the next call starts another. */
  #lose(worker: Worker, error: Error): void {
    // An error is followed by an exit, when another thread may be at work.
    if (this.#worker !== worker) return;
    this.#worker = null;
    for (const { reject } of this.#pending.splice(0)) reject(error);
  }
}
