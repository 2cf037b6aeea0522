import { ShallowsError, shown } from '../../errors.js';
import { deriveKey, rootKey, uniforms } from '../../random/index.js';
import { requireResamples } from '../statistics/bootstrap.js';
import type { RowTable, RowValues } from '../statistics/input.js';
import { cellOf } from './calibration-bins.js';
import { againstChance, type ErrorAgainstChance } from './null-distribution.js';
import { labelled } from './probabilities.js';
import type { CalibrationOptions } from './report.js';

/** How the probabilities of the classes are divided and judged. */
export interface ClasswiseOptions extends Pick<CalibrationOptions, 'key' | 'resamples' | 'alpha'> {
  /** Equal-width bins a class, from 1. */
  readonly bins?: number;
}

/** The calibration error of every class's probability. */
export interface ClasswiseCalibration extends ErrorAgainstChance {
  /** The expected calibration error of each class, `[C]`; `value` is their mean. */
  readonly classes: readonly number[];
  readonly count: number;
}

/**
 * Classwise expected calibration error: for each class the gap between its probability and its frequency over equal-width
 * bins, averaged over the classes. It sees what the top label hides: wrong probabilities of the other classes.
 *
 * The null distribution draws each row's label from its own probabilities; draw d of row i is a function of (key, d, i).
 * That costs N draws a resample, so fewer resamples are the default than elsewhere.
 *
 * @param probabilities `[N, C]`
 * @param targets classes `[N]`
 * @throws ShallowsError for other inputs, no rows, or bad options
 * @see Kull et al., "Beyond temperature scaling", 2019
 */
export function classwiseCalibration(
  probabilities: RowTable,
  targets: RowValues,
  { bins = 15, key = rootKey(0), resamples = 200, alpha = 0.05 }: ClasswiseOptions = {},
): ClasswiseCalibration {
  const fn = 'classwiseCalibration';
  const { table, targets: classes } = labelled(fn, probabilities, targets);
  const { values, rows, columns } = table;
  requireResamples(fn, resamples);
  if (rows === 0 || !Number.isSafeInteger(bins) || bins < 1 || !(alpha > 0 && alpha < 1)) {
    throw new ShallowsError(
      `${fn}: expected rows, at least one bin and alpha in (0, 1), got ${rows}, ${shown(bins)} and ${shown(alpha)} - correct them`,
    );
  }
  const cells = Uint32Array.from(values, (p, i) => (i % columns) * bins + cellOf(Math.min(1, p), bins));
  const sums = new Float64Array(columns * bins);
  for (const [i, p] of values.entries()) sums[cells[i] ?? 0] = (sums[cells[i] ?? 0] ?? 0) + p;

  const hits = new Float64Array(columns * bins);
  const errorsOf = (labelOf: (row: number) => number): number[] => {
    hits.fill(0);
    for (let row = 0; row < rows; row++) {
      const cell = cells[row * columns + labelOf(row)] ?? 0;
      hits[cell] = (hits[cell] ?? 0) + 1;
    }
    return Array.from({ length: columns }, (_, c) => {
      let gap = 0;
      for (let cell = c * bins; cell < (c + 1) * bins; cell++) gap += Math.abs((hits[cell] ?? 0) - (sums[cell] ?? 0));
      return gap / rows;
    });
  };
  const mean = (errors: readonly number[]): number => errors.reduce((sum, each) => sum + each, 0) / columns;

  const measured = errorsOf((row) => classes[row] ?? 0);
  const draws = Float64Array.from({ length: resamples }, (_, d) => {
    const u = uniforms(deriveKey(key, 'labels', d), rows);
    return mean(errorsOf((row) => labelAt(values, row * columns, columns, u[row] ?? 0)));
  });
  return { ...againstChance(mean(measured), draws, alpha), classes: measured, count: rows };
}

// The class at which the sum of the row's probabilities passes u; the last possible one where rounding leaves a rest.
function labelAt(values: Float64Array, from: number, columns: number, u: number): number {
  let sum = 0;
  let last = 0;
  for (let c = 0; c < columns; c++) {
    const p = values[from + c] ?? 0;
    if (p === 0) continue;
    sum += p;
    last = c;
    if (u < sum) return c;
  }
  return last;
}
