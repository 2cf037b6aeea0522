import { type Comparison, type ComparisonOptions, compareMeasure } from '../comparison/compare.js';
import { type RowValues, sameRows } from '../statistics/input.js';
import { rankStatistics } from './ranks-of-rows.js';
import { paired } from './risk-coverage.js';

/**
 * Compares two uncertainties of the same rows by the area under the ROC curve of their errors: is the one that takes many
 * passes better than the one that takes none?
 *
 * @param candidate higher where the model is less sure, `[N]`; as the mutual information of stochastic passes
 * @param baseline the same of something simpler, `[N]`; as 1 − the highest probability of one pass
 * @param errors 1 for a wrong row, 0 for a right one, `[N]`
 * @throws ShallowsError for other inputs, or options out of range
 */
export function compareUncertainties(
  candidate: RowValues,
  baseline: RowValues,
  errors: RowValues,
  options: Omit<ComparisonOptions, 'better'> = {},
): Comparison {
  const [first, e] = paired('compareUncertainties', candidate, errors);
  const [second] = paired('compareUncertainties', baseline, errors);
  sameRows('compareUncertainties', first.length, second.length);
  return compareMeasure(e.length, rankStatistics(first, e).auroc, rankStatistics(second, e).auroc, options);
}
