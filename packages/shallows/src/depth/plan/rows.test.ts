import { describe, expect, test } from 'vitest';
import { deriveKey, rootKey } from '../../random/key.js';
import { Policy, type PolicyOptions } from '../policy/policy.js';
import { rateSites } from '../policy/rate-sites.js';
import { binomialInterval } from '../proof/binomial.js';
import { drawPlan, type Plan } from './plan.js';
import { keptCount, keptRows, type Rows, rowFlags } from './rows.js';

const key = rootKey(7);
const rates = [0.001, 0.002, 0.004, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9];

function plans(
  options: PolicyOptions,
  rows: number,
  steps: number,
): { readonly rate: number; readonly rows: Rows[] }[] {
  const policy = Policy({ schedule: 'list', rates, unit: 'row', ...options });
  const sites = rateSites(
    policy,
    rates.map((_, i) => `block.${i}`),
  );
  const drawn = Array.from({ length: steps }, (_, step) => drawPlan(policy, sites, { key, step, rows }));
  return rates.map((rate, i) => ({ rate, rows: drawn.map((plan) => rowsAt(plan, i)) }));
}

function rowsAt(plan: Plan, site: number): Rows {
  const rows = plan.sites[site]?.rows;
  if (!rows) throw new Error('no rows');
  return rows;
}

// b, rate -> k of dinov2's max(int(b * (1 - rate)), 1).
test.each([
  [1, 0.3, 1],
  [2, 0.4, 1],
  [3, 0.1, 2],
  [4, 0.3, 2],
  [8, 0.3, 5],
  [10, 0.25, 7],
  [32, 0.1, 28],
  [64, 0.4, 38],
  [10, 0.9, 1],
  [64, 1, 1],
  [25, 0.8, 4],
])('dinov2 keeps of %i rows at rate %f: %i', (rows, drop, kept) => {
  expect(keptCount('dinov2', rows, drop, 0)).toBe(kept);
  expect(keptCount('dinov2', rows, drop, 0.999)).toBe(kept);
});

describe.each(['random', 'window', 'independent'] as const)('%s rows', (kind) => {
  test.each([1, 2, 3, 8])('of %i: the realised rate is the requested one (99.9 % bounds)', (b) => {
    const steps = 6000;
    for (const { rate, rows } of plans({ rows: kind }, b, steps)) {
      const dropped = rows.reduce((sum, each) => sum + b - keptRows(each), 0);
      // Counts by stochastic rounding vary less than independent draws, so the binomial interval holds.
      const [lo, hi] = binomialInterval(steps * b, rate, 0.001 / rates.length);
      expect(dropped, `rate ${rate}`).toBeGreaterThanOrEqual(lo);
      expect(dropped, `rate ${rate}`).toBeLessThanOrEqual(hi);
    }
  });

  test('are plain frozen data, in rising order, within the batch', () => {
    for (const { rows } of plans({ rows: kind }, 5, 50)) {
      for (const each of rows) {
        expect(Object.isFrozen(each)).toBe(true);
        expect(JSON.parse(JSON.stringify(each))).toEqual(each);
        const flags = rowFlags(each);
        expect(flags).toHaveLength(5);
        expect(flags.filter(Boolean)).toHaveLength(keptRows(each));
        if ('index' in each) expect([...each.index]).toEqual([...new Set(each.index)].toSorted((x, y) => x - y));
        else expect(each.start + each.length).toBeLessThanOrEqual(5);
      }
    }
  });

  test('rate 0 keeps all rows, rate 1 none', () => {
    const policy = Policy({ schedule: 'list', rates: [0, 1], unit: 'row', rows: kind });
    const plan = drawPlan(policy, rateSites(policy, ['a', 'b']), { key, step: 0, rows: 4 });
    expect(plan.sites.map(({ kept, scale }) => [kept, scale])).toEqual([
      [true, 1],
      [false, 0],
    ]);
    expect([rowsAt(plan, 0), rowsAt(plan, 1)].map(keptRows)).toEqual([4, 0]);
  });
});

test('random and independent rows keep each position equally often (99.9 % bounds)', () => {
  for (const kind of ['random', 'independent'] as const) {
    const steps = 4000;
    for (const { rate, rows } of plans({ rows: kind }, 6, steps)) {
      for (let row = 0; row < 6; row++) {
        const dropped = rows.filter((each) => rowFlags(each)[row] === false).length;
        const [lo, hi] = binomialInterval(steps, rate, 0.001 / (6 * rates.length));
        expect(dropped >= lo && dropped <= hi, `${kind} ${rate} row ${row}: ${dropped} of [${lo}, ${hi}]`).toBe(true);
      }
    }
  }
});

test('all sets of random rows and all window offsets occur equally often', () => {
  const policy = (rows: 'random' | 'window'): Policy => Policy({ drop: 0.5, schedule: 'uniform', unit: 'row', rows });
  for (const [kind, sets] of [
    ['random', 6],
    ['window', 3],
  ] as const) {
    const counts = new Map<string, number>();
    const each = policy(kind);
    const sites = rateSites(each, ['a']);
    for (let step = 0; step < 6000; step++) {
      const flags = rowFlags(rowsAt(drawPlan(each, sites, { key, step, rows: 4 }), 0))
        .map(Number)
        .join('');
      counts.set(flags, (counts.get(flags) ?? 0) + 1);
    }
    expect(counts.size).toBe(sets);
    const [lo, hi] = binomialInterval(6000, 1 / sets, 0.001 / 9);
    for (const [flags, count] of counts) expect(count >= lo && count <= hi, `${kind} ${flags} ${count}`).toBe(true);
  }
});

describe('scales', () => {
  const scaleOf = (options: PolicyOptions, rows: number): Plan['sites'][number] => {
    const policy = Policy({ drop: 0.3, schedule: 'uniform', unit: 'row', ...options });
    const [site] = drawPlan(policy, rateSites(policy, ['a']), { key, step: 0, rows }).sites;
    if (site === undefined) throw new Error('no site');
    return site;
  };

  test('inverted 1/q, realised b/k, paper and none 1', () => {
    expect(scaleOf({}, 10).scale).toBe(1 / 0.7);
    expect(scaleOf({ scale: 'paper' }, 10).scale).toBe(1);
    expect(scaleOf({ scale: 'none' }, 10).scale).toBe(1);
    const dinov2 = scaleOf({ scale: 'realised', count: 'dinov2' }, 8);
    expect(dinov2.scale).toBe(8 / 5);
  });
});

describe('ranks', () => {
  const draw = (
    ranks: Policy['ranks'],
    at: { rank?: number; microbatch?: number; firstRow?: number; rows: number },
  ) => {
    const policy = Policy({ drop: 0.5, schedule: 'uniform', unit: 'row', rows: 'independent', ranks });
    const sites = rateSites(policy, ['a', 'b', 'c']);
    return drawPlan(policy, sites, { key, step: 3, ...at }).sites.map(({ rows }) => rows && rowFlags(rows).map(Number));
  };
  const joined = (parts: (number[] | null)[][]): number[][] =>
    [0, 1, 2].map((i) => parts.flatMap((part) => part[i] ?? []));

  test('shared ranks decide alike, independent ones each for itself', () => {
    expect(draw('shared', { rank: 0, rows: 16 })).toEqual(draw('shared', { rank: 3, rows: 16 }));
    expect(draw('independent', { rank: 0, rows: 16 })).not.toEqual(draw('independent', { rank: 3, rows: 16 }));
    expect(draw('shared', { microbatch: 0, rows: 16 })).not.toEqual(draw('shared', { microbatch: 1, rows: 16 }));
  });

  test('samples decide alike however the batch is split over ranks and microbatches', () => {
    const whole = draw('sample', { rows: 24 });
    for (const [ranks, microbatches] of [
      [1, 2],
      [2, 1],
      [2, 3],
      [4, 2],
      [3, 8],
    ] as const) {
      const rows = 24 / ranks / microbatches;
      const parts = Array.from({ length: ranks * microbatches }, (_, part) =>
        draw('sample', {
          rank: Math.floor(part / microbatches),
          microbatch: part % microbatches,
          firstRow: part * rows,
          rows,
        }),
      );
      expect(joined(parts)).toEqual(whole);
    }
  });
});

describe('budget', () => {
  const names = Array.from({ length: 12 }, (_, i) => `block.${i}`);

  test.each([0, 1, 3, 7, 12])('of %i drops exactly so many in each step, each site at its rate', (budget) => {
    const policy = Policy({ drop: budget === 12 ? 1 : 0.5, schedule: budget === 12 ? 'uniform' : 'linear', budget });
    const sites = rateSites(policy, names);
    expect(sites.reduce((sum, { drop }) => sum + drop, 0)).toBeCloseTo(budget, 12);
    const steps = 3000;
    const counts = new Array<number>(12).fill(0);
    for (let step = 0; step < steps; step++) {
      const { sites: drawn } = drawPlan(policy, sites, { key, step });
      expect(drawn.filter(({ kept }) => !kept)).toHaveLength(budget);
      drawn.forEach(({ kept }, i) => {
        if (!kept) counts[i] = (counts[i] ?? 0) + 1;
      });
    }
    sites.forEach(({ drop, name }, i) => {
      const [lo, hi] = binomialInterval(steps, drop, 0.001 / 12);
      expect((counts[i] ?? 0) >= lo && (counts[i] ?? 0) <= hi, `${name} ${counts[i]} of [${lo}, ${hi}]`).toBe(true);
    });
  });

  test('rates that would pass 1 stay there, and the others rise', () => {
    const policy = Policy({ schedule: 'list', rates: [0.9, 0.1, 0.1], budget: 2 });
    expect(rateSites(policy, ['a', 'b', 'c']).map(({ drop }) => drop)).toEqual([1, 0.5, 0.5]);
  });

  test('more than there are sites with a rate is an error', () => {
    const policy = Policy({ schedule: 'list', rates: [0.9, 0, 0.1], budget: 3 });
    expect(() => rateSites(policy, ['a', 'b', 'c'])).toThrow(
      'expected a budget up to the 2 sites that have a rate, got 3',
    );
  });
});

describe('what must not be silent', () => {
  test('rows and the moment are asked for', () => {
    const rows = Policy({ drop: 0.5, unit: 'row' });
    expect(() => drawPlan(rows, rateSites(rows, ['a']), { key, step: 0 })).toThrow('expected the rows of the batch');
    const late = Policy({ drop: 0.5, time: { kind: 'late', start: '1ep' } });
    expect(() => drawPlan(late, rateSites(late, ['a']), { key, step: 0 })).toThrow('expected the moment for a policy');
    expect(() => drawPlan(rows, rateSites(rows, ['a']), { key, step: 0, rows: -1 })).toThrow('rows: expected a whole');
    expect(() => drawPlan(rows, rateSites(rows, ['a']), { key, step: 0, rows: 2, firstRow: 0.5 })).toThrow('firstRow:');
  });

  test('the factor over time multiplies every rate and is in the plan', () => {
    const policy = Policy({ drop: 0.5, schedule: 'uniform', time: { kind: 'warmup', length: '10ba' } });
    const moment = { batch: 5, timeline: { batchesPerEpoch: 10, batchSize: 1 } };
    const plan = drawPlan(policy, rateSites(policy, ['a', 'b']), { key: deriveKey(key, 1), step: 5, moment });
    expect(plan.factor).toBe(0.5);
    expect(plan.sites.map(({ drop }) => drop)).toEqual([0.25, 0.25]);
  });
});
