import { join } from 'node:path';
import { writeAtomically } from '../files/index.js';
import type { Callback, Evaluation, TrainEvent } from '../train/events.js';
import { evaluatedRows } from './evaluated-rows.js';
import { type JournalLine, type JournalWriter, type Resolved, readJournal } from './journal/index.js';
import { resolveRewinds } from './journal/rewind.js';
import { losslessJson } from './lossless-json.js';
import { runFiles } from './run-files.js';
import { journalGenesis } from './run-identity.js';
import type { RunRecord } from './run-record.js';
import { TrainingSummary } from './training-summary.js';
import type { WriterLock } from './writer-lock.js';

/** What a run ended with. What is left out is what its events said. */
export type RunEnd = {
  readonly status: Exclude<RunRecord['status'], 'running'>;
  readonly failure?: string;
} & Partial<Pick<RunRecord, 'stopReason' | 'metrics' | 'depth' | 'factor' | 'timing'>>;

type Ended = Pick<RunRecord, 'stopReason' | 'metrics' | 'depth' | 'factor' | 'timing' | 'peakMemoryBytes'>;

/** A run that is being written: one a folder. As a callback of the trainer it writes down what happens. */
export class Run implements Callback, Disposable {
  readonly folder: string;
  readonly journal: JournalWriter;
  readonly #lock: WriterLock;
  readonly #summary: TrainingSummary;
  #record: RunRecord;
  #ended: Ended = { stopReason: null, metrics: null, depth: null, factor: 1, timing: null, peakMemoryBytes: null };

  /** Use `createRun` or `resumeRun`. */
  constructor(
    folder: string,
    {
      record,
      journal,
      lock,
      lines,
    }: {
      readonly record: RunRecord;
      readonly journal: JournalWriter;
      readonly lock: WriterLock;
      /** What the journal holds already. */
      readonly lines: readonly JournalLine[];
    },
  ) {
    this.folder = folder;
    this.journal = journal;
    this.#record = record;
    this.#lock = lock;
    this.#summary = summaryFor(record);
    for (const line of resolveRewinds(lines).lines) if (line.kind === 'evaluation') this.#evaluated(line);
  }

  /** The record as it was last written. */
  get record(): RunRecord {
    return this.#record;
  }

  /** The path of a file in the folder. */
  file(kind: keyof typeof runFiles): string {
    return join(this.folder, runFiles[kind]);
  }

  /** Writes an event into the journal; the start also into the record, which is all that has to be waited for. */
  onEvent(event: TrainEvent): void | Promise<void> {
    this.journal.record(event);
    this.#summary.tell(event);
    if (event.kind === 'evaluation') this.#evaluated(event);
    if (event.kind === 'fit-end') {
      const { why, metrics, depth, factor, timing, peakMemoryBytes } = event;
      this.#ended = { stopReason: why, metrics, depth, factor, timing, peakMemoryBytes };
    }
    if (event.kind === 'fit-start') return this.#started(event);
  }

  /** Completes the journal, then writes the final record and lets go of the folder. */
  async finish({ status, failure, ...end }: RunEnd): Promise<RunRecord> {
    const trouble = attempt(() => this.journal.close());
    const { stability, efficiency, target, gap } = (await this.#wholeSummary()).report();
    this.#record = {
      ...this.#record,
      ...this.#ended,
      ...end,
      status,
      failure: failure ?? null,
      finishedAt: new Date().toISOString(),
      stability,
      efficiency,
      target,
      gap,
      journal: this.journal.head,
    };
    await writeRecord(this.folder, this.#record);
    this.#lock[Symbol.dispose]();
    // The failure of the run is what its user should read, not what followed from it.
    if (trouble !== null && status !== 'failed') throw trouble;
    return this.#record;
  }

  /** Closes the files and lets go of the folder; a run that was not finished keeps the status `running`. */
  [Symbol.dispose](): void {
    try {
      this.journal.close();
    } finally {
      this.#lock[Symbol.dispose]();
    }
  }

  /** What was measured. A resumed run tells some things a second time: there the journal knows what counts. */
  async #wholeSummary(): Promise<TrainingSummary> {
    if (this.#record.resumptions.length === 0) return this.#summary;
    const genesis = journalGenesis(this.#record);
    const journal = await readJournal(this.journal.path, { genesis }).catch(() => null);
    return journal === null ? this.#summary : summaryFor(this.#record, journal);
  }

  #evaluated({ train, validation, gap }: Evaluation): void {
    this.#ended = { ...this.#ended, metrics: { train, validation, gap } };
  }

  async #started(event: Extract<TrainEvent, { kind: 'fit-start' }>): Promise<void> {
    const { batchSize, microbatches, algorithms, primary, precision, worldSize, model } = event;
    const optimizer = this.#record.optimizer ?? { name: event.optimizer, options: {} };
    const told = { batchSize, microbatches, algorithms, primary, precision, worldSize, model, optimizer };
    this.#record = { ...this.#record, ...told };
    await writeRecord(this.folder, this.#record);
  }
}

function summaryFor(record: RunRecord, journal: Resolved = { lines: [], superseded: [] }): TrainingSummary {
  const summary = new TrainingSummary({ ...record, rowsOf: (primary) => evaluatedRows({ ...record, primary }) });
  summary.readAll(journal);
  return summary;
}

/** Writes `run.json` whole. */
export async function writeRecord(folder: string, record: RunRecord): Promise<void> {
  await writeAtomically(join(folder, runFiles.record), `${losslessJson(record, 2)}\n`);
}

function attempt(action: () => void): unknown {
  try {
    action();
    return null;
  } catch (error) {
    return error;
  }
}
