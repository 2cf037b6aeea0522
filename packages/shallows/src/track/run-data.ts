import { basename, join, resolve } from 'node:path';
import { readEvaluation } from './evaluation/file.js';
import type { StoredEvaluation } from './evaluation/measured.js';
import { type Journal, readJournal } from './journal/index.js';
import { readRun } from './read-run.js';
import { runFiles } from './run-files.js';
import { journalGenesis } from './run-identity.js';
import type { RunRecord } from './run-record.js';

/** A run as a report needs it. */
export interface RunData {
  /** What it is called where several are compared. */
  readonly label: string;
  readonly record: RunRecord;
  readonly journal: Journal;
  /** What its model was found to be after training; null where nobody asked. */
  readonly evaluation?: StoredEvaluation | null;
}

/**
 * Reads the record and the journal of a run folder, of a finished run or of one that is under way.
 *
 * @param label the folder's name unless given
 * @throws ShallowsError where either is missing or broken
 */
export async function loadRun(folder: string, { label = basename(resolve(folder)) } = {}): Promise<RunData> {
  const record = await readRun(folder);
  const journal = await readJournal(join(folder, runFiles.journal), { genesis: journalGenesis(record) });
  return { label, record, journal, evaluation: await readEvaluation(folder) };
}
