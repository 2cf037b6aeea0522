import { rmdir } from 'node:fs/promises';
import { loadRecipe } from '../recipe/load.js';
import type { RunResult } from '../recipe/run.js';
import { percent, span } from '../track/format.js';
import type { Evaluation } from '../train/events.js';
import { needAddon } from './addon.js';
import type { Context } from './context.js';
import { exitCodes } from './failure.js';
import { catchInterrupt } from './interrupt.js';
import { folderToResume, makeRunFolder } from './run-folder.js';
import { fromFirst, withRanks } from './run-ranks.js';
import { alignedTable } from './table.js';

interface Flags {
  readonly 'run-dir'?: string;
  readonly resume?: string;
  readonly json: boolean;
}

/** `shallows train RECIPE [path=value …] [--run-dir DIR] [--resume auto|PATH] [--json]` */
export default async function train(this: Context, flags: Flags, ...args: string[]): Promise<void> {
  const { stdout, stderr } = this.terminal;
  const [file = '', ...overrides] = args;
  const recipe = await loadRecipe(file, overrides);
  const { resume } = flags;
  await withRanks(this, recipe, async (ranks) => {
    const leads = ranks === null || ranks.rank === 0;
    const earlier = resume === undefined ? null : folderToResume(resume, flags['run-dir']);
    const make = () => earlier ?? makeRunFolder(flags['run-dir'], recipe.track.path, recipe.name);
    const folder = await fromFirst(ranks, make);
    try {
      await needAddon(this);
      const { runRecipe } = await import('../recipe/run.js');
      using interrupt = catchInterrupt(stderr);
      const result = await runRecipe(recipe, {
        ...{ folder, command: this.argv, signal: interrupt.signal, progress: stderr },
        ...(resume === undefined ? {} : { resume }),
        ...(ranks === null ? {} : { parallel: ranks }),
      });
      if (result.reason === 'interrupted') this.exitWith(exitCodes.interrupted);
      if (leads) stdout.write(flags.json ? `${JSON.stringify(result)}\n` : summary(result));
    } catch (error) {
      // A run that could not start leaves no empty folder behind; one that holds anything is not removed.
      if (leads && flags['run-dir'] === undefined && earlier === null) await rmdir(folder).catch(() => undefined);
      throw error;
    }
  });
}

/** Every metric as a column of a table. */
export function metricsRows({ train, validation, gap }: Evaluation): string[][] {
  const names = Object.keys(validation);
  const row = (title: string, metrics: Evaluation['train']): string[] => [
    title,
    ...names.map((name) => {
      const value = metrics[name] ?? Number.NaN;
      return name === 'accuracy' ? percent(value) : value.toFixed(4);
    }),
  ];
  return [['', ...names], row('train', train), row('validation', validation), row('gap', gap)];
}

function summary({ run, reason, metrics, depth, timing }: RunResult): string {
  const lines = metrics === null ? '' : alignedTable(metricsRows(metrics));
  const blocks =
    depth === null || depth.sites.length === 0
      ? ''
      : `\n${depth.realisedActive.toFixed(2)} of ${String(depth.sites.length)} blocks active on average (${depth.expectedActive.toFixed(2)} expected)${
          depth.workSaved === null ? '' : `, ${percent(depth.workSaved)} of the forward work saved`
        }\n`;
  const alarms = depth?.sites.filter((site) => site.alarm).map((site) => site.name) ?? [];
  const alarm =
    alarms.length === 0 ? '' : `the realised rate of ${alarms.join(', ')} is outside of what chance explains\n`;
  const time = timing === null ? '' : `${span(timing.medianStepMs)} a step, ${span(timing.totalMs)} in all\n`;
  const end = reason === 'interrupted' ? 'interrupted, and saved: ' : '';
  return `${lines}${blocks}${alarm}${time}${end}${run}\n`;
}
