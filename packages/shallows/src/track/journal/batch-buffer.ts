import type { TrainEvent } from '../../train/events.js';
import type { BatchColumns } from './line.js';

/** The end of a training step. */
export type BatchEnd = Extract<TrainEvent, { kind: 'batch-end' }>;

/** Collects consecutive batches and turns them into columns. */
export class BatchBuffer {
  #events: BatchEnd[] = [];

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

  /** What is held; null where nothing is. */
  columns(): BatchColumns | null {
    const events = this.#events;
    const [head] = events;
    if (head === undefined) return null;
    return {
      first: head.at.batch,
      durationMs: events.map(({ durationMs }) => rounded(durationMs, 1e3)),
      dataWaitMs: column(events.map(({ dataWaitMs }) => rounded(dataWaitMs, 1e3))),
      samples: column(events.map(({ samples }) => samples)),
      active: events.map(({ active }) => rounded(active, 1e6)),
      sites: head.sites,
      factor: column(events.map(({ factor }) => factor)),
      lr: column(events.map(({ lr }) => lr)),
      losses: events.flatMap(({ at, loss }) => (loss === null ? [] : [[at.batch, loss] as const])),
      gradNorms: events.flatMap(({ at, gradNorm }) => (gradNorm === null ? [] : [[at.batch, gradNorm] as const])),
    };
  }

  clear(): void {
    this.#events = [];
  }
}

/** One number where all are the same. */
function column(values: readonly number[]): number | readonly number[] {
  const [first] = values;
  return first !== undefined && values.every((value) => Object.is(value, first)) ? first : values;
}

/** Digits beyond a microsecond are noise of the clock, those of a mean over rows tell nothing: they would be most of the journal. */
function rounded(value: number, units: number): number {
  return Math.round(value * units) / units;
}
