import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { ShallowsError } from '../../errors.js';
import type { BlockRequest } from './block.js';
import { Job } from './job.js';
import { type Answer, fromAnswer, type ReadMessage } from './protocol.js';
import type { SourceSpec } from './spec.js';

// The same place seen from src/ and from dist/: a thread runs what is compiled.
const program = new URL('../../../dist/data/stream/entry.js', import.meta.url);

interface Thread {
  readonly worker: Worker;
  readonly port: MessagePort;
  readonly jobs: Map<number, { readonly job: Job; readonly request: BlockRequest }>;
}

/**
 * Threads that read blocks of one source. They start when they are first needed, keep the process alive only while they
 * read, and end with `close`.
 */
export class Threads {
  readonly #spec: SourceSpec;
  readonly #threads = new Set<Thread>();
  #limit = 0;
  #id = 0;

  constructor(spec: SourceSpec) {
    this.#spec = spec;
  }

  /** Allows so many threads. */
  allow(count: number): void {
    this.#limit = Math.max(this.#limit, count);
  }

  /** Threads that run. */
  get running(): number {
    return this.#threads.size;
  }

  /** Has a block read by the thread with the least to do. */
  read(request: BlockRequest): Job {
    const thread = this.#leastBusy();
    const signal = new Int32Array(new SharedArrayBuffer(4));
    const id = this.#id++;
    const job = new Job(signal, () => drain(thread));
    if (thread.jobs.size === 0) {
      thread.worker.ref();
      thread.port.ref();
    }
    thread.jobs.set(id, { job, request });
    thread.port.postMessage({ id, request, signal } satisfies ReadMessage);
    return job;
  }

  /** Ends all threads; what they have not read by then fails. */
  async close(): Promise<void> {
    const threads = [...this.#threads];
    this.#threads.clear();
    for (const thread of threads) abandon(thread, 'the set was closed');
    await Promise.all(threads.map(({ worker }) => worker.terminate()));
  }

  #leastBusy(): Thread {
    const [least] = [...this.#threads].sort((a, b) => a.jobs.size - b.jobs.size);
    if (least !== undefined && (least.jobs.size === 0 || this.#threads.size >= Math.max(1, this.#limit))) return least;
    return this.#start();
  }

  #start(): Thread {
    const { port1: port, port2: theirs } = new MessageChannel();
    const worker = new Worker(program, {
      workerData: { spec: this.#spec, port: theirs },
      transferList: [theirs],
      name: 'shallows-decode',
      // Options such as --input-type and --import are for the main program.
      execArgv: [],
    });
    const thread: Thread = { worker, port, jobs: new Map() };
    port.on('message', (answer: Answer) => settle(thread, answer));
    let reason = 'its end';
    worker.on('error', (error) => {
      reason = error.message;
    });
    worker.on('exit', () => {
      this.#threads.delete(thread);
      drain(thread);
      abandon(thread, reason);
      port.close();
    });
    worker.unref();
    port.unref();
    this.#threads.add(thread);
    return thread;
  }
}

/** Takes the answers that are there, without a turn of the event loop. */
function drain(thread: Thread): void {
  for (;;) {
    const received = receiveMessageOnPort(thread.port);
    if (received === undefined) return;
    settle(thread, received.message as Answer);
  }
}

function settle(thread: Thread, answer: Answer): void {
  const entry = thread.jobs.get(answer.id);
  if (entry === undefined) return;
  thread.jobs.delete(answer.id);
  if ('block' in answer) entry.job.finish(answer.block);
  else entry.job.fail(fromAnswer(answer));
  if (thread.jobs.size > 0) return;
  thread.worker.unref();
  thread.port.unref();
}

function abandon(thread: Thread, reason: string): void {
  for (const { job, request } of thread.jobs.values()) {
    const [first] = request.files;
    const what = first === undefined ? `chunk ${request.number}` : first;
    job.fail(
      new ShallowsError(`batches: expected a decoding thread to read ${what}, got ${reason} - make batches again`),
    );
  }
  thread.jobs.clear();
}
