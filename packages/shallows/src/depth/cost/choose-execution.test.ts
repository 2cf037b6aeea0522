import { full, type Tensor } from '@shallows/torch';
import { describe, expect, test } from 'vitest';
import { evaluation, Module, type Pass, Sequential } from '../../nn/index.js';
import { rootKey } from '../../random/index.js';
import { drawPlan, keptRows, type Plan, Policy, rateSites, residual, Site } from '../index.js';
import type { StepTimer } from './block-cost-timer.js';
import { chooseExecution, settleExecution } from './choose-execution.js';

class Doubling extends Module {
  readonly site = new Site('doubling');

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return residual(this, x, pass);
  }

  branch(x: Tensor): Tensor {
    return x.mul(1);
  }

  shortcut(x: Tensor): Tensor {
    return x;
  }
}

const rows = 64;
const model = new Sequential(...Array.from({ length: 4 }, () => new Doubling()));
const forward = (pass: Pass): Tensor => model.forward(full([rows, 2], 1), pass);
const policy = Policy({ drop: 0.5, unit: 'row', execution: 'auto' });

/** A machine on which a masked branch takes 10 ms, one on some rows their share of it and `overhead`. */
function machine(overhead: number): StepTimer & { plans: Plan[] } {
  const plans: Plan[] = [];
  const time = (plan: Plan) => {
    plans.push(plan);
    const ms = plan.sites.reduce((sum, { rows: some, execution, kept }) => {
      if (execution === 'mask') return sum + 10;
      return sum + (kept && some !== null ? overhead + (10 * keptRows(some)) / some.of : 0);
    }, 1);
    return { forwardMs: ms / 4, backwardMs: (3 * ms) / 4 };
  };
  return Object.assign(time, { plans });
}

describe('chooseExecution', () => {
  test('takes the subset where it is cheaper, and says so', () => {
    const time = machine(2);
    const choices = chooseExecution(model, forward, { policy, rows, time });
    // Rates 1/8 … 1/2 keep 56, 48, 40 and 32 of 64 rows.
    expect(choices.map(({ execution }) => execution)).toEqual(['mask', 'subset', 'subset', 'subset']);
    expect(choices[0]).toEqual({
      site: '0',
      execution: 'mask',
      ms: { subset: 11.75, mask: 11 },
      why: 'mask took 11.0 ms, subset 11.8 ms with 56 of 64 rows kept',
    });
    expect(choices[3]?.ms).toEqual({ subset: 8, mask: 11 });
    expect(JSON.parse(JSON.stringify(choices))).toEqual(choices);
  });

  test('takes the subset where both cost the same: it holds less memory', () => {
    const tie = chooseExecution(model, forward, { policy, rows, time: machine(2.5) })[1];
    expect(tie).toMatchObject({ execution: 'subset', ms: { subset: 11, mask: 11 } });
  });

  test('one site runs at a time, either way as often, and each goes first in turn', () => {
    const time = machine(2);
    chooseExecution(model, forward, { policy, rows, time, repeats: 4 });
    const running = time.plans.map(({ sites }) =>
      sites
        .filter(({ kept }) => kept)
        .map((site) => site.name)
        .join(),
    );
    expect(running).toEqual(['0', '1', '2', '3'].flatMap((name) => new Array<string>(2 + 2 * 4).fill(name)));
    const ways = time.plans.slice(0, 10).map(({ sites }) => sites[0]?.execution);
    expect(ways.join(' ')).toBe('subset mask subset mask mask subset subset mask mask subset');
    for (const { sites } of time.plans) {
      expect(sites.filter(({ execution }) => execution === 'mask').length).toBeLessThanOrEqual(1);
      expect(sites.filter(({ rows: some }) => some !== null)).toHaveLength(1);
    }
  });

  test.each(['random', 'window', 'independent'] as const)('measures %s rows as the policy draws them', (kind) => {
    const time = machine(2);
    chooseExecution(model, forward, {
      policy: Policy({ ...policy, rows: kind, count: kind === 'independent' ? null : 'unbiased' }),
      rows,
      time,
    });
    const some = time.plans[0]?.sites[0]?.rows;
    expect(some !== null && some !== undefined && 'index' in some).toBe(kind !== 'window');
  });

  test('where all rows or none are kept, nothing is measured', () => {
    const time = machine(2);
    const list = Policy({ rates: [0, 1, 0, 0.5], schedule: 'list', unit: 'row', execution: 'auto' });
    const choices = chooseExecution(model, forward, { policy: list, rows, time });
    expect(choices.map(({ execution, ms }) => [execution, ms === null])).toEqual([
      ['subset', true],
      ['subset', true],
      ['subset', true],
      ['subset', false],
    ]);
    expect(choices[1]?.why).toBe('0 of 64 rows are kept: nothing to leave out');
  });

  test('a block is gated, and what the policy names is left', () => {
    const never: StepTimer = () => {
      throw new Error('measured');
    };
    const of = (options: Parameters<typeof Policy>[0]) =>
      chooseExecution(model, forward, { policy: Policy(options), rows, time: never })[0];
    expect(of({ drop: 0.5, execution: 'auto' })).toMatchObject({ execution: 'gate', ms: null });
    expect(of({ drop: 0.5, execution: 'mask' })).toMatchObject({ execution: 'mask', why: 'the policy says so' });
    expect(of({ drop: 0.5, unit: 'row' })).toMatchObject({ execution: 'subset' });
  });

  test('refuses counts that make no sense', () => {
    expect(() => chooseExecution(model, forward, { policy, rows: 0 })).toThrow(
      'chooseExecution: rows: expected a whole number from 1, got 0',
    );
    expect(() => chooseExecution(model, forward, { policy, rows, repeats: 0 })).toThrow('chooseExecution: repeats');
  });
});

describe('settleExecution', () => {
  const sites = rateSites(policy, ['0', '1', '2', '3']);
  const plan = drawPlan(policy, sites, { key: rootKey(1), step: 3, rows });
  const choices = chooseExecution(model, forward, { policy, rows, time: machine(2) });

  test('gives each site its choice and changes nothing else', () => {
    const settled = settleExecution(plan, choices);
    expect(settled.sites.map(({ execution }) => execution)).toEqual(['mask', 'subset', 'subset', 'subset']);
    const back = { ...settled, sites: settled.sites.map((site) => ({ ...site, execution: 'auto' })) };
    expect(back).toEqual(plan);
    expect([settled, settled.sites, settled.sites[0]].every(Object.isFrozen)).toBe(true);
  });

  test('leaves what is already settled', () => {
    const mask = Policy({ ...policy, execution: 'mask' });
    const masked = drawPlan(mask, sites, { key: rootKey(1), step: 3, rows });
    expect(settleExecution(masked, [])).toEqual(masked);
  });

  test('needs a choice for each site', () => {
    expect(() => settleExecution(plan, choices.slice(1))).toThrow(
      "settleExecution: expected a choice for the site '0', got those of 3 others",
    );
  });
});
