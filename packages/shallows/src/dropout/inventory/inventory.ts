import { isTensor } from '@shallows/torch';
import type { AnyModule } from '../../nn/module.js';
import type { Pass } from '../../nn/pass.js';
import { describedSites } from './described-sites.js';
import { hiddenDraws } from './hidden-draws.js';
import type { Inventory, StochasticSite, VarianceShift } from './inventory-types.js';
import { type ListedSite, listedSites } from './listed-sites.js';
import { type Example, forwardOf, lookAt } from './look.js';
import { withNamedSites } from './model-sites.js';
import { orderOf, placeId } from './order.js';
import { varianceShifts } from './variance-shift.js';

/** Options of {@link inventory}. */
export interface InventoryOptions {
  /** Whether the example is real data, of which the variance that batch norms see is measured. */
  readonly measure?: boolean;
}

/**
 * Lists every source of randomness in a model: dropouts of any kind, sites of stochastic depth, and modules that drop paths,
 * as the modules have them. With an example the model also runs, once in a pass of each mode, and the operators of its
 * forward tell where each site stands, which are not reached, and what draws without a key.
 *
 * Nothing is changed by it: rates, names, buffers and generators are as before. Batch norm stays in evaluation, no branch
 * and no layer is left out. With `measure` the example, a batch of real data, also says how far dropout moves the variance
 * that batch norms after it see.
 *
 * @param example an input `[B, …]`, or `(pass) => model.forward(x, pass)`
 * @throws ShallowsError where two places have one name, and for an example that is neither
 */
export function inventory(model: AnyModule, example?: Example, { measure = true }: InventoryOptions = {}): Inventory {
  return withNamedSites(model, (named) => {
    const listed = listedSites(named);
    if (example === undefined) return frozen({ sites: listed.map(unseen), hidden: [], shifts: [] });
    const wholeLayers = new Set(listed.flatMap(({ granularity, name }) => (granularity === 'layer' ? [name] : [])));
    const looks = lookAt(model, example, (name) => !wholeLayers.has(name));
    const order = orderOf(looks);
    const found = hiddenDraws(looks);
    const described = describedSites(listed, looks['monte-carlo']);
    const places = [...described.map(({ name }) => placeId(name)), ...found.map(({ id }) => id)];
    const ranks = order.filter((id) => places.includes(id));
    const rank = (id: string): number => ranks.indexOf(id);
    const sites = described
      .map((site) => ({ ...site, position: site.reached === true ? rank(placeId(site.name)) : null }))
      .toSorted((a, b) => (a.position ?? Number.MAX_VALUE) - (b.position ?? Number.MAX_VALUE));
    const hidden = found
      .map(({ id, ...draw }) => ({ ...draw, position: rank(id) }))
      .toSorted((a, b) => a.position - b.position);
    const norms = new Set(sites.flatMap(({ batchNorms }) => batchNorms));
    return frozen({ sites, hidden, shifts: shiftsOf(model, forwardOf(model, example), norms, measure) });
  });
}

/** The random places of a model in the shape that the record of a run keeps. */
export function stochasticityOf(model: AnyModule): {
  readonly path: string;
  readonly kind: string;
  readonly rate: number;
  readonly granularity: string;
  readonly scaling: string;
}[] {
  return withNamedSites(model, (named) =>
    listedSites(named).map(({ name, kind, rate, granularity, scaling }) => ({
      path: name,
      kind,
      rate,
      granularity,
      scaling,
    })),
  );
}

function shiftsOf(
  model: AnyModule,
  forward: (pass: Pass) => unknown,
  norms: ReadonlySet<string>,
  measure: boolean,
): readonly VarianceShift[] {
  if (norms.size === 0) return [];
  return measure ? varianceShifts(model, forward, norms) : [...norms].map((path) => ({ path, ratio: null, values: 0 }));
}

function unseen(site: ListedSite, position: number): StochasticSite {
  return {
    ...site,
    ...{ reached: null, position, calls: null, fanIn: null, features: null, follows: null, before: [] },
    ...{ layer: null, activation: null, doubles: [], batchNorms: [], ends: null, within: [] },
  };
}

function frozen<T extends object>(value: T): T {
  for (const each of Object.values(value)) {
    if (typeof each === 'object' && each !== null && !isTensor(each) && !Object.isFrozen(each)) frozen(each);
  }
  return Object.freeze(value);
}
