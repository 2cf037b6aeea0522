import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readJournal } from './journal/index.js';
import { readRun } from './read-run.js';
import { runFiles } from './run-files.js';
import { journalGenesis } from './run-identity.js';
import type { RunRecord, RunStatus } from './run-record.js';
import { isLocked } from './writer-lock.js';

/** A run as a list shows it. */
export interface ListedRun {
  readonly folder: string;
  readonly id: string;
  readonly name: string;
  /** `killed` is a run that says it is running while nobody writes to it. */
  readonly status: RunStatus | 'killed';
  readonly startedAt: string;
  readonly finishedAt: string | null;
  /** The metric that the run is judged by, and its last value on the validation set; null before an evaluation. */
  readonly metric: { readonly name: string; readonly value: number | null };
  /** Finished batches. */
  readonly batches: number;
  readonly durationMs: number;
  readonly parent: string | null;
}

/** A folder that looks like a run's and cannot be read as one. */
export interface BrokenRun {
  readonly folder: string;
  readonly status: 'broken';
  readonly problem: string;
}

const DEEPEST = 8;

/**
 * The folders of runs in a folder and below it, in the order of their paths: those that hold a record or a journal. Hidden folders,
 * `node_modules` and links are not entered, nor is the inside of a run.
 *
 * @throws what the system says of a folder that cannot be read
 */
export async function runFolders(folder: string, depth = DEEPEST): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = new Set(entries.map(({ name }) => name));
  if (names.has(runFiles.record) || names.has(runFiles.journal)) return [folder];
  const inner = entries.filter(
    (entry) => entry.isDirectory() && !entry.name.startsWith('.') && entry.name !== 'node_modules',
  );
  if (depth === 0) return [];
  const found = await Promise.all(inner.map(({ name }) => runFolders(join(folder, name), depth - 1).catch(() => [])));
  return found.flat().sort();
}

/** Reads what a list says of a run. It never throws: what is wrong with the folder is said instead. */
export async function listRun(folder: string, now = Date.now()): Promise<ListedRun | BrokenRun> {
  try {
    const record = await readRun(folder);
    const { id, name, startedAt, finishedAt, parent } = record;
    const live = isLocked(join(folder, runFiles.lock));
    const status: ListedRun['status'] = record.status === 'running' && !live ? 'killed' : record.status;
    const common = { folder, id, name, status, startedAt, finishedAt, parent };
    return {
      ...common,
      ...(record.efficiency === null ? await underWay(folder, record, live ? now : null) : ended(record)),
    };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return { folder, status: 'broken', problem };
  }
}

type Standing = Pick<ListedRun, 'metric' | 'batches' | 'durationMs'>;

function ended({ efficiency, metrics, primary: { name } }: RunRecord): Standing {
  const value = metrics?.validation[name] ?? null;
  return { metric: { name, value }, batches: efficiency?.steps ?? 0, durationMs: efficiency?.elapsedMs ?? 0 };
}

/** How far a run got that has no final record: its journal says it. */
async function underWay(folder: string, record: RunRecord, now: number | null): Promise<Standing> {
  const {
    primary: { name },
    startedAt,
  } = record;
  const path = join(folder, runFiles.journal);
  if ((await stat(path).catch(() => null)) === null)
    return { metric: { name, value: null }, batches: 0, durationMs: 0 };
  const { lines } = await readJournal(path, { genesis: journalGenesis(record) });
  let [batches, value] = [0, null as number | null];
  for (const line of lines) {
    if (line.kind === 'batches') batches = line.first + line.durationMs.length - 1;
    if (line.kind === 'evaluation') value = line.validation[name] ?? null;
  }
  const until = now ?? Date.parse(lines.at(-1)?.time ?? startedAt);
  return { metric: { name, value }, batches, durationMs: Math.max(0, until - Date.parse(startedAt)) };
}
