import { closeSync, fstatSync, fsyncSync, ftruncateSync, writeSync } from 'node:fs';
import { ShallowsError } from '../../errors.js';
import type { TrainEvent } from '../../train/events.js';
import { BatchBuffer } from './batch-buffer.js';
import { seal } from './chain.js';
import type { JournalEntry, JournalNote } from './line.js';

/**
 * When lines are synced to disk: after each line, after those that matter (evaluations, checkpoints, the end), or so many
 * milliseconds after they were written, at most. A killed process loses nothing by it; a loss of power may.
 */
export type FsyncPolicy = 'always' | 'events' | number;

/** How a journal is written. */
export interface JournalOptions {
  /** Batches in a line, at most. */
  readonly batchesPerLine?: number;
  /** Milliseconds that a batch is held back, at most (until the next batch ends). */
  readonly flushMs?: number;
  readonly fsync?: FsyncPolicy;
  readonly now?: () => Date;
}

/** An open file and where its chain stands. */
export interface ChainEnd {
  readonly file: number;
  /** Bytes of the file. */
  readonly size: number;
  /** Lines, and the digest that the next one follows on. */
  readonly head: { readonly lines: number; readonly digest: string };
  /** Returns once the file would survive a loss of power; the system's own unless given. */
  readonly sync?: (file: number) => void;
}

/**
 * The one writer of a run's journal: JSON lines that are only ever appended, each in a single write, each with the digest of
 * the line before it. Made by `createJournal` and `reopenJournal`.
 *
 * Batches are collected and written a few hundred at a time; every other event writes them first, so the order in the
 * file is the order of events. A line that fits only partly (a full disk) is taken back before the error is thrown: the
 * lines before it stay good, and batches that were to be in it are tried again with the next.
 */
export class JournalWriter {
  readonly path: string;
  readonly #buffer = new BatchBuffer();
  readonly #batchesPerLine: number;
  readonly #flushMs: number;
  readonly #fsync: FsyncPolicy;
  readonly #now: () => Date;
  readonly #syncFile: (file: number) => void;
  #file: number | null;
  #size: number;
  #head: ChainEnd['head'];
  #heldSince = 0;
  #unsyncedSince: number | null = null;

  /** Use `createJournal` or `reopenJournal`. */
  constructor(path: string, { file, size, head, sync = fsyncSync }: ChainEnd, options: JournalOptions = {}) {
    const { batchesPerLine = 256, flushMs = 2000, fsync = 'events', now = () => new Date() } = options;
    this.path = path;
    this.#batchesPerLine = batchesPerLine;
    this.#flushMs = flushMs;
    this.#fsync = fsync;
    this.#now = now;
    this.#file = file;
    this.#size = size;
    this.#head = head;
    this.#syncFile = sync;
    // What an earlier process wrote may not have reached the disk.
    if (size > 0) this.#unsyncedSince = now().getTime();
  }

  /** Lines written so far, and the digest of the last. */
  get head(): ChainEnd['head'] {
    return this.#head;
  }

  /** Writes an event down; a batch at the latest `flushMs` later, everything else at once. */
  record(event: TrainEvent): void {
    if (event.kind !== 'batch-end') {
      this.flush();
      this.#append(event);
      // Losing power costs at most what came after the last of these.
      const matters = event.kind === 'evaluation' || event.kind === 'checkpoint' || event.kind === 'fit-end';
      if (matters && this.#fsync === 'events') this.#sync();
      return;
    }
    if (!this.#buffer.continues(event)) this.flush();
    const now = this.#now().getTime();
    if (this.#buffer.size === 0) this.#heldSince = now;
    this.#buffer.add(event);
    if (this.#buffer.size >= this.#batchesPerLine || now - this.#heldSince >= this.#flushMs) this.flush();
    else this.#syncIfDue(now);
  }

  /** Writes down something about the journal itself, and syncs. */
  note(note: JournalNote): void {
    this.flush();
    this.#append(note);
    this.#sync();
  }

  /** Writes the batches that are held back. */
  flush(): void {
    const columns = this.#buffer.columns();
    if (columns === null) return;
    this.#append({ kind: 'batches', ...columns });
    this.#buffer.clear();
  }

  /** Writes what is held back and syncs: from now on it survives a loss of power. */
  sync(): void {
    this.flush();
    this.#sync();
  }

  /** Syncs and closes; once is enough, twice is harmless. */
  close(): void {
    if (this.#file === null) return;
    try {
      this.sync();
    } finally {
      closeSync(this.#open());
      this.#file = null;
    }
  }

  #append(entry: JournalEntry): void {
    const { lines, digest: prev } = this.#head;
    const now = this.#now();
    const { text, digest } = seal({ seq: lines, time: now.toISOString(), ...entry }, prev);
    const line = Buffer.from(`${text}\n`);
    this.#attempt('to append a line', () => {
      const file = this.#open();
      const { size } = fstatSync(file);
      if (size !== this.#size)
        throw new Error(`${String(size)} bytes where it wrote ${String(this.#size)}: another writer`);
      const written = writeSync(file, line);
      if (written < line.length) {
        ftruncateSync(file, size);
        throw new Error(`only ${String(written)} of ${String(line.length)} bytes written: a full disk`);
      }
    });
    this.#size += line.length;
    this.#head = { lines: lines + 1, digest };
    this.#unsyncedSince ??= now.getTime();
    this.#syncIfDue(now.getTime());
  }

  #syncIfDue(now: number): void {
    if (this.#unsyncedSince === null || this.#fsync === 'events') return;
    if (this.#fsync === 'always' || now - this.#unsyncedSince >= this.#fsync) this.#sync();
  }

  #sync(): void {
    if (this.#unsyncedSince === null) return;
    this.#attempt('to sync', () => this.#syncFile(this.#open()));
    this.#unsyncedSince = null;
  }

  #open(): number {
    if (this.#file !== null) return this.#file;
    throw new Error('a closed journal');
  }

  #attempt<T>(what: string, action: () => T): T {
    try {
      return action();
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new ShallowsError(
        `JournalWriter: expected ${what} (${this.path}), got ${why} - check the disk and the folder's rights`,
        { cause },
      );
    }
  }
}
