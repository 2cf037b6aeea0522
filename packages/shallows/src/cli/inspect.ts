import { stat } from 'node:fs/promises';
import { ShallowsError } from '../errors.js';
import { loadRecipe } from '../recipe/load.js';
import { readRun } from '../track/read-run.js';
import type { RunRecord } from '../track/run-record.js';
import { needAddon } from './addon.js';
import type { Context } from './context.js';
import { UsageError } from './failure.js';
import type { InspectFacts } from './inspect-facts.js';
import { inspectText } from './inspect-text.js';

/** `shallows inspect RUN|RECIPE [path=value …] [--json]` */
export default async function inspect(
  this: Context,
  { json }: { readonly json: boolean },
  ...args: string[]
): Promise<void> {
  const { stdout } = this.terminal;
  const [path = '', ...overrides] = args;
  const isRun = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  const facts = isRun ? await ofRun(this, path, overrides) : await ofRecipe(this, path, overrides);
  stdout.write(
    json
      ? `${JSON.stringify({ [isRun ? 'run' : 'recipe']: path, ...facts })}\n`
      : inspectText(facts, stdout.columns ?? 80),
  );
}

async function ofRun(context: Context, folder: string, overrides: readonly string[]): Promise<InspectFacts> {
  const record = await finishedRun(folder, overrides);
  await needAddon(context);
  const { inspectRun } = await import('./inspect-facts.js');
  return await inspectRun(folder, record);
}

async function ofRecipe(context: Context, path: string, overrides: readonly string[]): Promise<InspectFacts> {
  const recipe = await loadRecipe(path, overrides);
  await needAddon(context);
  const { inspectRecipe } = await import('./inspect-facts.js');
  return await inspectRecipe(recipe);
}

async function finishedRun(folder: string, overrides: readonly string[]): Promise<RunRecord> {
  if (overrides.length > 0) {
    throw new UsageError(
      `inspect: expected no overrides beside a run, got ${overrides.join(' ')} - its recipe stands in its record: give a recipe file to change one`,
    );
  }
  const record = await readRun(folder).catch((error: unknown) => {
    throw error instanceof ShallowsError ? new UsageError(error.message, { cause: error }) : error;
  });
  if (record.status === 'done' || record.status === 'interrupted') return record;
  throw new UsageError(
    `inspect: expected a run that has ended with its weights saved, got one that is ${record.status} (${folder}) - give another, or its recipe`,
  );
}
