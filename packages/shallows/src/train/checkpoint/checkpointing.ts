import { ShallowsError, shown } from '../../errors.js';
import type { JsonObject } from '../../nn/index.js';
import { formatTime, type Moment, type Time } from '../../time/index.js';
import type { Algorithm, Training } from '../algorithm.js';
import type { CheckpointFacts, Evaluation } from '../events.js';
import type { Snapshot } from '../state.js';
import { GraceWatch } from './grace.js';
import { checkpointName } from './name.js';
import { Recurrence } from './recurrence.js';
import { bestProblem } from './retention.js';
import { flatMetrics, StateMetrics } from './state-metrics.js';
import type { CheckpointStore, SavedCheckpoint } from './store.js';

/** When and where a run is saved. */
export interface CheckpointingOptions {
  readonly store: CheckpointStore;
  /** From one save to the next, in any unit of time: `1ep`, `500ba`, `10m`. */
  readonly every?: string | Time;
  /** Whether the state before the first batch is saved too: a folder that cannot be written to is then found at once. */
  readonly atStart?: boolean;
  /** How long the run has from a signal to its end: Kubernetes gives 30 s unless told. Null where nothing ends it. */
  readonly grace?: string | Time | null;
  /**
   * What happens where a save fails on the way, such as on a full disk. `warn`, the default, goes on, tells the callbacks
   * and tries again at the next; `stop` ends the run. The first save and the last end it in either case.
   */
  readonly onFailure?: 'warn' | 'stop';
}

/** Saves a run while it goes on: give it to a trainer as one of its algorithms. */
export interface Checkpointing extends Algorithm {
  /**
   * Saves at the end of the running batch, beside the saves that are due anyway.
   *
   * @returns settles once the checkpoint is on the disk
   * @throws ShallowsError, through the promise, where no run is under way or it fails before, and on several ranks, which
   *   save together or not at all
   */
  saveNow(): Promise<SavedCheckpoint>;
}

/**
 * Makes checkpoints of a run into a store: every so often, at its end, where it is interrupted, and on demand. The run
 * pays for the copy of the state alone. A checkpoint has the metrics of the evaluation of its very state, if there was one.
 * With several ranks give it to all of them; the first one writes.
 *
 * @throws ShallowsError for an interval of nothing, or a grace period that is no time on the clock
 */
export function checkpointing(options: CheckpointingOptions): Checkpointing {
  return new StoreCheckpointing(options);
}

interface Asked {
  readonly resolve: (saved: SavedCheckpoint) => void;
  readonly reject: (error: Error) => void;
}

const fn = 'checkpointing';

class StoreCheckpointing implements Checkpointing {
  readonly name = 'checkpointing';
  readonly options: JsonObject;
  readonly #store: CheckpointStore;
  readonly #every: Recurrence;
  readonly #grace: GraceWatch | null;
  readonly #atStart: boolean;
  readonly #onFailure: 'warn' | 'stop';
  readonly #pending = new Set<Promise<void>>();
  readonly #asked: Asked[] = [];
  #metrics = new StateMetrics();
  #training: Training | null = null;
  #givenBatch = -1;
  #failure: Error | null = null;
  #batchMs = 0;
  #endedAt = Number.NaN;

  constructor({ store, every = '1ep', atStart = true, grace = '30sec', onFailure = 'warn' }: CheckpointingOptions) {
    this.#store = store;
    this.#every = new Recurrence(fn, every);
    this.#grace = grace === null ? null : new GraceWatch(fn, grace);
    this.#atStart = atStart;
    if (onFailure !== 'warn' && onFailure !== 'stop') {
      throw new ShallowsError(`${fn}: expected onFailure 'warn' or 'stop', got ${shown(onFailure)} - use one of these`);
    }
    this.#onFailure = onFailure;
    this.options = { every: formatTime(this.#every.interval), atStart, onFailure };
  }

  saveNow(): Promise<SavedCheckpoint> {
    const { world } = this.#training ?? {};
    if (world?.size === 1) return new Promise((resolve, reject) => this.#asked.push({ resolve, reject }));
    const got = world === undefined ? 'none' : `one of ${world.size} ranks`;
    return Promise.reject(
      new ShallowsError(
        `${fn}.saveNow: expected a run of one process that is under way, got ${got} - abort its signal to save and stop`,
      ),
    );
  }

  onFitStart(training: Training): void {
    this.#training = training;
    this.#metrics = new StateMetrics();
    this.#failure = null;
    this.#givenBatch = -1;
    this.#endedAt = Number.NaN;
    this.#every.start(momentOf(training));
  }

  async onEpochStart(training: Training): Promise<void> {
    this.#metrics.settle();
    if (!this.#atStart || training.progress.batch > 0 || this.#givenBatch === 0) return;
    await this.#save(training, false);
    await this.#settled();
    if (this.#failure !== null) throw this.#failure;
  }

  onBatchStart(): void {
    this.#metrics.settle();
  }

  async onBatchEnd(training: Training): Promise<void> {
    const now = performance.now();
    if (now > this.#endedAt) this.#batchMs = Math.max(this.#batchMs, now - this.#endedAt);
    this.#endedAt = now;
    if (this.#failure !== null && this.#onFailure === 'stop') throw this.#failure;
    for (const message of this.#store.takeWarnings()) training.warn(`${fn}: could not delete ${message}`);
    const isDue = this.#every.comes(momentOf(training)) || this.#asked.length > 0;
    // After the last batch comes the save of the whole run, with its last evaluation.
    if (isDue && training.progress.fraction < 1) await this.#save(training, true);
  }

  onEvaluationEnd({ progress }: Training, evaluation: Evaluation): void {
    const metrics = flatMetrics(evaluation);
    const problem = bestProblem(this.#store.retention, metrics);
    if (problem !== null) throw new ShallowsError(`${fn}: ${problem}`);
    this.#metrics.measured(progress.batch, metrics);
  }

  async onFitEnd(training: Training): Promise<void> {
    this.#metrics.settle();
    try {
      if (training.ended === null) {
        await this.#settled();
        return;
      }
      if (this.#givenBatch !== training.progress.batch) await this.#save(training, false);
      await this.#settled();
      // What failed at the very end is tried once more; several ranks do nothing that not all of them do.
      if (this.#failure !== null && training.world.size === 1) await this.#save(training, false);
      await this.#settled();
      if (this.#failure !== null) throw this.#failure;
      await this.#store.wait();
      for (const message of this.#store.takeWarnings()) training.warn(`${fn}: could not delete ${message}`);
    } finally {
      this.#training = null;
      const error = new ShallowsError(
        `${fn}.saveNow: expected a run that goes on, got one that ended - look at its error`,
      );
      for (const { reject } of this.#asked.splice(0)) reject(error);
    }
  }

  /** @param mayBeEvaluated whether an evaluation of this state may follow */
  async #save(training: Training, mayBeEvaluated: boolean): Promise<void> {
    // Two copies at most: of the save that is written, and of one that waits.
    await this.#store.room();
    const { progress, world } = training;
    const { batch } = progress;
    const name = checkpointName(progress);
    const asked = this.#asked.splice(0);
    // Only where the best are kept does writing wait for the evaluation: until then the save could be lost.
    const evaluated = mayBeEvaluated && (this.#store.retention?.best ?? null) !== null;
    this.#givenBatch = batch;
    await training.checkpoint(name, (snapshot) =>
      world.rank === 0
        ? this.#give(training, snapshot, { name, asked, evaluated })
        : Promise.resolve({ path: '', bytes: 0 }),
    );
  }

  #give(
    training: Training,
    snapshot: Snapshot,
    {
      name,
      asked,
      evaluated,
    }: { readonly name: string; readonly asked: readonly Asked[]; readonly evaluated: boolean },
  ): Promise<CheckpointFacts> {
    const { progress } = training;
    const metrics = evaluated ? this.#metrics.awaited(progress.batch) : this.#metrics.known(progress.batch);
    const saving = this.#store.save(snapshot, { name, progress, metrics });
    const following = saving.then(
      (saved) => {
        this.#failure = null;
        for (const { resolve } of asked) resolve(saved);
        this.#warnOfGrace(training);
      },
      (error: unknown) => {
        this.#failure = error instanceof Error ? error : new ShallowsError(String(error));
        for (const { reject } of asked) reject(this.#failure);
      },
    );
    this.#pending.add(following);
    void following.then(() => this.#pending.delete(following));
    return saving;
  }

  #warnOfGrace(training: Training): void {
    const saveMs = this.#store.statistics.expectedMs ?? 0;
    const problem = this.#grace?.problem({ batchMs: this.#batchMs, saveMs }) ?? null;
    if (problem !== null) training.warn(`${fn}: ${problem}`);
  }

  async #settled(): Promise<void> {
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }
}

function momentOf({ progress: { batch, elapsedMs }, timeline }: Training): Moment {
  return { batch, elapsedMs, timeline };
}
