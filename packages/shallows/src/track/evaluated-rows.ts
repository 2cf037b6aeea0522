import type { OfBoth } from './data-record.js';
import type { RunRecord } from './run-record.js';

/**
 * On how many independent rows each side of an evaluation was measured, where the run is judged by a share of them; else null: then
 * nothing is known of how far chance goes.
 */
export function evaluatedRows({
  primary,
  data,
  recipe,
}: Pick<RunRecord, 'primary' | 'data' | 'recipe'>): OfBoth<number> | null {
  if (data.task !== 'classification' || primary.name !== 'accuracy') return null;
  const { train, validation } = data.sizes;
  return { train: Math.min(train, subsetOf(recipe) ?? train), validation };
}

/** How many training rows a recipe has evaluated. */
function subsetOf({ train }: RunRecord['recipe']): number | null {
  if (typeof train !== 'object' || train === null || !('trainSubset' in train)) return null;
  return typeof train.trainSubset === 'number' ? train.trainSubset : null;
}
