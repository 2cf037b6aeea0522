import type { ModuleTree } from '../../depth/index.js';
import { didYouMean, ShallowsError } from '../../errors.js';
import { matches } from '../inventory/name-pattern.js';
import { nameDropouts } from '../name-dropouts.js';
import type { RandomDepth } from './depth.js';

/**
 * The names that patterns choose among a model's dropouts and sites of stochastic depth.
 *
 * @throws ShallowsError for no patterns, or one that no name matches
 */
export function chosenSites(
  model: ModuleTree,
  { sites }: RandomDepth,
  patterns: readonly string[],
): ReadonlySet<string> {
  const names = [...nameDropouts(model), ...sites].map(({ name }) => name);
  if (patterns.length === 0) {
    throw new ShallowsError('monteCarlo: expected names of sites, got none - leave `sites` out for all');
  }
  return new Set(
    patterns.flatMap((pattern) => {
      const found = names.filter((name) => matches(pattern, name));
      if (found.length > 0) return found;
      throw new ShallowsError(
        `monteCarlo: expected the name of a random place, got '${pattern}'${didYouMean(pattern, names)} - inventory(model) lists them`,
      );
    }),
  );
}
