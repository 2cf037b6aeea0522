import { ShallowsError, shown } from '../../errors.js';
import { type RowValues, sameRows, toNumbers } from '../statistics/input.js';
import { ascendingOrder, tieGroups } from '../statistics/ranks.js';

/**
 * What is gained by answering only the most certain rows. Risk is the mean error of the rows answered, coverage their share.
 */
export interface RiskCoverage {
  readonly count: number;
  /** Mean error of all rows. */
  readonly risk: number;
  /** (1/N) Σ_k risk of the k most certain rows: the area under the risk-coverage curve. */
  readonly aurc: number;
  /** The same for rows in the order of their errors: what no uncertainty can beat. */
  readonly oracleAurc: number;
  /** aurc − (r + (1 − r) ln(1 − r)), r the error rate, where every error is 0 or 1; else aurc − oracleAurc. */
  readonly eAurc: number;
  /** (1/N) Σ_k (errors of the k most certain rows) / N: the generalised risk, which does not favour small coverages. */
  readonly augrc: number;
  /** aurc − oracleAurc: the area between the sparsification curve and the oracle's. */
  readonly ause: number;
  /** The curve, a point at the end of each run of equal uncertainty: there alone a threshold can cut. */
  readonly curve: RiskCoverageCurve;
}

/** Points of a risk-coverage curve by rising coverage: plot `coverage` against `risk`. */
export interface RiskCoverageCurve {
  readonly coverage: Float64Array;
  readonly risk: Float64Array;
  /** Rows up to and with this uncertainty are answered. */
  readonly threshold: Float64Array;
}

/**
 * The risk-coverage curve of an uncertainty and the areas that sum it up. Rows of equal uncertainty count with their mean
 * error, so the order of the rows does not matter.
 *
 * @param uncertainty higher where the model is less sure, `[N]`
 * @param errors 1 for a wrong row and 0 for a right one, or any error from 0, `[N]`
 * @throws ShallowsError for other inputs, no rows, or an error below 0
 * @see Geifman, Uziel and El-Yaniv, "Bias-reduced uncertainty estimation for deep neural classifiers", 2019; Traub et al.,
 *   "Overcoming common flaws in the evaluation of selective classification systems", 2024 (AUGRC)
 */
export function riskCoverage(uncertainty: RowValues, errors: RowValues): RiskCoverage {
  const [u, e] = paired('riskCoverage', uncertainty, errors);
  const count = e.length;
  const own = areas(u, e);
  const oracle = areas(e, e);
  const rate = own.total / count;
  const binary = e.every((error) => error === 0 || error === 1);
  const best = rate === 1 ? 1 : rate + (1 - rate) * Math.log1p(-rate);
  return {
    count,
    risk: rate,
    aurc: own.aurc,
    oracleAurc: oracle.aurc,
    eAurc: own.aurc - (binary ? best : oracle.aurc),
    augrc: own.augrc,
    ause: own.aurc - oracle.aurc,
    curve: own.curve,
  };
}

function areas(u: Float64Array, e: Float64Array) {
  const order = ascendingOrder(u);
  const count = order.length;
  const [coverage, risk, threshold]: [number[], number[], number[]] = [[], [], []];
  let [total, aurc, augrc] = [0, 0, 0];
  for (const [start, end] of tieGroups(u, order)) {
    let group = 0;
    for (let i = start; i < end; i++) group += e[order[i] ?? 0] ?? 0;
    for (let k = start + 1; k <= end; k++) {
      const errors = total + (group * (k - start)) / (end - start);
      aurc += errors / k / count;
      augrc += errors / count / count;
    }
    total += group;
    coverage.push(end / count);
    risk.push(total / end);
    threshold.push(u[order[start] ?? 0] ?? 0);
  }
  const curve = {
    coverage: Float64Array.from(coverage),
    risk: Float64Array.from(risk),
    threshold: Float64Array.from(threshold),
  };
  return { total, aurc, augrc, curve };
}

/** Where to cut a risk-coverage curve. */
export interface Cut {
  readonly coverage: number;
  readonly risk: number;
  /** Answer rows whose uncertainty is at most this. */
  readonly threshold: number;
}

/**
 * The largest coverage whose risk is not above a limit; `null` where even the most certain rows have more.
 *
 * @param risk the limit, from 0
 * @throws ShallowsError for another limit
 */
export function coverageAtRisk({ curve }: Pick<RiskCoverage, 'curve'>, risk: number): Cut | null {
  if (!(risk >= 0)) {
    throw new ShallowsError(`coverageAtRisk: expected a risk from 0, got ${shown(risk)} - give 0.05 for 5 %`);
  }
  return cutAt(
    curve,
    curve.risk.findLastIndex((each) => each <= risk),
  );
}

/**
 * The risk of the smallest coverage that is not below a limit.
 *
 * @param coverage the limit, in (0, 1]
 * @throws ShallowsError for another limit
 */
export function riskAtCoverage({ curve }: Pick<RiskCoverage, 'curve'>, coverage: number): Cut {
  // A share of 0.8 of 10 rows is 8 rows, whatever the rounding of 8 / 10.
  const cut =
    coverage > 0
      ? cutAt(
          curve,
          curve.coverage.findIndex((each) => each >= coverage - 1e-12),
        )
      : null;
  if (cut === null || coverage > 1) {
    throw new ShallowsError(
      `riskAtCoverage: expected a coverage in (0, 1], got ${shown(coverage)} - give 0.8 for 80 %`,
    );
  }
  return cut;
}

function cutAt({ coverage, risk, threshold }: RiskCoverageCurve, at: number): Cut | null {
  const [c, r, t] = [coverage[at], risk[at], threshold[at]];
  return c === undefined || r === undefined || t === undefined ? null : { coverage: c, risk: r, threshold: t };
}

/** @internal Uncertainties and errors of the same rows. @throws ShallowsError for other inputs, no rows, or an error below 0 */
export function paired(
  fn: string,
  uncertainty: RowValues,
  errors: RowValues,
): readonly [u: Float64Array, e: Float64Array] {
  const u = toNumbers(fn, 'uncertainties', uncertainty);
  const e = toNumbers(fn, 'errors', errors);
  sameRows(fn, u.length, e.length);
  const bad = e.findIndex((error) => error < 0);
  if (bad >= 0 || e.length === 0) {
    throw new ShallowsError(
      `${fn}: expected rows with errors from 0, got ${e.length === 0 ? 'no rows' : `${e[bad]} at ${bad}`} - give 1 for wrong, 0 for right`,
    );
  }
  return [u, e];
}
