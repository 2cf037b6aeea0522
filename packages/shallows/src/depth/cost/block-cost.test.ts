import { full, randn, scope, stats, type Tensor } from '@shallows/torch';
import { describe, expect, test } from 'vitest';
import { BatchNorm2d, evaluation, Linear, Module, type Pass, Sequential } from '../../nn/index.js';
import { deriveKey, rootKey } from '../../random/index.js';
import { type Plan, Policy, placesOf, rateSites, residual, Site } from '../index.js';
import { findSites } from '../policy/find-sites.js';
import { expectedCost, measureCosts } from './block-cost.js';
import { rateForSaving } from './block-cost-rate.js';
import type { StepTimer } from './block-cost-timer.js';
import { measureWork } from './work.js';

const key = rootKey(3);

class Block extends Module {
  readonly site = new Site('mlp');
  readonly wide: Linear;
  readonly narrow: Linear;

  constructor(width: number, name: number) {
    super();
    this.wide = new Linear(8, width, { key: deriveKey(key, name, 'wide') });
    this.narrow = new Linear(width, 8, { key: deriveKey(key, name, 'narrow') });
  }

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return residual(this, x, pass);
  }

  branch(x: Tensor): Tensor {
    return this.narrow.forward(this.wide.forward(x).relu());
  }

  shortcut(x: Tensor): Tensor {
    return x;
  }
}

class Normed extends Module {
  readonly site = new Site('norm');
  readonly norm = new BatchNorm2d(3);

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return residual(this, x, pass);
  }

  branch(x: Tensor, pass: Pass): Tensor {
    return this.norm.forward(x, pass);
  }

  shortcut(x: Tensor): Tensor {
    return x;
  }
}

const blocks = (...widths: number[]): Sequential => new Sequential(...widths.map((width, i) => new Block(width, i)));
const forwardOf =
  (model: Sequential, rows = 4) =>
  (pass: Pass): Tensor =>
    model.forward(full([rows, 8], 0.5), pass);

/** A machine on which site i takes `costs[i]` forward and twice that backward, the rest 5 and 10, everything times a drift. */
function machine(costs: readonly number[], drift = (_step: number): number => 1): StepTimer & { plans: Plan[] } {
  const plans: Plan[] = [];
  const time = (plan: Plan) => {
    const forward = plan.sites.reduce((sum, { kept }, i) => sum + (kept ? (costs[i] ?? 0) : 0), 5);
    const slower = drift(plans.push(plan));
    return { forwardMs: slower * forward, backwardMs: slower * 2 * forward };
  };
  return Object.assign(time, { plans });
}

describe('measureCosts', () => {
  const widths = [16, 32, 64];

  test('takes each branch apart, forward and backward, and what remains', () => {
    using model = blocks(...widths);
    const costs = measureCosts(model, forwardOf(model), { time: machine([1, 2, 4]) });
    expect(costs.sites).toEqual([
      { name: '0', forwardMs: 1, backwardMs: 2, ms: 3, flops: 4 * 4 * 8 * 16 },
      { name: '1', forwardMs: 2, backwardMs: 4, ms: 6, flops: 4 * 4 * 8 * 32 },
      { name: '2', forwardMs: 4, backwardMs: 8, ms: 12, flops: 4 * 4 * 8 * 64 },
    ]);
    expect(costs.rest).toEqual({ forwardMs: 5, backwardMs: 10, ms: 15 });
    expect(costs.full).toEqual({ forwardMs: 12, backwardMs: 24, ms: 36 });
    expect(costs.repeats).toBe(5);
    expect(costs.work.totalFlops).toBe(4 * 4 * 8 * (16 + 32 + 64));
    expect(JSON.parse(JSON.stringify(costs))).toEqual(costs);
  });

  test('a pause of the machine now and then does not move the medians', () => {
    using model = blocks(...widths);
    const time = machine([1, 2, 4], (step) => (step % 4 === 3 ? 50 : 1));
    const { sites, rest } = measureCosts(model, forwardOf(model), { time, repeats: 9 });
    expect([...sites.map(({ ms }) => ms), rest.ms]).toEqual([3, 6, 12, 15]);
  });

  test('a branch that seems to take less than nothing takes nothing', () => {
    using model = blocks(...widths);
    expect(measureCosts(model, forwardOf(model), { time: machine([-1, 2, 4]) }).sites[0]?.ms).toBe(0);
  });

  test('times the step without branches often enough, and says how far it is', () => {
    using model = blocks(...Array.from({ length: 20 }, () => 2));
    const time = machine(Array.from({ length: 20 }, () => 1));
    const heard: number[] = [];
    const onProgress = (share: number): unknown => heard.push(share);
    measureCosts(model, forwardOf(model), { time, repeats: 2, warmup: 1, onProgress });
    expect(time.plans.filter(({ sites }) => sites.every(({ kept }) => !kept))).toHaveLength(1 + 2 * 3);
    expect(time.plans.filter(({ sites }) => sites.every(({ kept }) => kept))).toHaveLength(1 + 2);
    expect(time.plans).toHaveLength(2 + 2 * (1 + 20 + 3));
    expect([heard.length, heard.at(-1)]).toEqual([40, 1]);
  });

  test('begins no repeat after the limit, but always one', () => {
    using model = blocks(...widths);
    expect(measureCosts(model, forwardOf(model), { time: machine([1, 2, 4]), limitMs: 0 }).repeats).toBe(1);
  });

  test('leaves weights, running means, gradients and rates as they were, and no tensor behind', () => {
    using model = new Sequential(new Normed(), new Normed(), new Normed());
    const x = randn([2, 3, 4, 4]);
    scope(() => model.forward(x).sum().backward());
    const values = (): unknown => [
      Object.values(model.stateDict()).map((each) => scope(() => each.toArray())),
      model.parameters().map((each) => scope(() => each.grad?.toArray())),
      findSites(model).map(({ drop, evaluationScale }) => [drop, evaluationScale]),
    ];
    const before = values();
    const held = stats().liveTensors;
    const costs = scope(() => measureCosts(model, (pass) => model.forward(x, pass), { repeats: 1 }));
    expect(costs.sites.map(({ name }) => name)).toEqual(['0', '1', '2']);
    expect(values()).toEqual(before);
    expect(stats().liveTensors).toBe(held);
    x.dispose();
  });

  test('refuses counts and models that make no sense', () => {
    using model = blocks(2);
    expect(() => measureCosts(model, forwardOf(model), { repeats: 0 })).toThrow(
      'measureCosts: repeats: expected a whole number from 1, got 0',
    );
    expect(() => measureCosts(model, forwardOf(model), { warmup: 0.5 })).toThrow('warmup: expected a whole number');
    using none = new Sequential();
    expect(() => measureCosts(none, forwardOf(none))).toThrow('measureCosts: expected a model with sites, got none');
  });
});

describe('expectedCost', () => {
  const model = blocks(16, 32, 64);
  const forward = forwardOf(model);
  const costs = measureCosts(model, forward, { time: machine([1, 2, 4]) });
  const rated = rateSites(Policy({ drop: 0.6 }), ['0', '1', '2']);

  test('in milliseconds: rest + Σ keep · cost', () => {
    const { full, expected, saved } = expectedCost(costs, rated);
    expect(full).toBe(36);
    expect(expected).toBeCloseTo(15 + 0.8 * 3 + 0.6 * 6 + 0.4 * 12, 12);
    expect(saved).toBeCloseTo(1 - expected / 36, 12);
  });

  test('in FLOPs: the share that a report of a run calls ideal', () => {
    const work = measureWork(forward);
    const { full, saved } = expectedCost(work, rated);
    expect(full).toBe(work.totalFlops);
    expect(saved).toBeCloseTo((0.2 * 16 + 0.4 * 32 + 0.6 * 64) / (16 + 32 + 64), 12);
  });

  test('needs every site', () => {
    expect(() => expectedCost(costs, [{ name: '7', drop: 0.1 }])).toThrow(
      "expected the cost of the site '7', got none",
    );
  });
});

describe('rateForSaving', () => {
  const model = blocks(16, 16, 16, 16);
  const forward = forwardOf(model);
  const places = placesOf(findSites(model));
  const costs = measureCosts(model, forward, { time: machine([1, 1, 1, 1]) });

  test('by FLOPs of equal blocks: the mean rate is the share', () => {
    // Linear over four blocks: p · (1 + 2 + 3 + 4) / 16.
    const { drop, policy, sites, saved } = rateForSaving(0.25, Policy({ drop: 0.9 }), places, measureWork(forward));
    expect(drop).toBeCloseTo(0.4, 12);
    expect(saved).toBeCloseTo(0.25, 12);
    expect(policy).toEqual({ ...Policy({ drop: 0.9 }), drop });
    expect(sites.map((site) => site.drop)).toEqual(rateSites(policy, places).map((site) => site.drop));
  });

  test('by time: what remains is never saved, so the rate is higher', () => {
    // 12 of 27 ms are in the blocks: p · 10 / 16 · 12 / 27 = 0.25.
    const { drop, sites, saved } = rateForSaving(0.25, Policy({ drop: 0.1 }), places, costs);
    expect(drop).toBeCloseTo(0.9, 12);
    expect(saved).toBeCloseTo(0.25, 12);
    expect(expectedCost(costs, sites).saved).toBeCloseTo(0.25, 12);
  });

  test.each([
    Policy({ drop: 0, schedule: 'uniform' }),
    Policy({ rates: [0, 0.1, 0.2, 0.1], schedule: 'list' }),
    Policy({ kinds: { mlp: 0.1 } }),
    Policy({ drop: 0.3, protect: { first: 1 }, unit: 'row', rows: 'independent', scale: 'realised' }),
    Policy({ drop: 0.3, select: '1:', time: { kind: 'warmup', length: '2ep' } }),
  ])('keeps the rest of the policy %#', (policy) => {
    const found = rateForSaving(0.2, policy, places, costs);
    expect(expectedCost(costs, rateSites(found.policy, places)).saved).toBeCloseTo(0.2, 12);
    const { drop: _, kinds: __, rates: ___, ...others } = policy;
    expect(found.policy).toMatchObject(others);
    expect(found.policy.drop).toBe(found.drop);
  });

  test('lists and kinds grow in proportion', () => {
    const list = rateForSaving(0.2, Policy({ rates: [0, 0.1, 0.2, 0.1], schedule: 'list' }), places, costs);
    const [a = 0, b = 0, c = 0, d = 0] = list.sites.map(({ drop }) => drop);
    expect([a, b / c, d]).toEqual([0, expect.closeTo(0.5, 12) as number, b]);
  });

  test('says how much can be saved where that is too little', () => {
    expect(() => rateForSaving(0.4, Policy({ drop: 0.5 }), places, costs)).toThrow(
      'rateForSaving: expected a policy that can save 40.0 %, got one that saves 27.8 % at rate 1',
    );
  });

  test.each<[number, Policy, string]>([
    [0, Policy({ drop: 0.5 }), 'expected a share above 0 and below 1, got 0'],
    [25, Policy({ drop: 0.5 }), 'got 25 - write 0.25'],
    [Number.NaN, Policy({ drop: 0.5 }), 'got NaN'],
    [0.1, Policy({ drop: 0.5, budget: 1 }), 'expected a policy without a budget, got 1'],
    [0.1, Policy({ drop: 0.5, execution: 'mask' }), "expected an execution that saves, got 'mask'"],
  ])('refuses %d of %#', (share, policy, message) => {
    expect(() => rateForSaving(share, policy, places, costs)).toThrow(message);
  });
});
