import { describe, expect, test } from 'vitest';
import { type Pass, trainingPass } from '../../nn/pass.js';
import { rootKey } from '../../random/key.js';
import { drawPlan, type Plan } from '../plan/plan.js';
import { planSlot, withPlan } from '../plan/planned-pass.js';
import { Policy } from '../policy/policy.js';
import { rateSites } from '../policy/rate-sites.js';
import { binomialInterval } from './binomial.js';
import { DepthLedger } from './ledger.js';
import { depthReport, type SiteTally } from './report.js';

const key = rootKey(5);
const policy = Policy({ drop: 0.5 });
const names = Array.from({ length: 54 }, (_, i) => `block.${i}`);
const sites = rateSites(policy, names);

/** A pass that did what its plan says, but for some sites. */
function ran(plan: Plan, { never = [], always = [] }: { never?: string[]; always?: string[] } = {}): Pass {
  const pass = withPlan(trainingPass({ key }), plan);
  for (const { name, kept } of plan.sites) {
    if (never.includes(name)) continue;
    pass.get(planSlot)?.executed.set(name, { kept: Number(kept || always.includes(name)), of: 1 });
  }
  return pass;
}

function filled(
  steps: number,
  deviation: Parameters<typeof ran>[1] = {},
  options: ConstructorParameters<typeof DepthLedger>[0] = {},
): DepthLedger {
  const ledger = new DepthLedger(options);
  for (let step = 0; step < steps; step++) ledger.record(ran(drawPlan(policy, sites, { key, step }), deviation));
  return ledger;
}

describe('DepthLedger', () => {
  test('reports 54 sites of an honest run without alarm (false alarm 0.1 %)', () => {
    const report = filled(391).report();
    expect(report.sites.map((site) => site.name)).toEqual(names);
    expect(report.sites.map((site) => site.requested)).toEqual(sites.map((site) => site.drop));
    expect(report.sites.filter((site) => site.alarm)).toEqual([]);
    expect(report.expectedActive).toBe(40.25);
    expect(Math.abs(report.realisedActive - 40.25)).toBeLessThan((3.2905 * 3.020634) / Math.sqrt(391));
    for (const { realised, opportunities, dropped, interval } of report.sites) {
      expect(opportunities).toBe(391);
      expect(realised).toBe(dropped / 391);
      expect(realised >= interval[0] && realised <= interval[1]).toBe(true);
    }
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  });

  test('a block that runs although it was planned away raises the alarm of that site alone', () => {
    const report = filled(391, { always: ['block.53'] }).report();
    expect(report.sites.filter((site) => site.alarm).map((site) => site.name)).toEqual(['block.53']);
    expect(report.sites[53]).toMatchObject({ requested: 0.5, realised: 0, dropped: 0 });
  });

  test('a block that is never reached is an error that names it', () => {
    expect(() => filled(1, { never: ['block.7'] })).toThrow("got 53 of 54: never reached 'block.7' - run these blocks");
    expect(() => filled(1, { never: names })).toThrow("'block.4' and 49 more");
  });

  test('or an alarm, where the model may skip blocks itself', () => {
    const report = filled(10, { never: ['block.7'] }, { unreached: 'alarm' }).report();
    expect(report.sites[7]).toMatchObject({ alarm: true, opportunities: 0, realised: 0, interval: [0, 1] });
    expect(report.realisedActive).toBeLessThanOrEqual(53);
  });

  test('a site of rate 0 need not be reached', () => {
    const zero = Policy({ drop: 0.5, schedule: 'linspace' });
    const pass = ran(drawPlan(zero, rateSites(zero, ['a', 'b']), { key, step: 0 }), { never: ['a'] });
    const ledger = new DepthLedger();
    expect(ledger.record(pass).sites).toBe(1);
    expect(ledger.report().sites[0]).toMatchObject({ name: 'a', opportunities: 0, alarm: false });
  });

  test('a pass counts once and needs a plan', () => {
    const ledger = new DepthLedger();
    const pass = ran(drawPlan(policy, sites, { key, step: 0 }));
    ledger.record(pass);
    expect(() => ledger.record(pass)).toThrow('got one already counted');
    expect(() => ledger.record(trainingPass())).toThrow('expected a pass with a plan');
  });

  test('rates that change over time are averaged, and do not alarm (false alarm 0.1 %)', () => {
    const ledger = new DepthLedger();
    const steps = 400;
    for (let step = 0; step < steps; step++) {
      const now = Policy({ drop: (0.6 * step) / steps });
      ledger.record(ran(drawPlan(now, rateSites(now, names), { key, step })));
    }
    const report = ledger.report();
    expect(report.sites[53]?.requested).toBeCloseTo((0.6 * (steps - 1)) / 2 / steps, 12);
    expect(report.sites.filter((site) => site.alarm)).toEqual([]);
  });

  test('nothing recorded is an empty report', () => {
    expect(new DepthLedger().report()).toMatchObject({
      sites: [],
      expectedActive: 0,
      realisedActive: 0,
      workSaved: null,
    });
  });
});

describe('depthReport', () => {
  const tally = (name: string, requested: number, dropped: number): SiteTally => ({
    name,
    requested,
    dropped,
    opportunities: 1000,
    missed: 0,
    masked: false,
  });

  test('alarms exactly outside the binomial interval at its share of the false-alarm rate', () => {
    const [lo, hi] = binomialInterval(1000, 0.3, 0.0005);
    const alarms = [lo - 1, lo, hi, hi + 1].map(
      (dropped) => depthReport([tally('a', 0.3, dropped), tally('b', 0.3, 300)]).sites[0],
    );
    expect(alarms.map((site) => site?.alarm)).toEqual([true, false, false, true]);
    expect(alarms[0]?.interval).toEqual([lo / 1000, hi / 1000]);
    expect(depthReport([tally('a', 0, 1)]).sites[0]?.alarm).toBe(true);
    expect(depthReport([tally('a', 1, 999)]).sites[0]?.alarm).toBe(true);
    expect(depthReport([tally('a', 1, 1000)]).sites[0]?.alarm).toBe(false);
  });

  test('an honest run alarms no more often than it says: 2,000 reports at 5 %', () => {
    // 10 sites each; alarms at most 100 expected, 135 is the 99.9 % point of Binomial(2000, 0.05) rounded up.
    const ten = rateSites(policy, names.slice(0, 10));
    let alarmed = 0;
    for (let run = 0; run < 2000; run++) {
      const counts = ten.map(() => 0);
      for (let step = 0; step < 20; step++) {
        drawPlan(policy, ten, { key, step, microbatch: run }).sites.forEach((site, i) => {
          counts[i] = (counts[i] ?? 0) + (site.kept ? 0 : 1);
        });
      }
      const tallies = ten.map(({ name, drop }, i) => ({
        name,
        requested: drop,
        opportunities: 20,
        dropped: counts[i] ?? 0,
        missed: 0,
        masked: false,
      }));
      alarmed += depthReport(tallies, { falseAlarm: 0.05 }).sites.some((site) => site.alarm) ? 1 : 0;
    }
    expect(alarmed).toBeGreaterThan(0);
    expect(alarmed).toBeLessThanOrEqual(135);
  });

  test('saved work weighs each branch by its FLOPs', () => {
    const work = { totalFlops: 1000, branchFlops: { a: 100, b: 300 } };
    const report = depthReport([tally('a', 0.25, 260), tally('b', 0.5, 480)], { work });
    expect(report.workSaved).toBeCloseTo((0.26 * 100 + 0.48 * 300) / 1000, 12);
    expect(report.workSavedIdeal).toBeCloseTo((0.25 * 100 + 0.5 * 300) / 1000, 12);
    expect(() => depthReport([tally('toString', 0.5, 500)], { work })).toThrow(
      "expected the FLOPs of the site 'toString'",
    );
    expect(depthReport([tally('a', 0.25, 260)]).workSaved).toBeNull();
  });
});
