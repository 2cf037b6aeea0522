import { scope, zeros } from '@shallows/torch';
import { describe, expect, test } from 'vitest';
import {
  applyPolicy,
  branchParameters,
  drawPlan,
  fixedPlan,
  type Plan,
  Policy,
  type PolicyOptions,
  rowFlags,
} from '../../depth/index.js';
import { residualMlp } from '../../models/index.js';
import { rootKey } from '../../random/index.js';
import { missingGradients, plansOverRanks, type StepOverRanks } from './step-over-ranks.js';

const model = scope(() => residualMlp({ inputs: 6, width: 8, blocks: 5, outputs: 3, key: rootKey(1) }));
const branches = branchParameters(model, (pass) => model.forward(zeros([1, 6]), pass));
const key = rootKey(9);

function stepOf(policy: PolicyOptions, step: number, given: Partial<StepOverRanks> = {}): StepOverRanks {
  const rules = Policy({ drop: 0.5, schedule: 'uniform', ...policy });
  return { policy: rules, sites: applyPolicy(model, rules), key, step, rows: [4, 4], ...given };
}

/** For each site, which rows of the global batch keep it. */
const samples = (step: StepOverRanks): boolean[][] =>
  step.sites.map((_, site) =>
    plansOverRanks(step)
      .flat()
      .flatMap(({ sites }) => {
        const rows = sites[site]?.rows;
        return rows == null ? [] : rowFlags(rows);
      }),
  );

describe('plansOverRanks', () => {
  test.each(['shared', 'independent', 'sample'] as const)('gives each rank what it draws for itself: %s', (ranks) => {
    for (const unit of ranks === 'sample' ? (['row'] as const) : (['row', 'block'] as const)) {
      const given = stepOf({ ranks, unit }, 3, { rows: [5, 4], microbatches: 2 });
      const own = (rank: number, microbatch: number, firstRow: number, rows: number): Plan =>
        drawPlan(given.policy, given.sites, { key, step: 3, rank, microbatch, firstRow, rows });
      expect(plansOverRanks(given)).toEqual([
        [own(0, 0, 0, 3), own(0, 1, 3, 2)],
        [own(1, 0, 5, 2), own(1, 1, 7, 2)],
      ]);
    }
  });

  test('ranks agree where they share, and differ where each decides', () => {
    let differing = 0;
    for (let step = 0; step < 50; step++) {
      const [first, second] = plansOverRanks(stepOf({ ranks: 'shared' }, step));
      expect(second).toEqual(first);
      const kept = plansOverRanks(stepOf({ ranks: 'independent' }, step)).map(([plan]) =>
        plan?.sites.map((site) => site.kept),
      );
      if (String(kept[0]) !== String(kept[1])) differing++;
    }
    // Five fair coins agree 1 time in 32: 8 times or more in 50 has a chance of 4e-4.
    expect(differing).toBeGreaterThan(42);
  });

  test('a sample keeps its decisions however the batch is split', () => {
    const policy = { unit: 'row', ranks: 'sample' } as const;
    const whole = samples(stepOf(policy, 7, { rows: [9] }));
    expect(whole[0]).toHaveLength(9);
    for (const [rows, microbatches] of [
      [[4, 5], 1],
      [[2, 3, 4], 2],
      [[0, 9], 4],
    ] as const) {
      expect(samples(stepOf(policy, 7, { rows, microbatches }))).toEqual(whole);
    }
  });

  test('a rank without rows has no plan', () => {
    expect(plansOverRanks(stepOf({}, 0, { rows: [0, 1] })).map((plans) => plans.length)).toEqual([0, 1]);
  });
});

describe('missingGradients', () => {
  const { policy, sites } = stepOf({}, 0);
  const dropping = (...names: number[]): Plan =>
    fixedPlan(
      policy,
      sites,
      names.map((i) => sites[i]?.name ?? ''),
    );
  const of = (keys: readonly string[]): number[] => [
    ...new Set(keys.map((name) => sites.findIndex((site) => name.startsWith(`${site.name}.`)))),
  ];

  test('what every rank drops in every microbatch is absent', () => {
    const plans = [
      [dropping(0, 1), dropping(1, 2)],
      [dropping(1, 3), dropping(1, 2)],
    ];
    const { absent, localAbsent } = missingGradients(plans, 0, branches);
    expect(of(absent)).toEqual([1]);
    expect(absent).toHaveLength(6);
    // Block 0 has its gradient from the first microbatch, and block 2 too: neither is in the last pass's way.
    expect(of(localAbsent)).toEqual([2]);
    expect(of(missingGradients(plans, 1, branches).localAbsent)).toEqual([2]);
  });

  test('what one rank drops is missing there alone', () => {
    const plans = [[dropping(0, 4)], [dropping(4)]];
    expect(of(missingGradients(plans, 0, branches).localAbsent)).toEqual([0]);
    expect(missingGradients(plans, 1, branches).localAbsent).toEqual([]);
    expect(of(missingGradients(plans, 1, branches).absent)).toEqual([4]);
  });

  test('a rank without rows misses all that others have', () => {
    const { absent, localAbsent } = missingGradients([[], [dropping(4)]], 0, branches);
    expect(of(absent)).toEqual([4]);
    expect([...absent, ...localAbsent].toSorted()).toEqual([...branches.learnt].toSorted());
  });

  test('masked branches are computed, so nothing is missing', () => {
    const step = stepOf({ execution: 'mask', drop: 1 }, 0);
    expect(missingGradients(plansOverRanks(step), 0, branches)).toEqual({ absent: [], localAbsent: [] });
  });
});
