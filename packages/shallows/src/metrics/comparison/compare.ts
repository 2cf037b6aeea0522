import { proportionInterval } from '../../dropout/statistics/proportion.js';
import { ShallowsError, shown } from '../../errors.js';
import {
  acceleration,
  type BootstrapOptions,
  bcaBound,
  bootstrap,
  meanAcceleration,
  percentileBound,
} from '../statistics/bootstrap.js';
import { type RowValues, sameRows, toNumbers } from '../statistics/input.js';
import { mean } from '../statistics/moments.js';
import { mcnemar, type PairedCounts, signTest } from './counts.js';

/** How two models are compared. */
export interface ComparisonOptions extends BootstrapOptions {
  /** Whether higher or lower values are better. */
  readonly better?: 'higher' | 'lower';
  /** How much worse the candidate may be and still pass, from 0, in units of the measure. */
  readonly margin?: number;
  /** Confidence of each bound. */
  readonly level?: number;
  /** How many candidates are compared on these rows: each bound is held at 1 − (1 − level) / comparisons (Bonferroni). */
  readonly comparisons?: number;
}

/** A candidate against a baseline on the same rows; differences are above 0 where the candidate is better. */
export interface Comparison {
  readonly count: number;
  /** The measure of each, as it is. */
  readonly candidate: number;
  readonly baseline: number;
  /** candidate − baseline, or baseline − candidate where lower is better. */
  readonly difference: number;
  readonly standardError: number;
  /** One-sided bounds at `level` each: by bias-corrected and accelerated resampling, which the verdict goes by. */
  readonly bca: readonly [lower: number, upper: number];
  /** The same by plain percentiles. */
  readonly percentile: readonly [lower: number, upper: number];
  /** Confidence of each bound, after the correction for several comparisons. */
  readonly level: number;
  readonly margin: number;
  /**
   * `better`: the lower bound is above 0. `non-inferior`: it is not below −margin. `worse`: the upper bound is below −margin.
   * `not enough data`: none of these is shown.
   */
  readonly verdict: 'better' | 'non-inferior' | 'worse' | 'not enough data';
}

/** A comparison of values that each row has of its own. */
export interface PairedComparison extends Comparison {
  /** On how many rows each model is better. */
  readonly signs: PairedCounts;
  /** McNemar's test, where every value is 0 or 1. */
  readonly mcnemar: PairedCounts | null;
}

/** Fewer rows that differ than this are too few to draw anew: exact bounds join in. */
const FEW = 10;

/**
 * Compares two models by a value that each row has, as 1 for right and 0 for wrong, or a loss: by the mean of the paired
 * differences, its bootstrap bounds, and the sign test.
 *
 * Where fewer than ten rows differ, drawing rows anew cannot show what did not happen to occur. The lower bound is then no
 * higher than Clopper and Pearson's bounds of the shares of better and worse rows allow, taken by the largest difference seen.
 *
 * @param candidate `[N]`
 * @param baseline on the same rows, `[N]`
 * @throws ShallowsError for other inputs, fewer than two rows, or options out of range
 */
export function comparePaired(
  candidate: RowValues,
  baseline: RowValues,
  options: ComparisonOptions = {},
): PairedComparison {
  const fn = 'comparePaired';
  const first = toNumbers(fn, 'values', candidate);
  const second = toNumbers(fn, 'values', baseline);
  sameRows(fn, first.length, second.length);
  const settings = settingsOf(fn, options);
  const differences = first.map((value, i) => settings.sign * (value - (second[i] ?? 0)));
  const drawn = bootstrap(first.length, (rows) => meanOf(differences, rows), options);
  const signs = signTest(differences);
  const binary = [first, second].every((values) => values.every((value) => value === 0 || value === 1));
  const skewness = meanAcceleration(differences);
  const bounds = boundsOf(settings.level, rareBounds(differences, signs, settings.level, binary ? 1 : 0));
  return {
    count: first.length,
    candidate: mean(first),
    baseline: mean(second),
    difference: drawn.estimate,
    standardError: drawn.standardError,
    ...judge(
      bounds((q) => bcaBound(drawn, skewness, q)),
      bounds((q) => percentileBound(drawn, q)),
      settings,
    ),
    signs,
    mcnemar: binary ? (settings.sign > 0 ? mcnemar(first, second) : mcnemar(second, first)) : null,
  };
}

/**
 * Compares two models by a measure of many rows together, as F1 or the area under a curve, by the bootstrap over rows.
 *
 * @param count how many rows there are
 * @param candidate the candidate's measure on rows drawn with replacement, given by their numbers
 * @param baseline the baseline's on the same rows
 * @throws ShallowsError for fewer than two rows, a measure that is not finite, or options out of range
 */
export function compareMeasure(
  count: number,
  candidate: (rows: Uint32Array) => number,
  baseline: (rows: Uint32Array) => number,
  options: ComparisonOptions = {},
): Comparison {
  const settings = settingsOf('compareMeasure', options);
  const difference = (rows: Uint32Array): number => settings.sign * (candidate(rows) - baseline(rows));
  const drawn = bootstrap(count, difference, options);
  const skewness = acceleration(count, difference);
  const all = Uint32Array.from({ length: count }, (_, i) => i);
  const bounds = boundsOf(settings.level, UNBOUNDED);
  return {
    count,
    candidate: candidate(all),
    baseline: baseline(all),
    difference: drawn.estimate,
    standardError: drawn.standardError,
    ...judge(
      bounds((q) => bcaBound(drawn, skewness, q)),
      bounds((q) => percentileBound(drawn, q)),
      settings,
    ),
  };
}

function meanOf(values: Float64Array, rows: Uint32Array): number {
  let sum = 0;
  for (const row of rows) sum += values[row] ?? 0;
  return sum / rows.length;
}

interface Settings {
  readonly sign: 1 | -1;
  readonly margin: number;
  readonly level: number;
}

function settingsOf(
  fn: string,
  { better = 'higher', margin = 0.005, level = 0.95, comparisons = 1 }: ComparisonOptions,
): Settings {
  const sound = margin >= 0 && level > 0.5 && level < 1 && Number.isSafeInteger(comparisons) && comparisons >= 1;
  if (!sound || (better !== 'higher' && better !== 'lower')) {
    throw new ShallowsError(
      `${fn}: expected better 'higher' or 'lower', a margin from 0, a level in (0.5, 1) and comparisons from 1, got ${shown(better)}, ${shown(margin)}, ${shown(level)} and ${shown(comparisons)} - correct the options`,
    );
  }
  return { sign: better === 'higher' ? 1 : -1, margin, level: 1 - (1 - level) / comparisons };
}

type Bounds = readonly [lower: number, upper: number];

/** What bounds nothing: the bootstrap's bounds are taken as they are. */
const UNBOUNDED: Bounds = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

// The mean difference is share above · size − share below · size at most; each share has an exact one-sided bound.
function rareBounds(differences: Float64Array, signs: PairedCounts, level: number, least: number): Bounds {
  const { forCandidate: above, forBaseline: below } = signs;
  if (above + below >= FEW) return UNBOUNDED;
  const size = differences.reduce((largest, each) => Math.max(largest, Math.abs(each)), least);
  const shareOf = (count: number): Bounds => proportionInterval(count, differences.length, 2 * level - 1);
  const [[aboveLow, aboveHigh], [belowLow, belowHigh]] = [shareOf(above), shareOf(below)];
  return [size * (aboveLow - belowHigh), size * (aboveHigh - belowLow)];
}

function boundsOf(level: number, [atMost, atLeast]: Bounds) {
  return (bound: (q: number) => number): Bounds => [
    Math.min(atMost, bound(1 - level)),
    Math.max(atLeast, bound(level)),
  ];
}

function judge(bca: Bounds, percentile: Bounds, { margin, level }: Settings) {
  const [lower, upper] = bca;
  const bad = upper < -margin ? 'worse' : 'not enough data';
  const verdict: Comparison['verdict'] = lower > 0 ? 'better' : lower >= -margin ? 'non-inferior' : bad;
  return { bca, percentile, level, margin, verdict };
}
