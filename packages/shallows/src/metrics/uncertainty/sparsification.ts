import { ShallowsError, shown } from '../../errors.js';
import type { RowValues } from '../statistics/input.js';
import { ascendingOrder, tieGroups } from '../statistics/ranks.js';
import { paired, riskCoverage } from './risk-coverage.js';

/** Points of a sparsification plot by the share of rows removed. */
export interface Sparsification {
  readonly removed: Float64Array;
  /** Mean error of the rows left when the most uncertain go first. */
  readonly remaining: Float64Array;
  /** The same when the rows of the largest errors go first. */
  readonly oracle: Float64Array;
  /** Area between the two curves. */
  readonly ause: number;
  /** The area as a share of the mean error of all rows; `null` where there is no error. */
  readonly relativeAuse: number | null;
}

/**
 * The sparsification plot: how the error of the rows left falls as the most uncertain ones are removed.
 *
 * @param points how many points, from 2: shares 0, 1/points, … removed
 * @throws ShallowsError for inputs that `riskCoverage` refuses, or fewer points
 * @see Ilg et al., "Uncertainty estimates and multi-hypotheses networks for optical flow", 2018
 */
export function sparsification(uncertainty: RowValues, errors: RowValues, points = 100): Sparsification {
  if (!Number.isSafeInteger(points) || points < 2) {
    throw new ShallowsError(`sparsification: expected at least two points, got ${shown(points)} - take 100`);
  }
  const [u, e] = paired('sparsification', uncertainty, errors);
  const { ause, risk } = riskCoverage(u, e);
  const removed = Float64Array.from({ length: points }, (_, i) => i / points);
  const left = (by: Float64Array): Float64Array => {
    const meanOf = prefixMeans(by, e);
    return removed.map((share) => meanOf(Math.max(1, Math.round((1 - share) * e.length))));
  };
  return { removed, remaining: left(u), oracle: left(e), ause, relativeAuse: risk === 0 ? null : ause / risk };
}

// The mean error of the k most certain rows, equal ones with their mean.
function prefixMeans(u: Float64Array, e: Float64Array): (k: number) => number {
  const order = ascendingOrder(u);
  const upTo = new Float64Array(order.length + 1);
  for (const [start, end] of tieGroups(u, order)) {
    let group = 0;
    for (let i = start; i < end; i++) group += e[order[i] ?? 0] ?? 0;
    for (let k = start + 1; k <= end; k++) upTo[k] = (upTo[start] ?? 0) + (group * (k - start)) / (end - start);
  }
  return (k) => (upTo[k] ?? 0) / k;
}
