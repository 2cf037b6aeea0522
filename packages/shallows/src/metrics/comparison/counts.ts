import { binomialCdf } from '../../depth/proof/binomial.js';
import { type RowValues, sameRows, toFlags, toNumbers } from '../statistics/input.js';

/** A test of whether two kinds of rows are equally many. */
export interface PairedCounts {
  /** Rows that speak for the candidate. */
  readonly forCandidate: number;
  /** Rows that speak for the baseline. */
  readonly forBaseline: number;
  /** Rows that say nothing. */
  readonly ties: number;
  /** Two-sided, by the exact binomial distribution of the rows that are no ties at ½: it errs on the careful side. */
  readonly pValue: number;
  /** The same with half the chance of the counts themselves: nearer to the level asked for, and nearly always within it. */
  readonly midP: number;
}

/**
 * McNemar's test: of the rows on which exactly one of two classifiers is right, does one have more?
 *
 * @param candidate 1 where the candidate is right, `[N]`
 * @param baseline 1 where the baseline is right on the same row, `[N]`
 * @throws ShallowsError for other inputs
 * @see Fagerland, Lydersen and Laake, "The McNemar test for binary matched-pairs data: mid-p and asymptotic are better than
 *   exact conditional", 2013
 */
export function mcnemar(
  candidate: RowValues | readonly boolean[],
  baseline: RowValues | readonly boolean[],
): PairedCounts {
  const first = toFlags('mcnemar', 'outcomes', candidate);
  const second = toFlags('mcnemar', 'outcomes', baseline);
  sameRows('mcnemar', first.length, second.length);
  return countSigns(Float64Array.from(first, (right, i) => right - (second[i] ?? 0)));
}

/**
 * The sign test: does the candidate win on more rows than it loses, whatever by how much?
 *
 * @param differences candidate − baseline, above 0 where the candidate is better, `[N]`
 * @throws ShallowsError for numbers that are not finite
 */
export function signTest(differences: RowValues): PairedCounts {
  return countSigns(toNumbers('signTest', 'differences', differences));
}

function countSigns(differences: Float64Array): PairedCounts {
  let [above, below] = [0, 0];
  for (const difference of differences) {
    if (difference > 0) above++;
    else if (difference < 0) below++;
  }
  const fewer = Math.min(above, below);
  const trials = above + below;
  const tail = binomialCdf(fewer, trials, 0.5);
  const own = tail - binomialCdf(fewer - 1, trials, 0.5);
  return {
    forCandidate: above,
    forBaseline: below,
    ties: differences.length - trials,
    pValue: Math.min(1, 2 * tail),
    midP: trials === 0 ? 1 : Math.min(1, 2 * tail - own),
  };
}
