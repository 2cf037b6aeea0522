import { type BrokenRun, type ListedRun, listRun, runFolders } from '../track/find-runs.js';
import { grouped, span } from '../track/format.js';
import { metricWords } from '../track/metric-words.js';
import type { Context } from './context.js';
import { UsageError } from './failure.js';
import { defaultFolder } from './runs-folder.js';
import { alignedTable } from './table.js';

/** `shallows runs list [FOLDER …] [--json]` */
export default async function list(
  this: Context,
  flags: { readonly json: boolean },
  ...folders: string[]
): Promise<void> {
  const { stdout } = this.terminal;
  const found = (
    await Promise.all(
      (folders.length === 0 ? [defaultFolder] : folders).map((folder) => foldersIn(folder, folders.length > 0)),
    )
  ).flat();
  const all = await Promise.all([...new Set(found)].map((folder) => listRun(folder)));
  const broken = all.filter((run): run is BrokenRun => run.status === 'broken');
  const runs = all.filter((run): run is ListedRun => run.status !== 'broken').sort(newestFirst);
  if (flags.json) {
    stdout.write(`${JSON.stringify({ runs, broken })}\n`);
    return;
  }
  if (all.length === 0) {
    const where = folders.length === 0 ? defaultFolder : folders.join(', ');
    stdout.write(`No runs under ${where}. Train one: shallows train RECIPE, or shallows quickstart.\n`);
    return;
  }
  stdout.write(alignedTable([['run', 'name', 'started', 'status', 'validation', 'batches', 'time'], ...runs.map(row)]));
  for (const { folder, problem } of broken) stdout.write(`broken: ${folder}: ${problem}\n`);
}

async function foldersIn(folder: string, asked: boolean): Promise<string[]> {
  try {
    return await runFolders(folder);
  } catch (cause) {
    if (!asked) return [];
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`runs list: expected a folder, got ${why} - give one that holds runs`, { cause });
  }
}

function newestFirst(a: ListedRun, b: ListedRun): number {
  return Date.parse(b.startedAt) - Date.parse(a.startedAt) || (a.folder < b.folder ? -1 : 1);
}

function row({ folder, name, startedAt, status, metric, batches, durationMs }: ListedRun): string[] {
  const words = metricWords(metric.name);
  const value = metric.value === null ? '-' : `${words.noun} ${words.shown(metric.value)}`;
  const started = startedAt.slice(0, 16).replace('T', ' ');
  return [folder, name, started, status, value, grouped(batches), span(durationMs)];
}
