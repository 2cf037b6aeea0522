import { ShallowsError } from '../errors.js';
import { formatTime, type Moment, type Time, type Timeline, timeToBatches } from '../time/index.js';
import type { Progress } from './events.js';

/** How far a clock has come: what a snapshot keeps of it. */
export interface ClockState {
  readonly batch: number;
  readonly sample: number;
  readonly elapsedMs: number;
}

/** Counts a run's batches, samples and milliseconds against its duration. Stands still until it is started. */
export class Clock {
  /** Length of the run in batches; null where it is given in seconds. */
  readonly totalBatches: number | null;
  /** What times of this run stand against. */
  readonly timeline: Timeline;
  readonly #seconds: number;
  #batch = 0;
  #sample = 0;
  #elapsedMs = 0;
  #startedAt: number | null = null;
  #agreedMs: number | null = null;

  /** @throws ShallowsError for a duration of no batch, or in shares of itself */
  constructor(duration: Time, timeline: Timeline) {
    if (duration.unit === 'dur' || duration.value === 0) {
      throw new ShallowsError(
        `Trainer: expected a duration above 0 in ep, ba, sp or sec, got ${formatTime(duration)} - write for example 10ep`,
      );
    }
    this.totalBatches = duration.unit === 'sec' ? null : timeToBatches(duration, timeline);
    this.#seconds = duration.unit === 'sec' ? duration.value : Number.POSITIVE_INFINITY;
    this.timeline =
      this.totalBatches === null
        ? { ...timeline, seconds: this.#seconds }
        : { ...timeline, duration: this.totalBatches };
  }

  /** Goes on from where it stood. */
  start(): void {
    this.#startedAt = performance.now();
  }

  stop(): void {
    this.#elapsedMs = this.elapsedMs;
    this.#agreedMs = null;
    this.#startedAt = null;
  }

  advance(samples: number): void {
    this.#batch++;
    this.#sample += samples;
  }

  /** Takes the time of another clock, until it takes another: ranks must not differ in what depends on time. */
  agree(elapsedMs: number): void {
    this.#agreedMs = elapsedMs;
  }

  /** Finished batches. */
  get batch(): number {
    return this.#batch;
  }

  /** Finished epochs. */
  get epoch(): number {
    return Math.floor(this.#batch / this.timeline.batchesPerEpoch);
  }

  /** Finished batches of the running epoch. */
  get batchInEpoch(): number {
    return this.#batch % this.timeline.batchesPerEpoch;
  }

  get elapsedMs(): number {
    return this.#agreedMs ?? this.ownMs;
  }

  get finished(): boolean {
    return this.totalBatches === null ? this.elapsedMs >= this.#seconds * 1000 : this.#batch >= this.totalBatches;
  }

  get moment(): Moment {
    return { batch: this.#batch, elapsedMs: this.elapsedMs, timeline: this.timeline };
  }

  progress(): Progress {
    const { elapsedMs, totalBatches } = this;
    const fraction = totalBatches === null ? elapsedMs / (this.#seconds * 1000) : this.#batch / totalBatches;
    return { epoch: this.epoch, batch: this.#batch, sample: this.#sample, elapsedMs, fraction: Math.min(1, fraction) };
  }

  state(): ClockState {
    return { batch: this.#batch, sample: this.#sample, elapsedMs: this.elapsedMs };
  }

  load({ batch, sample, elapsedMs }: ClockState): void {
    this.#batch = batch;
    this.#sample = sample;
    this.#elapsedMs = elapsedMs;
    this.#agreedMs = null;
  }

  /** As this clock has it, whatever another says. */
  get ownMs(): number {
    return this.#elapsedMs + (this.#startedAt === null ? 0 : performance.now() - this.#startedAt);
  }
}
