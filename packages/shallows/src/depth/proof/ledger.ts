import { ShallowsError, shown } from '../../errors.js';
import type { JsonObject, JsonValue } from '../../nn/json.js';
import type { Pass } from '../../nn/pass.js';
import type { SitePlan } from '../plan/plan.js';
import { type Executed, type PlannedPass, planSlot } from '../plan/planned-pass.js';
import { type DepthReport, depthReport, type ReportOptions, type SiteTally } from './report.js';

/** What ran in one recorded pass. */
export interface PassCount {
  /** Branches that ran; one that ran on some rows counts as their share. */
  readonly active: number;
  /** Sites that were reached. */
  readonly sites: number;
}

interface Tally {
  readonly first: number;
  drift: number;
  weight: number;
  opportunities: number;
  dropped: number;
  missed: number;
  masked: boolean;
}

/**
 * Counts what really ran, pass by pass: the evidence behind a `DepthReport`. It reads what `residual` wrote down during
 * the pass, not what the plan intended. A site counts once a pass, also where a shared or recomputed block ran it twice.
 */
export class DepthLedger {
  readonly #tallies = new Map<string, Tally>();
  readonly #recorded = new WeakSet<PlannedPass>();
  readonly #unreached: 'error' | 'alarm';

  /**
   * @param unreached what happens when a pass never reaches a site of non-zero rate: an error at once, or an alarm in
   *   the report (for models that skip blocks for reasons of their own)
   */
  constructor({ unreached = 'error' }: { readonly unreached?: 'error' | 'alarm' } = {}) {
    this.#unreached = unreached;
  }

  /**
   * Counts a finished forward pass.
   *
   * @throws ShallowsError for a pass without a plan, one that was counted before, and, unless the ledger alarms, one
   *   that never reached a site of non-zero rate
   */
  record(pass: Pass): PassCount {
    const planned = pass.get(planSlot);
    if (planned === undefined) {
      throw new ShallowsError(
        'DepthLedger.record: expected a pass with a plan, got none - record what withPlan returned',
      );
    }
    if (this.#recorded.has(planned)) {
      throw new ShallowsError(
        'DepthLedger.record: expected a new pass, got one already counted - record each pass once',
      );
    }
    this.#recorded.add(planned);
    const missed = planned.plan.sites.filter(({ name, drop }) => drop > 0 && !planned.executed.has(name));
    if (missed.length > 0 && this.#unreached === 'error') throw unreachedError(planned, missed);

    let active = 0;
    for (const site of planned.plan.sites) active += this.#count(site, planned.executed.get(site.name));
    return { active, sites: planned.executed.size };
  }

  /** All that was counted: plain JSON, from which {@link load} goes on. */
  state(): JsonObject {
    return Object.fromEntries([...this.#tallies].map(([name, tally]) => [name, { ...tally }]));
  }

  /**
   * Puts another ledger's counts in the place of these.
   *
   * @throws ShallowsError for what is no state of a ledger
   */
  load(state: JsonObject): void {
    const tallies = Object.entries(state).map(([name, tally]) => [name, readTally(name, tally)] as const);
    this.#tallies.clear();
    for (const [name, tally] of tallies) this.#tallies.set(name, tally);
  }

  /** Requested against realised rates of all passes so far, sites in the order of the first plan. */
  report(options: ReportOptions = {}): DepthReport {
    const tallies: SiteTally[] = [...this.#tallies].map(
      ([name, { first, drift, weight, opportunities, dropped, missed, masked }]) => ({
        name,
        requested: first + drift / Math.max(1, weight),
        opportunities,
        dropped,
        missed,
        masked,
      }),
    );
    return depthReport(tallies, options);
  }

  #count({ name, drop, execution }: SitePlan, ran: Executed | undefined): number {
    let tally = this.#tallies.get(name);
    if (tally === undefined) {
      tally = { first: drop, drift: 0, weight: 0, opportunities: 0, dropped: 0, missed: 0, masked: false };
      this.#tallies.set(name, tally);
    }
    // Relative to the first rate, so that a rate which never changes is reported to the last bit.
    const weight = ran?.of ?? 1;
    tally.masked = execution === 'mask';
    tally.weight += weight;
    tally.drift += weight * (drop - tally.first);
    if (ran === undefined) {
      tally.missed += drop > 0 ? 1 : 0;
      return 0;
    }
    tally.opportunities += ran.of;
    tally.dropped += ran.of - ran.kept;
    return ran.of === 0 ? 0 : ran.kept / ran.of;
  }
}

function readTally(name: string, tally: JsonValue): Tally {
  const { first, drift, weight, opportunities, dropped, missed, masked } = (tally ?? {}) as Partial<Tally>;
  const numbers = [first, drift, weight, opportunities, dropped, missed];
  if (numbers.every((each) => typeof each === 'number') && typeof masked === 'boolean') {
    return { first, drift, weight, opportunities, dropped, missed, masked } as Tally;
  }
  throw new ShallowsError(
    `DepthLedger.load: expected the counts of '${name}', got ${shown(tally)} - pass what state() gave`,
  );
}

function unreachedError({ plan, executed }: PlannedPass, missed: readonly SitePlan[]): ShallowsError {
  const names = missed.slice(0, 5).map(({ name }) => `'${name}'`);
  const more = missed.length > 5 ? ` and ${missed.length - 5} more` : '';
  return new ShallowsError(
    `DepthLedger.record: expected step ${plan.step} to reach every site with a rate, got ${executed.size} of ${plan.sites.length}: ` +
      `never reached ${names.join(', ')}${more} - run these blocks through residual() with the pass, or rate them 0`,
  );
}
