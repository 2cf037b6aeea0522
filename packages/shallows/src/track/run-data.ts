import { basename, join, resolve } from 'node:path';
import { type Journal, readJournal } from './journal-reader.js';
import { readRun } from './read-run.js';
import { runFiles } from './run-files.js';
import type { RunRecord } from './run-record.js';

/** A run as a report needs it. */
export interface RunData {
  /** What it is called where several are compared. */
  readonly label: string;
  readonly record: RunRecord;
  readonly journal: Journal;
}

/**
 * Reads the record and the journal of a run folder, of a finished run or of one that is under way.
 *
 * @param label the folder's name unless given
 * @throws ShallowsError where either is missing or broken
 */
export async function loadRun(folder: string, { label = basename(resolve(folder)) } = {}): Promise<RunData> {
  const [record, journal] = await Promise.all([readRun(folder), readJournal(join(folder, runFiles.journal))]);
  return { label, record, journal };
}
