import { closeSync, fstatSync, fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { ShallowsError } from '../errors.js';
import type { TrainEvent } from '../train/events.js';
import { BatchBuffer } from './batch-buffer.js';
import type { JournalEntry } from './journal-line.js';
import { losslessJson } from './lossless-json.js';

/** How a journal is written. */
export interface JournalOptions {
  /** Batches in a line, at most. */
  readonly batchesPerLine?: number;
  /** Milliseconds that a batch is held back, at most (until the next batch ends). */
  readonly flushMs?: number;
  readonly now?: () => Date;
}

/**
 * The one writer of a run's journal: JSON lines that are only ever appended, each in a single write.
 *
 * Batches are collected and written a few hundred at a time; every other event writes them first, so the order in the
 * file is the order of events. A line that fits only partly (a full disk) is taken back before the error is thrown: the
 * lines before it stay good.
 */
export class JournalWriter {
  readonly path: string;
  readonly #buffer = new BatchBuffer();
  readonly #batchesPerLine: number;
  readonly #flushMs: number;
  readonly #now: () => Date;
  #file: number | null;
  #seq = 0;
  #heldSince = 0;

  /** @throws ShallowsError when the journal exists or cannot be made */
  constructor(path: string, { batchesPerLine = 256, flushMs = 2000, now = () => new Date() }: JournalOptions = {}) {
    this.path = path;
    this.#batchesPerLine = batchesPerLine;
    this.#flushMs = flushMs;
    this.#now = now;
    this.#file = this.#attempt('a new journal', () => openSync(path, 'ax'));
  }

  /** Writes an event down; a batch at the latest `flushMs` later, everything else at once. */
  record(event: TrainEvent): void {
    if (event.kind !== 'batch-end') {
      this.flush();
      this.#append(event);
      // Losing power costs at most what came after the last evaluation.
      if (event.kind === 'evaluation' || event.kind === 'fit-end')
        this.#attempt('to sync', () => fsyncSync(this.#open()));
      return;
    }
    if (!this.#buffer.continues(event)) this.flush();
    const now = this.#now().getTime();
    if (this.#buffer.size === 0) this.#heldSince = now;
    this.#buffer.add(event);
    if (this.#buffer.size >= this.#batchesPerLine || now - this.#heldSince >= this.#flushMs) this.flush();
  }

  /** Writes the batches that are held back. */
  flush(): void {
    const columns = this.#buffer.take();
    if (columns !== null) this.#append({ kind: 'batches', ...columns });
  }

  /** Writes what is held back, syncs and closes; once is enough, twice is harmless. */
  close(): void {
    if (this.#file === null) return;
    try {
      this.flush();
      this.#attempt('to sync', () => fsyncSync(this.#open()));
    } finally {
      closeSync(this.#open());
      this.#file = null;
    }
  }

  #append(entry: JournalEntry): void {
    const line = Buffer.from(`${losslessJson({ seq: this.#seq, time: this.#now().toISOString(), ...entry })}\n`);
    this.#attempt('to append a line', () => {
      const file = this.#open();
      const size = fstatSync(file).size;
      const written = writeSync(file, line);
      if (written === line.length) return;
      ftruncateSync(file, size);
      throw new Error(`only ${String(written)} of ${String(line.length)} bytes written`);
    });
    this.#seq += 1;
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
