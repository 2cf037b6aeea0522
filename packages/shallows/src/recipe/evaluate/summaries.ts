import type { Estimate } from '../../dropout/index.js';
import { riskCoverage, type UncertaintyQuality, uncertaintyQuality } from '../../metrics/index.js';
import type { HistogramBin, RowSummary, UncertaintyRanking } from '../../track/index.js';
import { GrowingTable } from './table.js';

/** Points of a curve that are kept: more cannot be seen. */
const CURVE_POINTS = 200;
const HISTOGRAM_BINS = 20;

/** A statistic of rows that come in batches, with its Monte-Carlo standard errors. */
export class GrowingEstimate {
  readonly #values = new GrowingTable();
  readonly #errors = new GrowingTable();

  add({ value, standardError }: Estimate): void {
    this.#values.add(value);
    this.#errors.add(standardError);
  }

  /** One number a row. */
  values(): Float64Array {
    return this.#values.values();
  }

  summary(): RowSummary {
    const [values, errors] = [this.#values.values(), this.#errors.values()];
    const sum = (all: Float64Array): number => all.reduce((total, each) => total + each, 0);
    return {
      mean: sum(values) / values.length,
      meanError: Math.sqrt(sum(errors.map((each) => each * each))) / errors.length,
      median: middle(values),
      rowError: middle(errors),
    };
  }
}

function middle(values: Float64Array): number {
  const sorted = values.slice().sort();
  const half = sorted.length >> 1;
  const high = sorted[half] ?? Number.NaN;
  return sorted.length % 2 === 1 ? high : (high + (sorted[half - 1] ?? high)) / 2;
}

/** How well an uncertainty ranks the errors of the same rows. */
export function rankingOf(name: string, uncertainty: Float64Array, errors: Float64Array): UncertaintyRanking {
  const quality: UncertaintyQuality = uncertaintyQuality(uncertainty, errors);
  const { count, wrong, spearman, auroc, verdict } = quality;
  const { aurc, eAurc, augrc, curve } = riskCoverage(uncertainty, errors);
  const points = Array.from(curve.coverage, (coverage, i) => ({ coverage, risk: curve.risk[i] ?? 0 }));
  const binary = errors.every((each) => each === 0 || each === 1);
  return {
    ...{ name, count, wrong, spearman, auroc, verdict, aurc, eAurc, augrc },
    coverageAtRisk: binary ? quality.coverageAtRisk : null,
    curve: thinned(points),
  };
}

/** Evenly spaced ones of many points, the first and the last among them. */
function thinned<T>(points: readonly T[]): readonly T[] {
  if (points.length <= CURVE_POINTS) return points;
  const step = (points.length - 1) / (CURVE_POINTS - 1);
  return Array.from({ length: CURVE_POINTS }, (_, i) => points[Math.round(i * step)] as T);
}

/** How many right and wrong rows have which uncertainty, from 0 to the most that there can be. */
export function histogramOf(uncertainty: Float64Array, wrong: Float64Array, most: number): readonly HistogramBin[] {
  const counts = Array.from({ length: HISTOGRAM_BINS }, () => ({ right: 0, wrong: 0 }));
  for (const [row, value] of uncertainty.entries()) {
    const bin = counts[Math.min(HISTOGRAM_BINS - 1, Math.max(0, Math.floor((value / most) * HISTOGRAM_BINS)))];
    if (bin !== undefined) bin[(wrong[row] ?? 0) > 0 ? 'wrong' : 'right']++;
  }
  return counts.map((each, i) => ({
    from: (i * most) / HISTOGRAM_BINS,
    to: ((i + 1) * most) / HISTOGRAM_BINS,
    ...each,
  }));
}
