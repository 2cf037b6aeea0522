import { type RowTable, toTable } from '../statistics/input.js';

/**
 * The class with the highest score in each row; the first of equal ones.
 *
 * @param scores logits or probabilities `[N, C]`
 * @returns `[N]`
 * @throws ShallowsError for another shape, or scores that are not finite
 */
export function predictedClasses(scores: RowTable): Int32Array {
  const { values, rows, columns } = toTable('predictedClasses', 'scores', scores);
  return Int32Array.from({ length: rows }, (_, row) => {
    let best = 0;
    for (let c = 1; c < columns; c++) {
      if ((values[row * columns + c] ?? 0) > (values[row * columns + best] ?? 0)) best = c;
    }
    return best;
  });
}
