import { ShallowsError } from '../../errors.js';
import { indexOf } from '../../random/key.js';
import { PolicyError } from './error.js';
import { requireNames } from './find-sites.js';
import { type Policy, requirePolicy } from './policy.js';
import { depthSchedules } from './schedule.js';
import { selectLayers } from './selection.js';
import type { Site } from './site.js';

/** What a policy needs to know of a site: frozen plain data. */
export interface SitePlace {
  readonly name: string;
  /** What the branch is, such as `attention`. */
  readonly kind: string;
  /** Its layer in forward order, from 0: sites of one block share it. */
  readonly layer: number;
  /** False where the block has no shortcut to fall back on: its layer counts, but it is never dropped. */
  readonly droppable: boolean;
}

/** A site as a plan sees it: frozen plain data. */
export interface RatedSite extends SitePlace {
  /** Drop rate, in [0, 1], before any schedule over time. */
  readonly drop: number;
  /** Where under a step's key the site draws: a function of its name alone, so other sites cannot shift its luck. */
  readonly index: number;
}

/** Where the sites of a model are, in forward order, as `findSites` lists them. */
export function placesOf(sites: readonly Site[]): readonly SitePlace[] {
  const layers = new Map<object, number>();
  return sites.map(({ name, kind, layer, droppable }) => {
    const index = layers.get(layer) ?? layers.size;
    layers.set(layer, index);
    return Object.freeze({ name, kind, layer: index, droppable });
  });
}

/**
 * The drop rate of each site under a policy, without touching a model. Sites that cannot be dropped are left out.
 *
 * @param places the sites in forward order, from `placesOf`; a name alone stands for a layer of its own
 * @throws PolicyError when a list of rates has another length, or a selection names a layer that is not there
 * @throws ShallowsError when names are empty or repeated, a kind is not found, a budget cannot be met, or a non-zero rate
 *   reaches no site
 */
export function rateSites(policy: Policy, places: readonly (string | SitePlace)[]): readonly RatedSite[] {
  requirePolicy('rateSites', policy);
  const all = places.map((place, layer) =>
    typeof place === 'string' ? { name: place, kind: '', layer, droppable: true } : place,
  );
  requireNames(
    'rateSites',
    all.map(({ name }) => name),
  );
  requireKinds(policy, all);
  const rateOf = layerRates(
    policy,
    all.reduce((most, { layer }) => Math.max(most, layer + 1), 0),
  );
  const sites = all
    .filter(({ droppable }) => droppable)
    .map((place) => ({ ...place, drop: rateOf(place), index: indexOf('site', place.name) }));
  if (topRate(policy) > 0 && !sites.some(({ drop }) => drop > 0)) throw new ShallowsError(unreached(policy, sites));
  const budgeted = policy.budget === null ? sites.map(({ drop }) => drop) : toBudget(sites, policy.budget);
  return Object.freeze(sites.map((site, i) => Object.freeze({ ...site, drop: budgeted[i] ?? 0 })));
}

function topRate({ drop, kinds }: Policy): number {
  return kinds === null ? drop : Math.max(drop, ...Object.values(kinds));
}

function requireKinds({ kinds }: Policy, places: readonly SitePlace[]): void {
  const found = [...new Set(places.map(({ kind }) => kind))];
  for (const kind of Object.keys(kinds ?? {})) {
    if (found.includes(kind)) continue;
    throw new ShallowsError(
      `applyPolicy: expected kinds of the model, ${found.join(', ') || 'none'}, got '${kind}' - rate one of those`,
    );
  }
}

/** The rate of a site by its layer and kind. */
function layerRates(policy: Policy, layers: number): (place: SitePlace) => number {
  const { schedule, rates, select, protect, drop, kinds } = policy;
  const free = Math.max(0, layers - protect.first - protect.last);
  const chosen = select === null ? null : selected(select, layers);
  const shape = (top: number): readonly number[] => {
    if (schedule === 'list') return listed(rates, layers);
    const inner = free === 0 ? [] : depthSchedules[schedule](top, free);
    return Array.from({ length: layers }, (_, layer) => inner[layer - protect.first] ?? 0);
  };
  const usual = shape(drop);
  const byKind = new Map(Object.entries(kinds ?? {}).map(([kind, top]) => [kind, shape(top)]));
  return ({ kind, layer, droppable }) => {
    if (!droppable || chosen?.[layer] === false) return 0;
    return (byKind.get(kind) ?? usual)[layer] ?? 0;
  };
}

function selected(select: string, layers: number): readonly boolean[] {
  try {
    return selectLayers(select, layers);
  } catch (error) {
    if (!(error instanceof ShallowsError)) throw error;
    throw new PolicyError([{ field: 'select', message: error.message.replace(/^selectLayers: /, '') }]);
  }
}

function listed(rates: readonly number[] | null, layers: number): readonly number[] {
  if (rates?.length === layers) return rates;
  const message = `expected one rate a layer, ${layers}, got ${rates?.length ?? 0} - list them in forward order`;
  throw new PolicyError([{ field: 'rates', message }]);
}

/** Rates scaled by one factor so that they sum to the budget; those that would pass 1 stay there, and the others rise. */
function toBudget(sites: readonly { readonly drop: number }[], budget: number): number[] {
  const rated = sites.filter(({ drop }) => drop > 0).length;
  if (budget > rated) {
    throw new ShallowsError(
      `applyPolicy: expected a budget up to the ${rated} sites that have a rate, got ${budget} - drop fewer, or rate more sites`,
    );
  }
  const full = new Set<number>();
  for (;;) {
    const rest = sites.reduce((sum, { drop }, i) => (full.has(i) ? sum : sum + drop), 0);
    const factor = rest === 0 ? 0 : (budget - full.size) / rest;
    const over = sites.findIndex(({ drop }, i) => !full.has(i) && drop * factor > 1);
    if (over < 0) return sites.map(({ drop }, i) => (full.has(i) ? 1 : drop * factor));
    full.add(over);
  }
}

function unreached(policy: Policy, sites: readonly SitePlace[]): string {
  const { schedule, select, protect } = policy;
  const drop = topRate(policy);
  if (sites.length === 0) {
    return (
      `applyPolicy: expected blocks for the drop rate ${drop}, got a model without sites - ` +
      'give its residual blocks a `site` and run them through residual(), or set drop to 0'
    );
  }
  const which = sites.length === 1 ? 'the only site' : `all ${sites.length} sites`;
  const names = sites.slice(0, 3).map(({ name }) => name);
  const why =
    select !== null
      ? `the selection '${select}' leaves out every layer with a rate: select others`
      : protect.first + protect.last > 0
        ? `${protect.first} first and ${protect.last} last layers are protected: protect fewer`
        : `the schedule '${schedule}' gives the first block 0: use 'linear' or 'uniform'`;
  return `applyPolicy: expected the drop rate ${drop} to reach a block, got rate 0 for ${which} (${names.join(', ')}) - ${why}`;
}
