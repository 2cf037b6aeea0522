import { ShallowsError, shown } from '../../errors.js';
import { Policy } from '../policy/policy.js';
import { type RatedSite, rateSites, type SitePlace } from '../policy/rate-sites.js';
import { compensatedSum } from '../profile/compensated-sum.js';
import { type BlockCosts, costParts } from './block-cost.js';
import type { Work } from './work.js';

/** The rates that save a wanted share. */
export interface RateForSaving {
  /** The top drop rate. */
  readonly drop: number;
  /** The policy with this rate, and its kinds and lists in proportion. */
  readonly policy: Policy;
  readonly sites: readonly RatedSite[];
  /** The share that it saves: the wanted one, to rounding. */
  readonly saved: number;
}

/**
 * The top drop rate at which a policy saves a share of the cost of a step, Σ rate · cost of the site = share · whole cost: by
 * measured milliseconds, or by the forward FLOPs of a `Work`. All rates grow in proportion, so the answer is exact.
 *
 * For a schedule over time it is the rate while that stands at 1.
 *
 * @param share what to save, above 0 and below 1: 0.25 is a quarter
 * @param policy its schedule, kinds, selection and protected layers are kept; its rate may be 0
 * @param places from `placesOf(findSites(model))`
 * @throws ShallowsError where no rate saves so much, saying how much rate 1 saves; for a policy with a budget or with
 *   execution `mask`, where the rate saves nothing; for a share outside of (0, 1)
 */
export function rateForSaving(
  share: number,
  policy: Policy,
  places: readonly (string | SitePlace)[],
  cost: BlockCosts | Work,
): RateForSaving {
  const refuse = (expected: string, got: string, advice: string): never => {
    throw new ShallowsError(`rateForSaving: expected ${expected}, got ${got} - ${advice}`);
  };
  if (!(share > 0 && share < 1)) refuse('a share above 0 and below 1', shown(share), 'write 0.25 for a quarter');
  if (policy.budget !== null) refuse('a policy without a budget', `${policy.budget}`, 'the budget says what is saved');
  if (policy.execution === 'mask') refuse('an execution that saves', "'mask'", "use 'auto', 'gate' or 'subset'");

  const { full, branch } = costParts('rateForSaving', cost);
  // From the steepest rates there are, all others follow by one factor.
  const steepest = scaled(policy, 1 / Math.max(policy.drop, ...Object.values(policy.kinds ?? {})));
  const sites = rateSites(steepest, places);
  const most = compensatedSum(sites.map(({ name, drop }) => drop * branch(name))) / full;
  const factor = share / most;
  if (!(factor <= 1)) {
    const got = `one that saves ${(100 * most).toFixed(1)} % at rate 1`;
    refuse(`a policy that can save ${(100 * share).toFixed(1)} %`, got, "ask for less, or use schedule 'uniform'");
  }
  const found = scaled(steepest, factor);
  const rated = rateSites(found, places);
  const saved = compensatedSum(rated.map(({ name, drop }) => drop * branch(name))) / full;
  return Object.freeze({ drop: found.drop, policy: found, sites: rated, saved });
}

/** A policy with all of its rates multiplied; one of rate 0 becomes one of rate 1 first. */
function scaled(policy: Policy, factor: number): Policy {
  const zero = !Number.isFinite(factor);
  const times = (rate: number): number => Math.min(1, zero ? 1 : rate * factor);
  const { drop, kinds, rates, ...others } = policy;
  return Policy({
    ...others,
    ...(policy.schedule === 'list' ? { rates: rates?.map(times) } : { drop: times(drop) }),
    ...(kinds === null
      ? {}
      : { kinds: Object.fromEntries(Object.entries(kinds).map(([kind, rate]) => [kind, times(rate)])) }),
  });
}
