import { lstat, readdir, rm, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { ShallowsError } from '../errors.js';
import { bytes } from '../track/format.js';
import { runFiles } from '../track/run-files.js';
import { isLocked, lockWriter } from '../track/writer-lock.js';
import type { Context } from './context.js';
import { exitCodes, UsageError } from './failure.js';
import { runFolder } from './runs-folder.js';

/** `shallows runs rm RUN … [--yes]` */
export default async function remove(
  this: Context,
  flags: { readonly yes: boolean },
  ...named: string[]
): Promise<void> {
  const { stdout, stderr, stdin } = this.terminal;
  const runs: Removal[] = [];
  // All are looked at before the first is touched.
  for (const each of named) {
    const run = await removalOf(await runFolder(each, 'runs rm'));
    if (!runs.some(({ folder }) => folder === run.folder)) runs.push(run);
  }
  if (!flags.yes) {
    if (stdin?.isTTY !== true)
      throw new UsageError('runs rm: expected --yes where nobody can be asked, got none - add it if you are sure');
    stderr.write(runs.map(({ folder, size }) => `${folder}, ${bytes(size)}\n`).join(''));
    const lines = createInterface({ input: stdin });
    stderr.write(`Delete ${runs.length === 1 ? 'this run' : `these ${String(runs.length)} runs`}? [y/N] `);
    const answer = await firstLine(lines);
    if (!/^y(es)?$/i.test(answer.trim())) {
      stderr.write('Nothing was deleted.\n');
      this.exitWith(exitCodes.failed);
      return;
    }
  }
  for (const { folder, own } of runs) {
    await removeRun(folder, own);
    const left = await readdir(folder).catch(() => []);
    stdout.write(`deleted ${folder}${left.length === 0 ? '' : `, but for ${left.join(', ')}, which no run wrote`}\n`);
  }
}

interface Removal {
  readonly folder: string;
  /** The entries that a run wrote. */
  readonly own: readonly string[];
  readonly size: number;
}

const OWN = new Set<string>(Object.values(runFiles));

async function removalOf(folder: string): Promise<Removal> {
  if ((await lstat(folder)).isSymbolicLink())
    throw new UsageError(
      `runs rm: expected the folder of a run, got a link to one (${folder}) - name the folder itself`,
    );
  if (isLocked(join(folder, runFiles.lock)))
    throw new UsageError(`runs rm: expected a run that nobody writes to, got one under way (${folder}) - end it first`);
  const own = (await readdir(folder)).filter(isOwn);
  const sizes = await Promise.all(own.map((name) => sizeOf(join(folder, name))));
  return { folder, own, size: sizes.reduce((sum, size) => sum + size, 0) };
}

function isOwn(name: string): boolean {
  return OWN.has(name) || /^journal\.torn-\d+(-\d+)?\.bin$/.test(name) || /^\..+\.[0-9a-f]{12}\.tmp$/.test(name);
}

async function sizeOf(path: string): Promise<number> {
  const found = await lstat(path).catch(() => null);
  if (found === null) return 0;
  if (!found.isDirectory()) return found.size;
  const inner = await readdir(path);
  const sizes = await Promise.all(inner.map((name) => sizeOf(join(path, name))));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Deletes what a run wrote, its record last: what is left of an interrupted deletion is still a run. */
async function removeRun(folder: string, own: readonly string[]): Promise<void> {
  const lock = lockWriter(join(folder, runFiles.lock));
  try {
    const last = [runFiles.journal, runFiles.record, runFiles.lock];
    const first = own.filter((name) => !last.some((each) => each === name));
    for (const name of [...first, runFiles.journal, runFiles.record])
      await rm(join(folder, name), { recursive: true, force: true });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ShallowsError(`runs rm: expected to delete ${folder}, got ${why} - check the folder's rights`, { cause });
  } finally {
    lock[Symbol.dispose]();
  }
  if ((await readdir(folder)).length === 0 && (await stat(folder)).isDirectory()) await rmdir(folder);
}

async function firstLine(lines: AsyncIterable<string> & { close(): void }): Promise<string> {
  try {
    for await (const line of lines) return line;
    return '';
  } finally {
    lines.close();
  }
}
