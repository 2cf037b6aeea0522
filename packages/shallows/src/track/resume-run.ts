import { join, resolve } from 'node:path';
import { ShallowsError } from '../errors.js';
import { canonicalDigest } from './canonical-json.js';
import { differences } from './differences.js';
import { reopenJournal } from './journal/index.js';
import { readRun } from './read-run.js';
import { Run, writeRecord } from './run.js';
import { runFiles } from './run-files.js';
import { journalGenesis } from './run-identity.js';
import type { RunRecord } from './run-record.js';
import { nothingMeasured, processFacts, type RunProcess } from './run-start.js';
import { lockWriter } from './writer-lock.js';

/** What only the caller knows of a run that goes on. */
export interface RunResume extends RunProcess {
  /** Finished batches of the snapshot that it goes on from; 0 begins again. */
  readonly batch: number;
  /** The recipe that is about to run, which must be the one that the run began with; not compared unless given. */
  readonly recipe?: Readonly<Record<string, unknown>>;
  /** Of this process: whether there is a graphics driver to ask. */
  readonly devices?: readonly string[];
}

/** A run that goes on, and what had to be said of its journal. */
export interface ResumedRun {
  readonly run: Run;
  /** What was taken out of the journal because it could not be read; null where it was whole. */
  readonly repaired: {
    readonly line: number;
    readonly bytes: number;
    readonly aside: string | null;
    readonly why: string;
  } | null;
}

/**
 * Goes on with a run in its folder, after an interrupt, a failure or a kill: takes the right to write, repairs the end of its
 * journal, and writes down that what was said of batches after `batch` counts no longer.
 *
 * @throws ShallowsError when the folder holds no run, another process writes to it, the recipe is another, or it cannot be
 *   written
 */
export async function resumeRun(folder: string, resume: RunResume): Promise<ResumedRun> {
  const path = resolve(folder);
  const before = await readRun(path);
  refuseOtherRecipe(before, resume.recipe);
  const lock = lockWriter(join(path, runFiles.lock));
  try {
    const { versions, git } = await processFacts(resume, resume.devices ?? []);
    const { batch, command, worldSize = 1 } = resume;
    const again = { time: new Date().toISOString(), batch, command: [...command], worldSize, versions, git };
    const record: RunRecord = {
      ...before,
      status: 'running',
      finishedAt: null,
      failure: null,
      ...nothingMeasured,
      worldSize,
      resumptions: [...before.resumptions, again],
    };
    const { journal, lines, repaired } = reopenJournal(join(path, runFiles.journal), {
      ...resume.journal,
      genesis: journalGenesis(record),
    });
    try {
      const rewind = { kind: 'rewind', batch } as const;
      journal.note(rewind);
      await writeRecord(path, record);
      const last = { seq: journal.head.lines - 1, time: again.time, ...rewind };
      return { run: new Run(path, { record, journal, lock, lines: [...lines, last] }), repaired };
    } catch (error) {
      journal.close();
      throw error;
    }
  } catch (error) {
    lock[Symbol.dispose]();
    throw error;
  }
}

function refuseOtherRecipe(before: RunRecord, recipe: RunResume['recipe']): void {
  if (recipe === undefined || canonicalDigest(recipe) === before.recipeDigest) return;
  const keys = differences([before.recipe, recipe]).map(({ path }) => path);
  const named = `${keys.slice(0, 5).join(', ')}${keys.length > 5 ? ', …' : ''}`;
  throw new ShallowsError(
    `resumeRun: expected the recipe that the run began with, got one that differs in ${named} - resume with the run's own recipe, or start another run`,
  );
}
