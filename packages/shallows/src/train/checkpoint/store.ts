import { resolve } from 'node:path';
import { ShallowsError, shown } from '../../errors.js';
import type { Snapshot } from '../state.js';
import { type Contents, copyContents } from './contents.js';
import { DiskThread } from './disk-thread.js';
import { reasonOf } from './inspect.js';
import type { CheckpointEntry, Newest } from './list.js';
import { checkFacts, type SavedFacts } from './manifest.js';
import { checkName, checkpointName } from './name.js';
import { type LoadedSnapshot, readCheckpoint } from './read.js';
import { bestProblem, type CompleteRetention, completeRetention, type Retention } from './retention.js';
import { saveFailure } from './save-failure.js';
import { SaveCounter, type SaveStatistics } from './statistics.js';
import { type Settling, WatchedPromise } from './watched-promise.js';

/** What to save beside the snapshot. */
export interface SaveInfo {
  /** Of the folder; by default from the progress, such as `ep3-ba1200`. Where it is taken, the new one is called `ep3-ba1200.2`. */
  readonly name?: string;
  readonly progress: SavedFacts['progress'];
  /**
   * By names such as `validation.loss`: what the best are chosen by. The state is copied now also where they are still
   * being measured; writing then waits for them.
   */
  readonly metrics?: SavedFacts['metrics'] | Promise<SavedFacts['metrics']>;
}

/** A checkpoint that is on the disk. */
export interface SavedCheckpoint {
  readonly name: string;
  readonly path: string;
  /** Of all its files. */
  readonly bytes: number;
  /** How long the copy kept the caller. */
  readonly copyMs: number;
  /** From the copy to the end of writing, without the time that it waited for another to be written. */
  readonly durationMs: number;
  /** Names of older saves that it replaced before they were written. */
  readonly superseded: readonly string[];
}

interface Save {
  readonly name: string;
  readonly progress: SavedFacts['progress'];
  readonly metrics: SavedFacts['metrics'] | Promise<SavedFacts['metrics']>;
  readonly contents: Contents;
  readonly copyMs: number;
  readonly superseded: readonly string[];
  readonly callers: readonly Settling<SavedCheckpoint>[];
}

const fn = 'CheckpointStore.save';

/**
 * A folder of checkpoints that is written to. `save` copies the state and returns; another thread hashes, writes and syncs
 * it, one checkpoint at a time, then deletes what no rule keeps. At every moment the folder holds whole checkpoints alone,
 * whatever happens to the process, the disk or the power.
 */
export class CheckpointStore implements AsyncDisposable {
  /** Where the checkpoints are. */
  readonly folder: string;
  /** Which checkpoints are kept; null where all are. */
  readonly retention: CompleteRetention | null;
  readonly #thread = new DiskThread();
  readonly #counter = new SaveCounter();
  readonly #warnings: string[] = [];
  readonly #lookingForRoom: (() => void)[] = [];
  #waiting: Save | null = null;
  #working: Promise<void> | null = null;
  #untold: { readonly error: ShallowsError; readonly callers: readonly Settling<SavedCheckpoint>[] } | null = null;
  #swept = false;
  #closed = false;

  /**
   * @param folder made with the first save where it is not there
   * @param retention which checkpoints to keep: the last 3 unless told
   * @throws ShallowsError for rules that make no sense
   */
  constructor(folder: string, { retention = { last: 3 } }: { readonly retention?: Retention } = {}) {
    if (typeof folder !== 'string' || folder === '') {
      throw new ShallowsError(`CheckpointStore: expected the path of a folder, got ${shown(folder)} - name one`);
    }
    this.folder = resolve(folder);
    this.retention = completeRetention('CheckpointStore', retention);
  }

  /** What saving cost so far. */
  get statistics(): SaveStatistics {
    return this.#counter.statistics;
  }

  /** Whether a checkpoint is being written, or waits for it. */
  get saving(): boolean {
    return this.#working !== null;
  }

  /**
   * Copies the snapshot before it returns, then writes it in the background. While another is being written it waits; a
   * newer save takes the place of one that waits, whose promise then settles with the newer one's.
   *
   * @returns settles once the checkpoint would survive a loss of power
   * @throws ShallowsError at once for a snapshot or names that cannot be saved, or where an earlier save failed and nobody
   *   waited for it; through the promise where this one fails: a full disk, a read-only folder. What was saved earlier is
   *   then as it was.
   */
  save(snapshot: Snapshot, { name, progress, metrics = {} }: SaveInfo): Promise<SavedCheckpoint> {
    if (this.#closed) throw new ShallowsError(`${fn}: expected an open store, got one that was closed - make another`);
    this.#tell();
    this.#checked(progress, metrics instanceof Promise ? {} : metrics);
    // Nobody looks at those of a save that is replaced.
    if (metrics instanceof Promise) metrics.catch(() => undefined);
    const chosen = name ?? checkpointName(progress);
    checkName(fn, chosen);
    const start = performance.now();
    const contents = copyContents(snapshot);
    const caller = WatchedPromise.settling<SavedCheckpoint>();
    const replaced = this.#waiting;
    if (replaced !== null) this.#counter.superseded();
    this.#waiting = {
      name: chosen,
      progress,
      metrics,
      contents,
      copyMs: performance.now() - start,
      superseded: replaced === null ? [] : [...replaced.superseded, replaced.name],
      callers: [...(replaced?.callers ?? []), caller],
    };
    this.#working ??= this.#work();
    return caller.promise;
  }

  /** Resolves once no save waits to be written: the next then takes nobody's place. */
  async room(): Promise<void> {
    while (this.#waiting !== null) await new Promise<void>((taken) => this.#lookingForRoom.push(taken));
  }

  /**
   * Waits until everything is written and cleared.
   *
   * @throws ShallowsError where a save failed and nobody waited for it
   */
  async wait(): Promise<void> {
    while (this.#working !== null) await this.#working;
    this.#tell();
  }

  /** What could not be deleted, and why, since this was last asked. */
  takeWarnings(): string[] {
    return this.#warnings.splice(0);
  }

  /** The checkpoints from the oldest to the newest, after those whose manifest cannot be read. */
  async list(): Promise<readonly CheckpointEntry[]> {
    return this.#ask(() => this.#thread.run('list', this.folder));
  }

  /** The newest checkpoint whose every byte is as it was written, and those passed over, with the reason. */
  async latest(): Promise<Newest> {
    return this.#ask(() => this.#thread.run('newest', this.folder));
  }

  /**
   * Reads a checkpoint, verified: see `readCheckpoint`.
   *
   * @param path of the checkpoint, or its name in this folder
   * @throws ShallowsError where it is not as it was written
   */
  async read(path: string): Promise<LoadedSnapshot> {
    // What is being deleted is gone by then, what is read is not chosen.
    while (this.#working !== null) await this.#working;
    return readCheckpoint(resolve(this.folder, path));
  }

  /**
   * Waits as `wait` does, then ends the thread.
   *
   * @throws ShallowsError where a save failed and nobody waited for it
   */
  async close(): Promise<void> {
    this.#closed = true;
    while (this.#working !== null) await this.#working;
    await this.#thread.close();
    this.#tell();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #work(): Promise<void> {
    for (let save = this.#next(); save !== null; save = this.#next()) {
      // What dead writers left over may be what fills the disk.
      if (!this.#swept) await this.#prune(null);
      this.#swept = true;
      if (await this.#write(save)) await this.#prune(this.retention);
    }
    this.#working = null;
  }

  #next(): Save | null {
    const save = this.#waiting;
    this.#waiting = null;
    for (const taken of this.#lookingForRoom.splice(0)) taken();
    return save;
  }

  async #write({ name, progress, metrics, contents, copyMs, superseded, callers }: Save): Promise<boolean> {
    try {
      const facts = this.#checked(progress, await metrics);
      const buffers = Object.values(contents).flatMap((pieces) => pieces.map(({ buffer }) => buffer));
      const job = { folder: this.folder, name, facts, contents };
      const { writeMs, ...written } = await this.#thread.run('write', job, buffers);
      const durationMs = copyMs + writeMs;
      this.#counter.saved(written.bytes, copyMs, durationMs);
      for (const { resolve: done } of callers) done({ ...written, copyMs, durationMs, superseded });
      return true;
    } catch (cause) {
      const error = cause instanceof ShallowsError ? cause : saveFailure(name, this.folder, cause);
      this.#counter.failed();
      this.#untold = { error, callers };
      for (const { reject } of callers) reject(error);
      return false;
    }
  }

  async #prune(retention: CompleteRetention | null): Promise<void> {
    try {
      const { problems } = await this.#thread.run('prune', { folder: this.folder, retention });
      this.#warnings.push(...problems);
    } catch (error) {
      this.#warnings.push(reasonOf(error));
    }
  }

  /** A failure is told once: by the promise of the save where somebody waits for it, else here. */
  #tell(): void {
    const untold = this.#untold;
    this.#untold = null;
    if (untold !== null && !untold.callers.some(({ promise }) => promise.watched)) throw untold.error;
  }

  #checked(progress: SavedFacts['progress'], metrics: SavedFacts['metrics']): SavedFacts {
    const facts = checkFacts(fn, { progress, metrics });
    const problem = bestProblem(this.retention, facts.metrics);
    if (problem !== null) throw new ShallowsError(`${fn}: ${problem}`);
    return facts;
  }

  async #ask<T>(run: () => Promise<T>): Promise<T> {
    if (this.#closed) {
      throw new ShallowsError(
        'CheckpointStore: expected an open store, got one that was closed - use newestCheckpoint(folder)',
      );
    }
    try {
      return await run();
    } catch (cause) {
      throw new ShallowsError(reasonOf(cause), { cause });
    }
  }
}
