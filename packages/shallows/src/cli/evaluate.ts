import { ShallowsError } from '../errors.js';
import { readRun } from '../track/read-run.js';
import { needAddon } from './addon.js';
import type { Context } from './context.js';
import { UsageError } from './failure.js';
import { alignedTable } from './table.js';
import { metricsRows } from './train.js';

/** `shallows evaluate RUN [--json]` */
export default async function evaluate(
  this: Context,
  flags: { readonly json: boolean },
  folder: string,
): Promise<void> {
  const record = await readRun(folder).catch((error: unknown) => {
    throw error instanceof ShallowsError ? new UsageError(error.message, { cause: error }) : error;
  });
  if (record.status !== 'done' && record.status !== 'interrupted') {
    throw new UsageError(
      `evaluate: expected a run that has ended with its weights saved, got one that is ${record.status} (${folder}) - give another`,
    );
  }
  await needAddon(this);
  const { evaluateRun } = await import('../recipe/evaluate-run.js');
  const metrics = await evaluateRun(folder, record);
  const { stdout } = this.terminal;
  stdout.write(flags.json ? `${JSON.stringify({ run: folder, metrics })}\n` : alignedTable(metricsRows(metrics)));
}
