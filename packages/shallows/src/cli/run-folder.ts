import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { runFiles } from '../track/run-files.js';
import { UsageError } from './failure.js';

/**
 * Makes the folder of a new run: the given one, which must be new or empty, or `<parent>/<name>-<time>`.
 *
 * @throws UsageError where the folder holds anything, so that no run is overwritten.
 */
export async function makeRunFolder(
  given: string | undefined,
  parent: string,
  name: string,
  now = new Date(),
): Promise<string> {
  if (given !== undefined) {
    const held = await entriesOf(given);
    if (held.length > 0) throw occupied('--run-dir', given, held);
    await make(given);
    return given;
  }
  const stamp = now.toISOString().slice(0, 19).replace(/[-:]/g, '').replace('T', '-');
  await make(parent);
  for (let count = 1; ; count++) {
    const folder = join(parent, count === 1 ? `${name}-${stamp}` : `${name}-${stamp}-${String(count)}`);
    if (await makeNew(folder)) return folder;
  }
}

/**
 * The folder of the run that goes on: the given one, or the one that a checkpoint is in; null where the given one holds no
 * run yet, so that it starts from the beginning.
 *
 * @throws UsageError for `auto` without a folder, or a path that is in no run
 */
export function folderToResume(resume: string, given: string | undefined): string | null {
  if (given !== undefined) return existsSync(join(given, runFiles.record)) ? given : null;
  if (resume === 'auto') {
    throw new UsageError(
      'train: expected --run-dir with --resume auto, got none - name the folder of the run, which is made where it is not there',
    );
  }
  const found = [resume, dirname(dirname(resolve(resume)))].find((each) => existsSync(join(each, runFiles.record)));
  if (found !== undefined) return found;
  throw new UsageError(
    `train: expected a run, or a checkpoint of one, after --resume, got ${resume} - give its folder, or name a new one with --run-dir`,
  );
}

const marker = 'quickstart.json';

/**
 * Makes the folder of the quickstart, in place of an earlier quickstart.
 *
 * @throws UsageError where the folder holds anything which the quickstart did not make.
 */
export async function makeQuickstartFolder(folder: string): Promise<string> {
  const held = await entriesOf(folder);
  if (held.length > 0 && !(await isQuickstart(folder))) throw occupied('the quickstart', folder, held);
  for (const entry of held) await rm(join(folder, entry), { recursive: true, force: true });
  await make(folder);
  await writeFile(join(folder, marker), `${JSON.stringify({ madeBy: 'shallows quickstart' })}\n`);
  return folder;
}

async function isQuickstart(folder: string): Promise<boolean> {
  const text = await readFile(join(folder, marker), 'utf8').catch(() => '');
  return text.includes('shallows quickstart');
}

async function entriesOf(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return [];
    throw unusable(folder, cause);
  }
}

async function make(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (cause) {
    throw unusable(folder, cause);
  }
}

async function makeNew(folder: string): Promise<boolean> {
  try {
    await mkdir(folder);
    return true;
  } catch (cause) {
    if (codeOf(cause) === 'EEXIST') return false;
    throw unusable(folder, cause);
  }
}

function occupied(who: string, folder: string, held: readonly string[]): UsageError {
  const what = held.includes('run.json') ? 'one that holds a run' : `one that holds ${held.slice(0, 3).join(', ')}`;
  return new UsageError(
    `${who}: expected a new or empty folder, got ${what} (${folder}) - give another folder with --run-dir, or move that one away`,
  );
}

function unusable(folder: string, cause: unknown): UsageError {
  const got = {
    ENOTDIR: 'a file',
    EEXIST: 'a file',
    EACCES: 'one that may not be written',
    EROFS: 'one that may not be written',
  }[codeOf(cause)];
  const message = `run folder: expected a folder that can be made, got ${got ?? codeOf(cause)} (${folder}) - give another with --run-dir`;
  return new UsageError(message, { cause });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'an error';
}
