import type { Advice } from '../../depth/index.js';
import type { Inventory, StochasticSite } from '../inventory/index.js';
import { normRules } from './norm-rules.js';
import { siteRules } from './site-rules.js';
import { trustRules } from './trust-rules.js';

/** What else is known of the training: the more, the more can be said. */
export interface PlacementFacts {
  /** Rows of a batch on one rank. */
  readonly batchSize?: number | null;
}

/** @internal What the rules read. */
export interface PlacementInput {
  readonly inventory: Inventory;
  /** The sites that drop units: active, and no stochastic depth. */
  readonly dropouts: readonly StochasticSite[];
  readonly batchSize: number | null;
}

/** @internal One piece of advice, or `null` where it does not apply. */
export type PlacementRule = (input: PlacementInput) => Omit<Advice, 'code'> | null;

const rules: Readonly<Record<string, PlacementRule>> = { ...trustRules, ...normRules, ...siteRules };

/** The code of every advice on placement there is. */
export const placementCodes: readonly string[] = Object.freeze(Object.keys(rules));

const branches = ['depth', 'drop-path', 'stochastic-depth', 'layer-drop'];

/**
 * What experience says about where a model drops: warnings first, each with its source. Most of it needs an inventory that
 * was made with an example. Nothing is run or changed, and an empty list is no promise.
 *
 * Thresholds between published points are this library's own.
 */
export function advisePlacement(inventory: Inventory, { batchSize = null }: PlacementFacts = {}): readonly Advice[] {
  const dropouts = inventory.sites.filter(
    ({ active, reached, kind }) => active && reached !== false && !branches.includes(kind),
  );
  const found = Object.entries(rules).flatMap(([code, rule]) => {
    const advice = rule({ inventory, dropouts, batchSize });
    return advice === null ? [] : [Object.freeze({ code, ...advice })];
  });
  const rank = ({ severity }: Advice): number => (severity === 'warning' ? 0 : 1);
  return Object.freeze(found.toSorted((a, b) => rank(a) - rank(b)));
}
