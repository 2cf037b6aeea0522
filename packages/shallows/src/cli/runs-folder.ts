import { stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { didYouMean } from '../errors.js';
import { runFolders } from '../track/find-runs.js';
import { runFiles } from '../track/run-files.js';
import { UsageError } from './failure.js';

/** Where runs are looked for unless something else is said. */
export const defaultFolder = 'runs';

/**
 * The folder of a run as it was named: a path, or a path under `runs`.
 *
 * @throws UsageError where neither is a run's
 */
export async function runFolder(named: string, command: string): Promise<string> {
  for (const folder of [named, join(defaultFolder, named)]) if (await isRun(folder)) return folder;
  const known = await runFolders(defaultFolder).catch(() => []);
  const hint = didYouMean(
    named,
    known.flatMap((folder) => [folder, basename(folder)]),
  );
  const inside = await runFolders(named).catch(() => []);
  const got =
    inside.length > 0
      ? `a folder with ${inside.length === 1 ? 'a run' : `${String(inside.length)} runs`} in it (${named})`
      : (await stat(named).catch(() => null)) === null
        ? `no such folder (${named})${hint}`
        : `one without ${runFiles.record} (${named})${hint}`;
  const advice = inside.length > 0 ? `name one, such as ${inside[0] ?? ''}` : 'see shallows runs list';
  throw new UsageError(`${command}: expected the folder of a run, got ${got} - ${advice}`);
}

/** Short names of folders: their last parts, or the whole paths where two would be called the same. */
export function labelsOf(folders: readonly string[]): string[] {
  const names = folders.map((folder) => basename(resolve(folder)));
  return new Set(names).size === names.length ? names : folders.map((folder) => folder.replace(/\/+$/, ''));
}

async function isRun(folder: string): Promise<boolean> {
  for (const name of [runFiles.record, runFiles.journal])
    if ((await stat(join(folder, name)).catch(() => null))?.isFile() === true) return true;
  return false;
}
