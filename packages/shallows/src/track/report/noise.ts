import { type ProportionDifference, proportionDifference, proportionError, Z_95 } from '../../metrics/index.js';
import type { History } from './history.js';

/** Half the width of the 95 % interval of a run's validation metric; null where nothing is known of its noise. */
export function validationError({ last, rows }: History): number | null {
  if (last === null || rows === null || !Number.isFinite(last.primary.validation)) return null;
  const error = proportionError({ share: last.primary.validation, rows: rows.validation });
  return Number.isFinite(error) ? Z_95 * error : null;
}

/**
 * The difference of two runs' validation metrics against what chance alone makes of it; null where they are judged by different
 * metrics, or nothing is known of the noise.
 */
export function validationDifference(a: History, b: History): ProportionDifference | null {
  // Rows are known of shares alone, which are one metric.
  if (a.rows === null || b.rows === null || a.last === null || b.last === null) return null;
  const [p, q] = [a.last.primary.validation, b.last.primary.validation];
  if (!Number.isFinite(p) || !Number.isFinite(q)) return null;
  return proportionDifference({ share: p, rows: a.rows.validation }, { share: q, rows: b.rows.validation });
}
