import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { loadRecipe } from '../recipe/load.js';
import type { RunResult } from '../recipe/run.js';
import type { Recipe } from '../recipe/schema.js';
import { percent, span } from '../track/format.js';
import { needAddon } from './addon.js';
import type { Context } from './context.js';
import { exitCodes } from './failure.js';
import { catchInterrupt } from './interrupt.js';
import { quickstartRecipe } from './quickstart-recipe.js';
import { makeQuickstartFolder } from './run-folder.js';
import { alignedTable } from './table.js';

const folder = join('runs', 'quickstart');

/** The runs that the quickstart compares: they differ in one override. */
const variants = [
  { label: 'plain', overrides: ['depth.kind=none', 'name=plain'] },
  { label: 'stochastic depth', overrides: ['name=stochastic-depth'] },
] as const;

/** `shallows quickstart [path=value …] [--json]` */
export default async function quickstart(
  this: Context,
  flags: { readonly json: boolean },
  ...args: string[]
): Promise<void> {
  const { stdout, stderr } = this.terminal;
  const file = quickstartRecipe();
  const recipes: Recipe[] = [];
  for (const { overrides } of variants) recipes.push(await loadRecipe(file, [...args, ...overrides]));
  await makeQuickstartFolder(folder);
  await needAddon(this);
  const { runRecipe } = await import('../recipe/run.js');
  const { loadRun, writeReport } = await import('../track/index.js');
  using interrupt = catchInterrupt(stderr);
  const results: RunResult[] = [];
  for (const [i, recipe] of recipes.entries()) {
    const options = {
      folder: join(folder, recipe.name),
      command: this.argv,
      signal: interrupt.signal,
      progress: stderr,
    };
    const result = await runRecipe(recipe, { ...options, ...labelOf(i) });
    results.push(result);
    if (result.reason === 'interrupted') {
      this.exitWith(exitCodes.interrupted);
      break;
    }
  }
  const report = join(folder, 'report.html');
  await writeReport(report, await Promise.all(results.map(({ run }, i) => loadRun(run, labelOf(i)))));
  stdout.write(flags.json ? `${JSON.stringify({ report, runs: results })}\n` : summary(results, report));
}

function labelOf(i: number): { label?: string } {
  const variant = variants[i];
  return variant === undefined ? {} : { label: variant.label };
}

function summary(results: readonly RunResult[], report: string): string {
  const header = ['', 'validation', 'train', 'gap', 'time a step', 'blocks active'];
  const rows = results.map(({ metrics, depth, timing, blocks }, i) => [
    variants[i]?.label ?? '',
    ...(metrics === null
      ? ['-', '-', '-']
      : [metrics.validation, metrics.train, metrics.gap].map(({ accuracy = Number.NaN }) => percent(accuracy))),
    timing === null ? '-' : span(timing.medianStepMs),
    `${(depth?.realisedActive ?? blocks).toFixed(2)} of ${String(blocks)}`,
  ]);
  return `\n${alignedTable([header, ...rows])}\n${pathToFileURL(report).href}\n`;
}
