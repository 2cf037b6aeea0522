import { ShallowsError } from '../../errors.js';
import { indexOf } from '../../random/key.js';
import { setEvaluation } from '../policy/apply-policy.js';
import { findSites, type ModuleTree } from '../policy/find-sites.js';
import type { Policy } from '../policy/policy.js';
import { placesOf, type RatedSite, rateSites } from '../policy/rate-sites.js';
import type { Site } from '../policy/site.js';
import { adapt } from './adaptor.js';
import { policyOf, type StochasticDepthOptions } from './options.js';
import { candidatesOf, chosen } from './target.js';
import { tracedOrder } from './trace.js';

/** What {@link applyStochasticDepth} did to a model. */
export interface AppliedDepth {
  readonly policy: Policy;
  /** Every site that can be dropped, in forward order, for `drawPlan`; those that were not targeted have rate 0. */
  readonly sites: readonly RatedSite[];
  /** Paths of the blocks that run through their adaptor since. */
  readonly adapted: readonly string[];
  /**
   * Gives blocks their own forward back, and all sites the rates and scales that they had. A second call does nothing.
   *
   * @throws ShallowsError where stochastic depth was applied again since, and that was not undone
   */
  undo(): void;
  /** One line a site: name, kind, drop rate. */
  toString(): string;
}

/** Which application a site's rates are from, so that they are undone in order. */
const applications = new WeakMap<Site, symbol>();

/**
 * Puts stochastic depth on an existing model: `applyStochasticDepth(model, { target: 'Bottleneck', dropRate: 0.2 })`.
 *
 * Works on all modules that run through `residual`, and on blocks of classes with an adaptor (`adaptResidual`), whose
 * instances get a `forward` of their own. Weights, state-dict keys and sharing stay as they are, and so does evaluation, but
 * under `paper` scaling. Apply again to change rates, also from 0; the last application holds.
 *
 * The schedule over depth counts the targeted sites in forward order: with an `example`, in the order in which they run;
 * without, in the order of the model's fields.
 *
 * @throws PolicyError naming every wrong option
 * @throws ShallowsError where the target means no block, with the blocks that there are; where the rate reaches none; where
 *   the example does not reach a targeted site, or shows that an adaptor is wrong. The model is then as it was.
 */
export function applyStochasticDepth(model: ModuleTree, options: StochasticDepthOptions = {}): AppliedDepth {
  const policy = policyOf(options);
  const native = findSites(model);
  const meant = chosen(candidatesOf(model, native), options.target, model);
  const names = new Set(meant.map(({ name }) => name));
  const undoing: (() => void)[] = [];
  const undoAdaptors = (): void => undoing.splice(0).forEach((undo) => undo());
  const paths = new Map([...model.namedModules()].map(([path, module]) => [module, path]));
  try {
    const blocks = new Map(
      meant.flatMap(({ adaptable }) => (adaptable ? [[adaptable.module, adaptable] as const] : [])),
    );
    for (const block of blocks.values()) undoing.push(adapt(block));
    const found = findSites(model);
    const wanted = new Set(found.filter(({ name }) => names.has(name)));
    const { example } = options;
    const sites = example === undefined ? found : tracedOrder(model, found, wanted, example);
    const rated = rate(policy, sites, wanted);
    const restore = setRates(policy, sites, rated);
    let done = false;
    return Object.freeze({
      policy,
      sites: rated,
      adapted: Object.freeze(Array.from(blocks.keys(), (module) => paths.get(module) ?? '')),
      undo(): void {
        if (done) return;
        restore();
        undoAdaptors();
        done = true;
      },
      toString: () => described(policy, rated),
    });
  } catch (error) {
    undoAdaptors();
    throw error;
  }
}

/** Rates of the wanted sites by the policy, 0 for the others; layers are those of the whole model. */
function rate(policy: Policy, sites: readonly Site[], wanted: ReadonlySet<Site>): readonly RatedSite[] {
  const targeted = rateSites(policy, placesOf(sites.filter((site) => wanted.has(site))));
  const rates = new Map(targeted.map(({ name, drop }) => [name, drop]));
  return Object.freeze(
    placesOf(sites)
      .filter(({ droppable }) => droppable)
      .map((place) => {
        return Object.freeze({ ...place, drop: rates.get(place.name) ?? 0, index: indexOf('site', place.name) });
      }),
  );
}

/** @returns gives each site what it had */
function setRates(policy: Policy, sites: readonly Site[], rated: readonly RatedSite[]): () => void {
  const rates = new Map(rated.map(({ name, drop }) => [name, drop]));
  const own = Symbol('application');
  const had = sites.map((site) => ({
    site,
    drop: site.drop,
    evaluationScale: site.evaluationScale,
    application: applications.get(site),
  }));
  for (const site of sites) {
    site.drop = rates.get(site.name) ?? 0;
    applications.set(site, own);
  }
  setEvaluation(sites, policy, 1);
  return () => {
    if (sites.some((site) => applications.get(site) !== own)) {
      throw new ShallowsError(
        'undo: expected the last stochastic depth of the model, got one that another was applied after - undo that one first',
      );
    }
    for (const { site, application, ...values } of had) {
      Object.assign(site, values);
      if (application === undefined) applications.delete(site);
      else applications.set(site, application);
    }
  };
}

function described({ unit, schedule, scale }: Policy, sites: readonly RatedSite[]): string {
  const width = Math.max(...sites.map(({ name }) => name.length));
  const kinds = Math.max(...sites.map(({ kind }) => kind.length));
  const active = sites.reduce((sum, { drop }) => sum + 1 - drop, 0);
  const lines = sites.map(({ name, kind, drop }) => {
    return `  ${name.padEnd(width)}  ${kind.padEnd(kinds)}  ${Number(drop.toFixed(6))}`;
  });
  const head = `stochastic depth by ${unit}, ${schedule}, ${scale}: ${Number(active.toFixed(4))} of ${sites.length} branches run on average`;
  return [head, ...lines].join('\n');
}
