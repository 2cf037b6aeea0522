import { type RowValues, sameRows, toNumbers } from '../statistics/input.js';
import { pearson } from '../statistics/moments.js';
import { midRanks } from '../statistics/ranks.js';

/**
 * Spearman's rank correlation: Pearson's correlation of the mid-ranks; 0 where one of the two is constant.
 *
 * @param x `[N]`
 * @param y `[N]`
 * @throws ShallowsError for numbers that are not finite, or lists of two lengths
 */
export function spearman(x: RowValues, y: RowValues): number {
  const [a, b] = [toNumbers('spearman', 'values', x), toNumbers('spearman', 'values', y)];
  sameRows('spearman', a.length, b.length);
  return pearson(midRanks(a), midRanks(b));
}
