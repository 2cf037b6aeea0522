import { ShallowsError } from '../../errors.js';
import type { Work } from '../cost/work.js';
import { compensatedSum as sum } from '../profile/compensated-sum.js';
import { binomialInterval } from './binomial.js';

/** What was counted about one site. */
export interface SiteTally {
  readonly name: string;
  /** Mean drop rate over the decisions. */
  readonly requested: number;
  /** Decisions that reached the site: one a step, or one a row. */
  readonly opportunities: number;
  /** Those in which its branch did not run. */
  readonly dropped: number;
  /** Whether what is dropped is computed all the same (execution `mask`): it saves no work. */
  readonly masked: boolean;
  /** Steps in which it was not reached although its rate was not zero. */
  readonly missed: number;
}

/** Requested against realised rate of one site. */
export interface SiteReport {
  readonly name: string;
  /** Drop rate asked for, mean over the steps. */
  readonly requested: number;
  /** `dropped / opportunities`; 0 before any. */
  readonly realised: number;
  readonly opportunities: number;
  readonly dropped: number;
  /** The realised rate is outside `interval`, or the site was missed. */
  readonly alarm: boolean;
  /** Realised rates that chance explains at the requested rate. */
  readonly interval: readonly [lo: number, hi: number];
}

/** Proof of what stochastic depth did in a run. */
export interface DepthReport {
  readonly sites: readonly SiteReport[];
  /** Mean number of branches that run in a step, by the requested rates. */
  readonly expectedActive: number;
  /** The same, by what ran. */
  readonly realisedActive: number;
  /** Fraction of the model's forward FLOPs that was not computed; `null` where the work was not measured. */
  readonly workSaved: number | null;
  /** The same, by the requested rates. */
  readonly workSavedIdeal: number | null;
  /** Probability that an honest run shows any alarm at all, at most. */
  readonly falseAlarm: number;
}

/** Options of a report. */
export interface ReportOptions {
  /** From `measureWork`; without it no saving is claimed. */
  readonly work?: Work | null | undefined;
  /** Chance of one alarm or more in a report of an honest run; shared evenly by the sites (Bonferroni). */
  readonly falseAlarm?: number;
}

/**
 * Compares counts with requests: `realised` rates, alarms and saved work.
 *
 * @throws ShallowsError when the measured work lacks a site
 */
export function depthReport(
  tallies: readonly SiteTally[],
  { work = null, falseAlarm = 0.001 }: ReportOptions = {},
): DepthReport {
  const sites = tallies.map((tally) => siteReport(tally, falseAlarm / tallies.length));
  const masked = new Set(tallies.filter((tally) => tally.masked).map(({ name }) => name));
  const saved = (rate: (site: SiteReport) => number): number | null =>
    work &&
    sum(sites.map((site) => (masked.has(site.name) ? 0 : rate(site) * flopsOf(work, site.name)))) / work.totalFlops;
  return {
    sites,
    expectedActive: sum(sites.map((site) => 1 - site.requested)),
    realisedActive: sum(sites.map((site) => (site.opportunities === 0 ? 0 : 1 - site.realised))),
    workSaved: saved((site) => site.realised),
    workSavedIdeal: saved((site) => site.requested),
    falseAlarm,
  };
}

function siteReport({ name, requested, opportunities, dropped, missed }: SiteTally, falseAlarm: number): SiteReport {
  const [lo, hi] = binomialInterval(opportunities, requested, falseAlarm);
  return {
    name,
    requested,
    realised: opportunities === 0 ? 0 : dropped / opportunities,
    opportunities,
    dropped,
    alarm: missed > 0 || dropped < lo || dropped > hi,
    interval: opportunities === 0 ? [0, 1] : [lo / opportunities, hi / opportunities],
  };
}

function flopsOf(work: Work, name: string): number {
  const value = Object.hasOwn(work.branchFlops, name) ? work.branchFlops[name] : undefined;
  if (value !== undefined) return value;
  throw new ShallowsError(
    `depthReport: expected the FLOPs of the site '${name}', got none - measure this model's work`,
  );
}
