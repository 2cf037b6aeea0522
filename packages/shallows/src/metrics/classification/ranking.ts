import { ShallowsError } from '../../errors.js';
import {
  type RowTable,
  type RowValues,
  sameRows,
  toClasses,
  toFlags,
  toNumbers,
  toTable,
} from '../statistics/input.js';
import { ascendingOrder, tieGroups } from '../statistics/ranks.js';

/**
 * Area under the ROC curve: the chance that a positive row has a higher score than a negative one, equal scores half.
 *
 * Exact, by the Mann-Whitney statistic with mid-ranks: scikit-learn's `roc_auc_score`.
 *
 * @param scores higher for positive rows `[N]`
 * @param labels 0 or 1 `[N]`
 * @throws ShallowsError for other inputs, or labels of one kind alone
 */
export function rocAuc(scores: RowValues, labels: RowValues | readonly boolean[]): number {
  const [values, flags, positives] = scored('rocAuc', scores, labels);
  const negatives = flags.length - positives;
  if (positives === 0 || negatives === 0) {
    throw new ShallowsError(
      `rocAuc: expected labels 0 and 1, got ${positives} positive of ${flags.length} - add the other kind`,
    );
  }
  const order = ascendingOrder(values);
  let below = 0;
  let pairs = 0;
  for (const [start, end] of tieGroups(values, order)) {
    let hits = 0;
    for (let i = start; i < end; i++) hits += flags[order[i] ?? 0] ?? 0;
    const misses = end - start - hits;
    pairs += hits * (below + misses / 2);
    below += misses;
  }
  return pairs / (positives * negatives);
}

/**
 * Average precision: Σ over the scores, from the highest, of the recall gained times the precision there.
 *
 * Rows of equal scores enter together; no interpolation: scikit-learn's `average_precision_score`.
 *
 * @param scores higher for positive rows `[N]`
 * @param labels 0 or 1 `[N]`
 * @throws ShallowsError for other inputs, or no positive row
 */
export function averagePrecision(scores: RowValues, labels: RowValues | readonly boolean[]): number {
  const [values, flags, positives] = scored('averagePrecision', scores, labels);
  if (positives === 0) {
    throw new ShallowsError(
      `averagePrecision: expected a positive label, got none of ${flags.length} - recall has no meaning without one`,
    );
  }
  const order = ascendingOrder(values).reverse();
  let hits = 0;
  let sum = 0;
  for (const [start, end] of tieGroups(values, order)) {
    let gained = 0;
    for (let i = start; i < end; i++) gained += flags[order[i] ?? 0] ?? 0;
    hits += gained;
    sum += (gained / positives) * (hits / end);
  }
  return sum;
}

/**
 * The area under the ROC curve of each class against all others, averaged over the classes.
 *
 * @param scores logits or probabilities `[N, C]`
 * @param targets classes `[N]`, each of which must occur
 * @param average `macro`: the plain mean; `weighted`: by rows of the class
 * @throws ShallowsError for other inputs, or a class without rows
 */
export function rocAucOneVsRest(scores: RowTable, targets: RowValues, average: 'macro' | 'weighted' = 'macro'): number {
  const fn = 'rocAucOneVsRest';
  const { values, rows, columns } = toTable(fn, 'scores', scores);
  const actual = toClasses(fn, 'targets', targets, columns);
  sameRows(fn, rows, actual.length);
  let sum = 0;
  for (let c = 0; c < columns; c++) {
    const flags = actual.map((target) => (target === c ? 1 : 0));
    const support = flags.reduce((total, flag) => total + flag, 0);
    if (support === 0) {
      throw new ShallowsError(
        `${fn}: expected every class among the targets, got none of class ${c} - leave its column out`,
      );
    }
    const own = Float64Array.from({ length: rows }, (_, row) => values[row * columns + c] ?? 0);
    sum += rocAuc(own, flags) * (average === 'macro' ? 1 / columns : support / rows);
  }
  return sum;
}

function scored(
  fn: string,
  scores: RowValues,
  labels: RowValues | readonly boolean[],
): readonly [values: Float64Array, flags: Uint8Array, positives: number] {
  const values = toNumbers(fn, 'scores', scores);
  const flags = toFlags(fn, 'labels', labels);
  sameRows(fn, values.length, flags.length);
  return [values, flags, flags.reduce((sum, flag) => sum + flag, 0)];
}
