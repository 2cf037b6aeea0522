import { ShallowsError, shown } from '../../errors.js';
import { type BootstrapOptions, bootstrap, percentileBound } from '../statistics/bootstrap.js';
import type { RowValues } from '../statistics/input.js';
import { rankStatistics } from './ranks-of-rows.js';
import { type Cut, coverageAtRisk, paired, type RiskCoverage, riskCoverage } from './risk-coverage.js';

/** A rank statistic with a one-sided bound. */
export interface BoundedBelow {
  readonly value: number;
  /** It is above this at the level asked for, by the percentile bootstrap over rows. */
  readonly lower: number;
}

/** Whether an uncertainty knows where the model is wrong. */
export interface UncertaintyQuality {
  readonly count: number;
  /** Rows with an error above 0. */
  readonly wrong: number;
  /** Spearman's rank correlation of uncertainty and error. */
  readonly spearman: BoundedBelow;
  /** Chance that a wrong row is more uncertain than a right one; `null` where errors are not 0 or 1. */
  readonly auroc: BoundedBelow | null;
  readonly riskCoverage: RiskCoverage;
  /** The largest share of rows with a risk within `risk`; `null` where there is none. */
  readonly coverageAtRisk: Cut | null;
  /**
   * `useful`: the lower bound of Spearman's correlation is above 0, and the area is at least `target`. `weak`: the bound is
   * above 0, the area is not. `no better than chance`: the bound is not above 0. `not enough data`: fewer than ten rows wrong
   * or fewer than ten right (for errors of other sizes: fewer than 30 rows).
   */
  readonly verdict: 'useful' | 'weak' | 'no better than chance' | 'not enough data';
}

/** How an uncertainty is judged. */
export interface UncertaintyQualityOptions extends BootstrapOptions {
  /** Confidence of the lower bounds. */
  readonly level?: number;
  /** The area under the ROC curve that is asked for. */
  readonly target?: number;
  /** The risk of `coverageAtRisk`. */
  readonly risk?: number;
}

/**
 * Whether rows of higher uncertainty are more often, or more, wrong: rank statistics with bootstrap bounds, and the areas of
 * selective prediction.
 *
 * @param uncertainty higher where the model is less sure, `[N]`: an entropy, a mutual information, 1 − the highest probability
 * @param errors 1 for a wrong row and 0 for a right one, or any error from 0, `[N]`
 * @throws ShallowsError for other inputs, fewer than two rows, or options out of range
 */
export function uncertaintyQuality(
  uncertainty: RowValues,
  errors: RowValues,
  { level = 0.95, target = 0.7, risk = 0.05, ...options }: UncertaintyQualityOptions = {},
): UncertaintyQuality {
  const fn = 'uncertaintyQuality';
  const [u, e] = paired(fn, uncertainty, errors);
  if (!(level > 0.5 && level < 1 && target >= 0.5 && target <= 1)) {
    throw new ShallowsError(
      `${fn}: expected a level in (0.5, 1) and a target in [0.5, 1], got ${shown(level)} and ${shown(target)} - correct the options`,
    );
  }
  const binary = e.every((error) => error === 0 || error === 1);
  const wrong = e.reduce((count, error) => count + (error > 0 ? 1 : 0), 0);
  const ranks = rankStatistics(u, e);
  const bounded = (statistic: (rows: Uint32Array) => number): BoundedBelow => {
    const drawn = bootstrap(e.length, statistic, options);
    return { value: drawn.estimate, lower: percentileBound(drawn, 1 - level) };
  };
  const spearman = bounded(ranks.spearman);
  const auroc = binary && wrong > 0 && wrong < e.length ? bounded(ranks.auroc) : null;
  const areas = riskCoverage(u, e);
  const few = binary ? Math.min(wrong, e.length - wrong) < 10 : e.length < 30;
  const useful = auroc === null || auroc.value >= target ? 'useful' : 'weak';
  return {
    count: e.length,
    wrong,
    spearman,
    auroc,
    riskCoverage: areas,
    coverageAtRisk: coverageAtRisk(areas, risk),
    verdict: few ? 'not enough data' : spearman.lower > 0 ? useful : 'no better than chance',
  };
}
