import { mkdir, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ShallowsError } from '../errors.js';
import { createJournal } from './journal/index.js';
import { Run, writeRecord } from './run.js';
import { runFiles } from './run-files.js';
import { journalGenesis } from './run-identity.js';
import { firstRecord, type RunStart } from './run-start.js';
import { lockWriter } from './writer-lock.js';

/**
 * Starts a run in a folder that is new or empty: takes the right to write, collects what tells this run from others
 * (commit, lock file, container, versions, machine, digests) and writes `run.json`.
 *
 * @throws ShallowsError when the folder holds anything, another process writes to it, or it cannot be written
 */
export async function createRun(folder: string, start: RunStart): Promise<Run> {
  const path = resolve(folder);
  await makeFolder(path);
  const lock = lockWriter(join(path, runFiles.lock));
  try {
    await refuseForeign(path);
    const record = await firstRecord(start);
    await writeRecord(path, record);
    const journal = createJournal(join(path, runFiles.journal), {
      ...start.journal,
      genesis: journalGenesis(record),
    });
    return new Run(path, { record, journal, lock, lines: [] });
  } catch (error) {
    lock[Symbol.dispose]();
    throw error;
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ShallowsError(`createRun: expected a folder that can be made, got ${why} - choose another`, { cause });
  }
}

/** A run never overwrites: neither an earlier run nor anybody's files. */
async function refuseForeign(path: string): Promise<void> {
  const names = (await readdir(path)).filter((name) => name !== runFiles.lock).sort();
  if (names.length === 0) return;
  const got = names.includes(runFiles.record)
    ? 'one that holds a run'
    : `one that holds ${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}`;
  throw new ShallowsError(`createRun: expected a new or empty folder, got ${got} (${path}) - choose another folder`);
}
