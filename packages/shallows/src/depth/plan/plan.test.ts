import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { deriveKey, rootKey } from '../../random/key.js';
import { Policy } from '../policy/policy.js';
import { rateSites } from '../policy/rate-sites.js';
import { drawPlan, fixedPlan, type PlanAt } from './plan.js';

const names = [1, 2, 3].flatMap((stage) => Array.from({ length: 18 }, (_, i) => `layer${stage}.${i}`));
const policy = Policy({ drop: 0.5 });
const sites = rateSites(policy, names);
const key = rootKey(1);
const dropped = (at: PlanAt, each = policy): string[] =>
  drawPlan(each, rateSites(each, names), at)
    .sites.filter((site) => !site.kept)
    .map((site) => site.name);

describe('drawPlan', () => {
  test('is plain frozen data that JSON keeps exactly', () => {
    const plan = drawPlan(policy, sites, { key, step: 3, microbatch: 2 });
    expect(JSON.parse(JSON.stringify(plan))).toEqual(plan);
    expect([plan, plan.sites, plan.sites[0]].every(Object.isFrozen)).toBe(true);
    expect(plan).toMatchObject({ step: 3, microbatch: 2, rank: null });
    expect(plan.sites.map((site) => site.name)).toEqual(names);
  });

  test('drops what the Python reference drops (fixtures/plan.py)', () => {
    const cases: { seed: number; step: number; microbatch: number; rank?: number; dropped: string[] }[] = JSON.parse(
      readFileSync(new URL('fixtures/plan.json', import.meta.url), 'utf8'),
    );
    for (const { seed, dropped: expected, rank, ...at } of cases) {
      const each = Policy({ drop: 0.5, ranks: rank === undefined ? 'shared' : 'independent' });
      expect(dropped({ key: rootKey(seed), ...at, ...(rank !== undefined && { rank }) }, each)).toEqual(expected);
    }
  });

  test('step 7 drawn alone equals step 7 of 0 to 7, in any order', () => {
    const alone = drawPlan(policy, sites, { key, step: 7 });
    const forwards = Array.from({ length: 8 }, (_, step) => drawPlan(policy, sites, { key, step }));
    const backwards = Array.from({ length: 8 }, (_, i) => drawPlan(policy, sites, { key, step: 7 - i })).reverse();
    expect(forwards[7]).toEqual(alone);
    expect(backwards).toEqual(forwards);
  });

  test('a site decides the same whichever others exist', () => {
    const few = rateSites(Policy({ schedule: 'list', rates: [0.5, 0.25] }), ['layer3.17', 'layer2.8']);
    for (let step = 0; step < 50; step++) {
      const all = dropped({ key, step });
      const two = drawPlan(policy, few, { key, step }).sites.filter((site) => !site.kept);
      expect(two.map((site) => site.name).sort()).toEqual(
        all.filter((name) => name === 'layer3.17' || name === 'layer2.8').sort(),
      );
    }
  });

  test('a higher rate drops a superset', () => {
    const more = Policy({ drop: 0.7 });
    for (let step = 0; step < 50; step++) {
      expect(dropped({ key, step }, more)).toEqual(expect.arrayContaining(dropped({ key, step })));
    }
  });

  test('key, step, microbatch and an independent rank each make another plan; a shared rank does not', () => {
    const own = Policy({ drop: 0.5, ranks: 'independent' });
    const base = { key, step: 4, microbatch: 0, rank: 0 };
    const changes = [{ key: rootKey(2) }, { step: 5 }, { microbatch: 1 }, { rank: 1 }];
    const plans = [base, ...changes.map((change) => ({ ...base, ...change }))].map((at) => dropped(at, own).join());
    expect(new Set(plans).size).toBe(5);
    expect(drawPlan(policy, sites, { ...base, rank: 3 })).toEqual(drawPlan(policy, sites, base));
    expect(drawPlan(own, sites, { ...base, rank: 3 }).rank).toBe(3);
  });

  test('step 1, microbatch 0 is not step 0, microbatch 1, and neither meets a key derived by hand', () => {
    expect(dropped({ key, step: 1, microbatch: 0 })).not.toEqual(dropped({ key, step: 0, microbatch: 1 }));
    expect(dropped({ key: deriveKey(key, 'depth'), step: 1 })).not.toEqual(dropped({ key, step: 1 }));
  });

  test('inverted scales are 1/(1 - rate), paper scales 1, dropped ones 0', () => {
    const paper = Policy({ drop: 0.5, scale: 'paper' });
    for (let step = 0; step < 20; step++) {
      for (const { drop, kept, scale } of drawPlan(policy, sites, { key, step }).sites) {
        expect(scale).toBe(kept ? 1 / (1 - drop) : 0);
      }
      for (const { kept, scale } of drawPlan(paper, sites, { key, step }).sites) expect(scale).toBe(kept ? 1 : 0);
    }
  });

  test('rate 0 always keeps at scale 1, rate 1 always drops at a finite scale', () => {
    for (const scale of ['inverted', 'paper'] as const) {
      const each = Policy({ schedule: 'list', rates: [0, 1], scale });
      const two = rateSites(each, ['never', 'always']);
      for (let step = 0; step < 200; step++) {
        expect(drawPlan(each, two, { key, step }).sites).toEqual([
          { name: 'never', drop: 0, kept: true, rows: null, scale: 1, execution: 'gate' },
          { name: 'always', drop: 1, kept: false, rows: null, scale: 0, execution: 'gate' },
        ]);
      }
    }
  });

  test.each([-1, 0.5, Number.NaN, 2 ** 53])('refuses the step, microbatch and rank %s', (bad) => {
    expect(() => drawPlan(policy, sites, { key, step: bad })).toThrow('drawPlan: step: expected a whole number');
    expect(() => drawPlan(policy, sites, { key, step: 0, microbatch: bad })).toThrow('drawPlan: microbatch:');
    expect(() => drawPlan(policy, sites, { key, step: 0, rank: bad })).toThrow('drawPlan: rank:');
  });
});

describe('fixedPlan', () => {
  test('drops the named sites and scales the rest by the policy', () => {
    const plan = fixedPlan(policy, sites, ['layer1.0', 'layer3.17']);
    expect(plan.sites.filter((site) => !site.kept).map((site) => site.name)).toEqual(['layer1.0', 'layer3.17']);
    expect(plan.sites[1]).toEqual({
      name: 'layer1.1',
      drop: 0.5 * (2 / 54),
      kept: true,
      rows: null,
      scale: 1 / (1 - 0.5 * (2 / 54)),
      execution: 'gate',
    });
  });

  test('knows its names, and never scales by infinity', () => {
    expect(() => fixedPlan(policy, sites, ['layer1.O'])).toThrow("did you mean 'layer1.0'?");
    const certain = Policy({ drop: 1 });
    expect(() => fixedPlan(certain, rateSites(certain, ['a', 'b']), ['a'])).toThrow("expected 'b' dropped");
    expect(fixedPlan(certain, rateSites(certain, ['a', 'b']), ['b']).sites[0]?.scale).toBe(2);
  });
});
