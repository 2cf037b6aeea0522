import { ShallowsError } from '../../errors.js';
import { type RowTable, type RowValues, sameRows, type Table, toClasses, toTable } from '../statistics/input.js';

/**
 * @internal Rows of probabilities and the class of each row.
 *
 * @throws ShallowsError for other shapes, a number outside [0, 1], or a row whose sum is not within 0.01 of 1
 */
export function labelled(
  fn: string,
  probabilities: RowTable,
  targets: RowValues,
): { readonly table: Table; readonly targets: Int32Array } {
  const table = toTable(fn, 'probabilities', probabilities);
  if (table.rows > 0 && table.columns < 2) {
    throw new ShallowsError(
      `${fn}: expected probabilities of at least two classes, got one column - give 1 - p and p (see binaryProbabilities)`,
    );
  }
  for (let row = 0; row < table.rows; row++) {
    let sum = 0;
    let least = 0;
    for (let c = 0; c < table.columns; c++) {
      const p = table.values[row * table.columns + c] ?? 0;
      sum += p;
      least = Math.min(least, p);
    }
    if (least < 0 || Math.abs(sum - 1) > 0.01) {
      throw new ShallowsError(
        `${fn}: expected probabilities that add up to 1, got a least value of ${least} and a sum of ${sum} in row ${row} - apply softmax to logits first`,
      );
    }
  }
  const classes = toClasses(fn, 'targets', targets, table.columns);
  sameRows(fn, table.rows, classes.length);
  return { table, targets: classes };
}

/**
 * The table `[N, 2]` of 1 − p and p, for the probability p of class 1 that one sigmoid gives.
 *
 * @throws ShallowsError for a number outside [0, 1]
 */
export function binaryProbabilities(positive: ArrayLike<number>): Table {
  const values = new Float64Array(2 * positive.length);
  for (let i = 0; i < positive.length; i++) {
    const p = positive[i] ?? Number.NaN;
    if (!(p >= 0 && p <= 1)) {
      throw new ShallowsError(
        `binaryProbabilities: expected probabilities in [0, 1], got ${p} at ${i} - apply a sigmoid to logits first`,
      );
    }
    values[2 * i] = 1 - p;
    values[2 * i + 1] = p;
  }
  return { values, rows: positive.length, columns: 2 };
}

/** How sure a classifier was of each row's label, and whether it was right. */
export interface Confidences {
  /** The highest probability of the row, `[N]`. */
  readonly confidence: Float64Array;
  /** 1 where the class of the highest probability (the first of equal ones) is the target, else 0, `[N]`. */
  readonly correct: Uint8Array;
}

/**
 * The top-label confidences of rows of probabilities: what the expected calibration error is about.
 *
 * For two classes too this is max(p, 1 − p) against right or wrong. To ask instead whether p itself is the frequency of
 * class 1, use p as the confidence and the label as `correct`.
 *
 * @param probabilities `[N, C]`
 * @param targets classes `[N]`
 * @throws ShallowsError for other inputs
 */
export function topLabel(probabilities: RowTable, targets: RowValues): Confidences {
  const { table, targets: classes } = labelled('topLabel', probabilities, targets);
  const confidence = new Float64Array(table.rows);
  const correct = new Uint8Array(table.rows);
  for (let row = 0; row < table.rows; row++) {
    let best = 0;
    let highest = -1;
    for (let c = 0; c < table.columns; c++) {
      const p = table.values[row * table.columns + c] ?? 0;
      if (p > highest) [best, highest] = [c, p];
    }
    // float32 sums can pass 1 by a rounding.
    confidence[row] = Math.min(1, highest);
    correct[row] = best === classes[row] ? 1 : 0;
  }
  return { confidence, correct };
}
