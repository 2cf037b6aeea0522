import { binomialCdf, binomialUpperTail } from '../../depth/proof/binomial.js';
import { ShallowsError, shown } from '../../errors.js';

/**
 * Clopper and Pearson's interval of a probability from a count of successes: it holds the true one at least at `level`.
 *
 * @param successes from 0 to `trials`
 * @param level in (0, 1); each side is left with (1 − level) / 2
 * @throws ShallowsError for counts that are not whole or do not fit, or another level
 * @see Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial", 1934
 */
export function proportionInterval(
  successes: number,
  trials: number,
  level = 0.95,
): readonly [lower: number, upper: number] {
  const counts = Number.isSafeInteger(successes) && Number.isSafeInteger(trials) && trials > 0;
  if (!(counts && successes >= 0 && successes <= trials && level > 0 && level < 1)) {
    throw new ShallowsError(
      `proportionInterval: expected whole numbers 0 <= successes <= trials, trials from 1 and a level in (0, 1), got ${shown(successes)}, ${shown(trials)} and ${shown(level)} - count first`,
    );
  }
  const tail = (1 - level) / 2;
  return [
    successes === 0 ? 0 : root((p) => binomialUpperTail(successes, trials, p) > tail),
    successes === trials ? 1 : root((p) => binomialCdf(successes, trials, p) <= tail),
  ];
}

// The least p in [0, 1] from which on a condition holds, by bisection down to neighbouring doubles.
function root(holds: (p: number) => boolean): number {
  let low = 0;
  let high = 1;
  for (;;) {
    const middle = (low + high) / 2;
    if (middle <= low || middle >= high) return high;
    if (holds(middle)) high = middle;
    else low = middle;
  }
}

/**
 * The two-sided p-value of a count under a binomial distribution: twice the smaller tail, at most 1.
 *
 * @param p the probability of a success under the hypothesis
 */
export function binomialPValue(successes: number, trials: number, p: number): number {
  return Math.min(1, 2 * Math.min(binomialCdf(successes, trials, p), binomialUpperTail(successes, trials, p)));
}
