import { Dataflow } from './dataflow.js';
import type { StochasticSite } from './inventory-types.js';
import type { ListedSite } from './listed-sites.js';
import { isPathModule } from './model-sites.js';
import type { Asked, ModuleSpan, Observation } from './observe.js';
import { type SiteRun, surroundingsOf } from './surroundings.js';
import { unitsOf } from './units.js';

/** A site but for its position. */
export type DescribedSite = Omit<StochasticSite, 'position'>;

/** One run of a site, and the module that it was, where it was one. */
interface FoundRun extends SiteRun {
  readonly shape: readonly number[] | null;
  readonly span: ModuleSpan | null;
}

/** What a Monte-Carlo pass says of the sites that modules list, and of functions that it came to beside them. */
export function describedSites(listed: readonly ListedSite[], seen: Observation): readonly DescribedSite[] {
  const flow = new Dataflow(seen.calls);
  const all = [...listed, ...functionsIn(listed, seen)];
  const spans = new Map(all.map(({ name }) => [name, seen.modules.filter((span) => placeOf(span) === name)]));
  const runs = all.flatMap(({ name }) => runOf(name, spans.get(name) ?? [], seen, flow));
  // Runs that stand for one operation of the data flow: not whole branches or layers, and not weights.
  const acting = new Set(
    all
      .filter(({ active, granularity }) => active && granularity !== 'layer' && granularity !== 'weight')
      .map(({ name }) => name),
  );
  const others = runs.filter(({ name, span }) => span !== null && acting.has(name));
  return all.map((site) => {
    const run = runs.find(({ name }) => name === site.name);
    const asked = seen.asked.filter(({ name }) => name === site.name);
    const calls = callsOf(site, spans.get(site.name) ?? [], asked, seen);
    const around =
      run === undefined
        ? { follows: null, before: [], layer: null, activation: null, doubles: [], batchNorms: [], ends: null }
        : surroundingsOf(run, flow, others, seen.outputs);
    // A site that would drop counts as reached where it drew; what only asks for its rate may have nothing to drop.
    const units =
      site.kind === 'depth'
        ? { fanIn: 1, features: null }
        : unitsOf(site.granularity, run?.shape ?? null, around.layer, run?.span?.module ?? null);
    const drops = site.active && site.kind !== 'depth' && site.granularity !== 'weight';
    return {
      ...site,
      ...around,
      ...units,
      reached: calls > 0,
      calls,
      batchNorms: drops ? [...new Set(around.batchNorms.map((at) => moduleAt(at, seen)))] : [],
      within: asked[0]?.within ?? withinOf(site.name, run, seen),
    };
  });
}

/** Places with a name that no module has: functions that are called with one. */
function functionsIn(listed: readonly ListedSite[], { asked }: Observation): readonly ListedSite[] {
  const known = new Set(listed.map(({ name }) => name));
  const found = new Map<string, ListedSite>();
  for (const { name, rate } of asked) {
    if (known.has(name)) continue;
    const own = {
      name,
      kind: 'function',
      rate,
      active: rate > 0,
      granularity: 'unknown',
      scaling: 'unknown',
      schedule: null,
    };
    found.set(name, own);
  }
  return [...found.values()];
}

/** The name of the place that a module is. */
function placeOf({ module }: ModuleSpan): string | null {
  if (isPathModule(module)) return module.name;
  const site: unknown = Reflect.get(module, 'site');
  const name: unknown = typeof site === 'object' && site !== null ? Reflect.get(site, 'name') : null;
  return typeof name === 'string' ? name : null;
}

/** The first run of a place: by its module, its branch, or where it asked for its rate. */
function runOf(name: string, spans: readonly ModuleSpan[], seen: Observation, flow: Dataflow): readonly FoundRun[] {
  const branch = seen.branches.find(({ site }) => site === name);
  if (branch !== undefined) {
    const { from, to, output } = branch;
    const read = flow.inputOf(from, to, seen.weights);
    return [{ name, from, to, input: read?.id ?? null, shape: read?.shape ?? null, output, span: null }];
  }
  const [span] = spans;
  if (span !== undefined) {
    const { from, to, output, input, shape } = span;
    return [{ name, from, to, input, shape, output, span }];
  }
  const asked = seen.asked.find((each) => each.name === name);
  if (asked === undefined) return [];
  const read = flow.inputOf(asked.at, seen.calls.length, seen.weights);
  return [
    {
      name,
      from: asked.at,
      to: asked.at,
      input: read?.id ?? null,
      shape: read?.shape ?? null,
      output: null,
      span: null,
    },
  ];
}

function callsOf(site: ListedSite, spans: readonly ModuleSpan[], asked: readonly Asked[], seen: Observation): number {
  if (site.kind === 'depth') return seen.branches.filter((each) => each.site === site.name).length;
  if (site.granularity === 'layer' || site.kind === 'function') return asked.length;
  if (site.kind === 'drop-path' || site.kind === 'stochastic-depth') return spans.length;
  const drew = seen.drew.get(site.name) ?? 0;
  if (site.active && asked.length > 0) return drew;
  return Math.max(spans.length, Math.min(asked.length, 1));
}

/** Path of the module whose forward made a call. */
function moduleAt(at: number, { modules }: Observation): string {
  const around = modules.filter(({ from, to }) => from <= at && at < to);
  return around.toSorted((a, b) => a.to - a.from - (b.to - b.from))[0]?.path ?? '';
}

function withinOf(name: string, run: FoundRun | undefined, { branches }: Observation): readonly string[] {
  const own = branches.find(({ site }) => site === name);
  if (own !== undefined) return own.within;
  if (run === undefined) return [];
  return branches.flatMap(({ site, from, to }) => (from <= run.from && run.to <= to ? [site] : []));
}
