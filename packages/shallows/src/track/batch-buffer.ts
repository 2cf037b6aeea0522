import type { TrainEvent } from '../train/events.js';
import type { BatchColumns } from './journal-line.js';

type BatchEnd = Extract<TrainEvent, { kind: 'batch-end' }>;

/** Collects consecutive batches and turns them into columns. */
export class BatchBuffer {
  readonly #events: BatchEnd[] = [];

  get size(): number {
    return this.#events.length;
  }

  /** True where the batch continues what is held. */
  continues(event: BatchEnd): boolean {
    const last = this.#events.at(-1);
    return last === undefined || (event.at.batch === last.at.batch + 1 && event.sites === last.sites);
  }

  add(event: BatchEnd): void {
    this.#events.push(event);
  }

  /** Takes everything out; null where nothing was held. */
  take(): BatchColumns | null {
    const events = this.#events.splice(0);
    const [head] = events;
    if (head === undefined) return null;
    const lr = events.map((event) => event.lr);
    return {
      first: head.at.batch,
      durationMs: events.map((event) => microseconds(event.durationMs)),
      active: events.map((event) => event.active),
      sites: head.sites,
      lr: lr.every((value) => Object.is(value, head.lr)) ? head.lr : lr,
      losses: events.flatMap(({ at, loss }) => (loss === null ? [] : [[at.batch, loss] as const])),
    };
  }
}

/** Digits beyond a microsecond are noise of the clock, and two thirds of the journal's size. */
function microseconds(durationMs: number): number {
  return Math.round(durationMs * 1000) / 1000;
}
