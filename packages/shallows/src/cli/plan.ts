import { writeAtomically } from '../files/atomic-file.js';
import { loadRecipe } from '../recipe/load.js';
import { needAddon } from './addon.js';
import { showsUnicode } from './bars.js';
import type { Context, Output } from './context.js';
import { requirePictureFile } from './picture-file.js';
import type { PlanFacts } from './plan-facts.js';
import { planText } from './plan-text.js';

/** What `shallows plan` is told besides the recipe. */
export interface PlanFlags {
  readonly advise: boolean;
  readonly measure: boolean;
  readonly 'rate-for-saving'?: number;
  readonly svg?: string;
  readonly png?: string;
  readonly json: boolean;
}

/** `shallows plan RECIPE [path=value …] [--advise] [--measure] [--rate-for-saving SHARE] [--svg FILE] [--png FILE] [--json]` */
export default async function plan(this: Context, flags: PlanFlags, ...args: string[]): Promise<void> {
  const { stdout, stderr, env } = this.terminal;
  const [file = '', ...overrides] = args;
  const recipe = await loadRecipe(file, overrides);
  const { svg, png, advise, measure, 'rate-for-saving': saving } = flags;
  if (svg !== undefined) await requirePictureFile('--svg', svg);
  if (png !== undefined) await requirePictureFile('--png', png);
  await needAddon(this);
  const { planFacts } = await import('./plan-forecast.js');
  const facts = planFacts(recipe, {
    advise,
    measure,
    saving,
    ...(measure ? { onProgress: showProgress(stderr) } : {}),
  });
  if (svg !== undefined || png !== undefined) await draw(facts, svg, png);
  if (flags.json) {
    stdout.write(`${JSON.stringify({ model: recipe.model, depth: recipe.depth, ...planJson(facts), svg, png })}\n`);
    return;
  }
  stdout.write(planText(facts, { columns: stdout.columns ?? 80, unicode: showsUnicode(env) }));
  const drawn = [svg, png].filter((path) => path !== undefined);
  if (drawn.length > 0) stdout.write(`\n${drawn.join('\n')}\n`);
}

/** Says what takes its time, and on a terminal how far it is. */
function showProgress(stderr: Output): (share: number) => void {
  const words = 'Measuring training steps, with every block and with each alone';
  if (stderr.isTTY !== true) {
    stderr.write(`${words}\n`);
    return () => {};
  }
  return (share) => {
    stderr.write(`\r${words}: ${String(Math.round(100 * share))} %${share === 1 ? '\n' : ''}`);
  };
}

async function draw(facts: PlanFacts, svg: string | undefined, png: string | undefined): Promise<void> {
  // Plots need a DOM and a PNG a renderer, which take longer to load than all the rest: only where they are asked for.
  const { planSvg } = await import('./plan-picture.js');
  const picture = planSvg(facts);
  if (svg !== undefined) await writeAtomically(svg, picture);
  if (png === undefined) return;
  const { default: sharp } = await import('sharp');
  await writeAtomically(
    png,
    await sharp(Buffer.from(picture), { density: 144 }).png({ palette: true, dither: 0, effort: 10 }).toBuffer(),
  );
}

/** The numbers of a plan for programs. What was not asked for is absent. */
function planJson({
  name,
  modelName,
  sites,
  profile,
  interval99,
  flops,
  parameters,
  policy,
  ...asked
}: PlanFacts): object {
  const { time, advice, forSaving } = asked;
  const { distribution, mean, variance, sd } = profile;
  return {
    ...{ name, modelName, parameters, policy },
    sites: sites.map(({ ms, ...site }) => (ms === null ? site : { ...site, ms })),
    ...{ expectedActive: mean, active: { mean, variance, sd, interval99, distribution } },
    ...{ workSavedIdeal: flops.saved, flops },
    ...(time === null ? {} : { time }),
    ...(forSaving === null
      ? {}
      : { rateForSaving: { share: forSaving.share, by: forSaving.by, drop: forSaving.found.drop } }),
    ...(advice === null ? {} : { advice }),
  };
}
