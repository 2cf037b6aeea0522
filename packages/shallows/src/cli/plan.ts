import { loadRecipe } from '../recipe/load.js';
import { needAddon } from './addon.js';
import type { Context } from './context.js';
import { alignedTable, percent } from './table.js';

/** `shallows plan RECIPE [path=value …] [--json]` */
export default async function plan(this: Context, flags: { readonly json: boolean }, ...args: string[]): Promise<void> {
  const [file = '', ...overrides] = args;
  const recipe = await loadRecipe(file, overrides);
  await needAddon(this);
  const { forecastDepth } = await import('../recipe/build.js');
  const forecast = forecastDepth(recipe);
  const { stdout } = this.terminal;
  if (flags.json) {
    stdout.write(`${JSON.stringify({ name: recipe.name, model: recipe.model, depth: recipe.depth, ...forecast })}\n`);
    return;
  }
  const { sites, expectedActive, workSavedIdeal, flops, parameters } = forecast;
  const rows = sites.map((site) => [site.name, site.requested.toFixed(4), millions(site.flops)]);
  stdout.write(
    `${recipe.name}: ${recipe.model.kind} of ${String(recipe.model.depth)} layers, ${String(parameters)} parameters\n\n`,
  );
  stdout.write(alignedTable([['block', 'drop rate', 'MFLOP a picture'], ...rows]));
  stdout.write(
    `\n${alignedTable([
      ['blocks', String(sites.length)],
      ['active on average', expectedActive.toFixed(2)],
      ['forward work, all blocks', `${millions(flops.full)} MFLOP a picture`],
      ['forward work, on average', `${millions(flops.expected)} MFLOP a picture`],
      ['saved', percent(workSavedIdeal, 2)],
    ])}`,
  );
}

function millions(flops: number): string {
  return (flops / 1e6).toFixed(2);
}
