import { flops, ones, ops, randn, scope, stats, type Tensor, tensor, trace } from '@shallows/torch';
import { describe, expect, test } from 'vitest';
import { evaluation, monteCarloPass, type Pass, trainingPass } from '../../nn/pass.js';
import { rootKey } from '../../random/key.js';
import { measureWork } from '../cost/work.js';
import { drawPlan, fixedPlan } from '../plan/plan.js';
import { planSlot, withPlan } from '../plan/planned-pass.js';
import { applyPolicy } from '../policy/apply-policy.js';
import { Policy, type PolicyOptions } from '../policy/policy.js';
import { type ResidualBlock, Site } from '../policy/site.js';
import { DepthLedger } from '../proof/ledger.js';
import { residual } from './residual.js';

const values = (x: Tensor | null): number[] | null => x && Array.from(x.toArray(), Number);
const closeTo = (x: Tensor, expected: readonly number[]): void =>
  values(x)?.forEach((value, i) => expect(value).toBeCloseTo(expected[i] ?? Number.NaN, 6));

/** A block `shortcut + weight · x` that counts its calls. */
class Scaled implements ResidualBlock {
  readonly site = new Site('scaled');
  readonly weight: Tensor;
  calls = 0;

  constructor(weight: readonly number[]) {
    this.weight = tensor([...weight], { requiresGrad: true });
  }

  branch(x: Tensor): Tensor {
    this.calls++;
    return x.mul(this.weight);
  }

  shortcut(x: Tensor): Tensor {
    return x;
  }
}

function bound(block: ResidualBlock, options: PolicyOptions): { kept: Pass; dropped: Pass } {
  block.site.name = 'block';
  const policy = Policy(options);
  const sites = applyPolicy([block.site], policy);
  const pass = trainingPass({ key: rootKey(1) });
  return {
    kept: options.drop === 1 ? pass : withPlan(pass, fixedPlan(policy, sites, [])),
    dropped: withPlan(pass, fixedPlan(policy, sites, ['block'])),
  };
}

describe('the vectors of section 12', () => {
  // shortcut [.2 .1 .4], branch [.2 .4 .5], survival .5 (TensorFlow Addons)
  const fixed = (): ResidualBlock => ({
    site: new Site('fixed'),
    branch: () => tensor([0.2, 0.4, 0.5]),
    shortcut: () => tensor([0.2, 0.1, 0.4]),
  });
  const x = tensor([0, 0, 0]);

  test('paper: evaluation counts half the branch, a kept branch counts whole, a dropped one not', () => {
    const block = fixed();
    const { kept, dropped } = bound(block, { drop: 0.5, schedule: 'uniform', scale: 'paper' });
    closeTo(residual(block, x), [0.3, 0.3, 0.65]);
    closeTo(residual(block, x, kept), [0.4, 0.5, 0.9]);
    closeTo(residual(block, x, dropped), [0.2, 0.1, 0.4]);
  });

  test('inverted: a kept branch counts twice, evaluation is plain', () => {
    const block = fixed();
    const { kept, dropped } = bound(block, { drop: 0.5, schedule: 'uniform' });
    closeTo(residual(block, x), [0.4, 0.5, 0.9]);
    closeTo(residual(block, x, kept), [0.6, 0.9, 1.4]);
    closeTo(residual(block, x, dropped), [0.2, 0.1, 0.4]);
  });
});

describe('gradients', () => {
  test('kept: scale times upstream into the branch, 1 + scale · weight into the input', () => {
    const block = new Scaled([3, -1]);
    const { kept } = bound(block, { drop: 0.75, schedule: 'uniform' });
    const x = tensor([2, 5], { requiresGrad: true });
    residual(block, x, kept).backward(tensor([10, 100]));
    expect(values(block.weight.grad)).toEqual([4 * 10 * 2, 4 * 100 * 5]);
    expect(values(x.grad)).toEqual([10 * (1 + 4 * 3), 100 * (1 - 4)]);
  });

  test('dropped: none into the branch, exactly the upstream one through the shortcut', () => {
    const block = new Scaled([3, -1]);
    const { dropped } = bound(block, { drop: 0.75, schedule: 'uniform' });
    const x = tensor([2, 5], { requiresGrad: true });
    residual(block, x, dropped)
      .mul(tensor([10, 100]))
      .backward(ones([2]));
    expect(block.calls).toBe(0);
    expect(block.weight.grad).toBeNull();
    expect(values(x.grad)).toEqual([10, 100]);
  });
});

describe('a dropped branch', () => {
  test('is not called, and without a projection the block returns its input itself', () => {
    const block = new Scaled([1]);
    const { dropped } = bound(block, { drop: 0.5, schedule: 'uniform' });
    const x = tensor([7]);
    expect(residual(block, x, dropped)).toBe(x);
    expect(block.calls).toBe(0);
    expect(x.disposed).toBe(false);
  });

  test('moves no batch statistics; a kept one does', () => {
    const mean = tensor([0, 0]);
    const variance = tensor([1, 1]);
    const block: ResidualBlock = {
      site: new Site('normed'),
      branch: (x, pass) => ops.aten.batch_norm(x, null, null, mean, variance, pass.training, 0.1, 1e-5, false),
      shortcut: (x) => x,
    };
    const { kept, dropped } = bound(block, { drop: 0.5, schedule: 'uniform' });
    const x = tensor([
      [1, 2],
      [3, 6],
    ]);
    residual(block, x, dropped);
    expect([values(mean), values(variance)]).toEqual([
      [0, 0],
      [1, 1],
    ]);
    residual(block, x, kept);
    expect(values(mean)).not.toEqual([0, 0]);
  });

  test('NaN in a dropped branch does not leak', () => {
    const block = new Scaled([Number.NaN]);
    const { dropped } = bound(block, { drop: 0.5, schedule: 'uniform' });
    expect(values(residual(block, tensor([7]), dropped))).toEqual([7]);
  });

  test('of rate 1 is never computed and never scaled by infinity, in training and in paper evaluation', () => {
    for (const scale of ['inverted', 'paper'] as const) {
      const block = new Scaled([1]);
      block.site.name = 'block';
      const policy = Policy({ drop: 1, scale });
      const sites = applyPolicy([block.site], policy);
      const pass = withPlan(trainingPass(), drawPlan(policy, sites, { key: rootKey(1), step: 0 }));
      expect(values(residual(block, tensor([7]), pass))).toEqual([7]);
      expect(block.calls).toBe(0);
      expect(values(residual(block, tensor([7])))).toEqual([scale === 'paper' ? 7 : 14]);
    }
  });
});

describe('rate 0', () => {
  test('is the plain block bit for bit and operator for operator, in training and evaluation', () => {
    const block = new Scaled([0.1, 0.7, 1 / 3]);
    const { kept } = bound(block, { drop: 0 });
    const x = randn([4, 3]);
    const plain = trace(() => x.add(x.mul(block.weight)));
    for (const pass of [kept, evaluation, trainingPass()]) {
      const traced = trace(() => residual(block, x, pass));
      expect(values(traced.result)).toEqual(values(plain.result));
      const written = traced.calls.map(({ op, overload, keywords }) => ({ op, overload, keywords }));
      expect(written).toEqual(plain.calls.map(({ op, overload, keywords }) => ({ op, overload, keywords })));
    }
  });

  test('a scale costs no operator: it is the alpha of the add', () => {
    const block = new Scaled([1]);
    const { kept } = bound(block, { drop: 0.5, schedule: 'uniform' });
    const { calls } = trace(() => residual(block, tensor([1]), kept));
    expect(calls.map(({ op }) => op).slice(-2)).toEqual(['aten::mul', 'aten::add']);
    expect(calls.at(-1)?.keywords).toEqual({ alpha: { kind: 'value', value: 2 } });
  });
});

describe('activation', () => {
  class Rectified extends Scaled {
    activations = 0;
    activation(sum: Tensor): Tensor {
      this.activations++;
      return ops.aten.relu_(sum);
    }
  }

  test('follows the sum, and not where the block is its own input', () => {
    const block = new Rectified([-3, 1]);
    const { kept, dropped } = bound(block, { drop: 0.5, schedule: 'uniform' });
    const x = tensor([1, -2]);
    expect(values(residual(block, x, kept))).toEqual([0, 0]);
    expect(values(residual(block, x))).toEqual([0, 0]);
    expect(block.activations).toBe(2);
    expect(residual(block, x, dropped)).toBe(x);
    expect(block.activations).toBe(2);
    expect(values(x)).toEqual([1, -2]);
  });

  test("'relu' is formed with the sum in training, with its scale, forward and backward", () => {
    class Relu extends Scaled {
      readonly activation = 'relu';
    }
    const block = new Relu([-3, 1, 2]);
    const { kept } = bound(block, { drop: 0.5, schedule: 'uniform' });
    const x = tensor([1, -2, 3], { requiresGrad: true });
    const { result, calls } = trace(() => residual(block, x, kept));
    expect(calls.map(({ op }) => op)).toEqual(['aten::mul', 'shallows::join_window']);
    // relu(x + 2 · weight · x)
    expect(values(result)).toEqual([0, 0, 15]);
    result.sum().backward();
    expect(values(x.grad)).toEqual([0, 0, 5]);
    expect(values(block.weight.grad)?.map(Math.abs)).toEqual([0, 0, 6]);
    expect(values(residual(block, x))).toEqual([0, 0, 9]);
  });

  test('follows a projected shortcut where the branch is dropped', () => {
    class Projected extends Rectified {
      override shortcut(x: Tensor): Tensor {
        return x.mul(2);
      }
    }
    const block = new Projected([-3, 1]);
    const { dropped } = bound(block, { drop: 0.5, schedule: 'uniform' });
    const x = tensor([1, -2]);
    expect(values(residual(block, x, dropped))).toEqual([2, 0]);
    expect(values(x)).toEqual([1, -2]);
  });
});

describe('what must not be silent', () => {
  const x = tensor([1]);

  test('a rate in training without a plan', () => {
    const block = new Scaled([1]);
    bound(block, { drop: 0.5, schedule: 'uniform' });
    expect(() => residual(block, x, trainingPass())).toThrow(
      "residual: expected a plan for the site 'block' (drop rate 0.5), got a training pass without one",
    );
  });

  test('a plan that does not know the site', () => {
    const block = new Scaled([1]);
    const { kept } = bound(block, { drop: 0.5, schedule: 'uniform' });
    block.site.name = 'layer9.9';
    expect(() => residual(block, x, kept)).toThrow("residual: expected a plan for the site 'layer9.9'");
    expect(() => residual(new Scaled([1]), x, kept)).toThrow('an unnamed scaled site');
  });

  test('shapes that differ, even where they would broadcast', () => {
    const site = new Site('basic');
    site.name = 'layer2.0';
    const block: ResidualBlock = { site, branch: () => ones([2, 3]), shortcut: () => ones([3]) };
    expect(() => residual(block, x)).toThrow("at the site 'layer2.0', got [3] and [2, 3] - project the shortcut");
  });

  test('a plan on an evaluation pass, with repeated sites, or with a scale that is not finite', () => {
    const block = new Scaled([1]);
    const { kept } = bound(block, { drop: 0.5, schedule: 'uniform' });
    const plan = kept.get(planSlot)?.plan;
    if (plan === undefined) throw new Error('no plan');
    const [site] = plan.sites;
    if (site === undefined) throw new Error('no site');
    expect(() => withPlan(evaluation, plan)).toThrow('withPlan: expected a training or Monte-Carlo pass');
    expect(() => withPlan(trainingPass(), { ...plan, sites: [site, site] })).toThrow("got 'block' twice");
    for (const scale of [Number.NaN, Number.POSITIVE_INFINITY, 0, -1]) {
      expect(() => withPlan(trainingPass(), { ...plan, sites: [{ ...site, scale }] })).toThrow('a positive scale');
    }
  });
});

test('evaluation never drops, whatever is attached to its pass', () => {
  const block = new Scaled([1]);
  const { dropped } = bound(block, { drop: 0.5, schedule: 'uniform' });
  const planned = dropped.get(planSlot);
  if (planned === undefined) throw new Error('no plan');
  expect(values(residual(block, tensor([3]), evaluation.with(planSlot, planned)))).toEqual([6]);
});

test('a Monte-Carlo pass follows its plan, and without one evaluates', () => {
  const block = new Scaled([1]);
  const { dropped } = bound(block, { drop: 0.5, schedule: 'uniform' });
  const plan = dropped.get(planSlot)?.plan;
  if (plan === undefined) throw new Error('no plan');
  const pass = monteCarloPass({ key: rootKey(1) });
  expect(values(residual(block, tensor([3]), withPlan(pass, plan)))).toEqual([3]);
  expect(values(residual(block, tensor([3]), pass))).toEqual([6]);
});

test('a replayed plan (from JSON) does the same', () => {
  const block = new Scaled([1]);
  const { kept } = bound(block, { drop: 0.3, schedule: 'uniform' });
  const plan = JSON.parse(JSON.stringify(kept.get(planSlot)?.plan));
  expect(values(residual(block, tensor([3]), withPlan(trainingPass(), plan)))).toEqual(
    values(residual(block, tensor([3]), kept)),
  );
});

test('temporaries of a block end with it, and gradients still flow', () => {
  const block = new Scaled([1, 2]);
  const { kept } = bound(block, { drop: 0.5, schedule: 'uniform' });
  const busy: ResidualBlock = {
    site: block.site,
    branch: (x) => [1, 2, 3].reduce((y) => y.mul(block.weight), x),
    shortcut: (x) => x.mul(x),
  };
  scope(() => {
    const x = tensor([1, 1]);
    const before = stats().liveTensors;
    const y = residual(busy, x, kept);
    expect(stats().liveTensors).toBe(before + 1);
    y.backward(ones([2]));
    expect(values(block.weight.grad)).toEqual([6, 24]);
  });
});

describe('measureWork', () => {
  test('counts each branch and the whole, whatever the policy', () => {
    const weight = ones([4, 4]);
    const head = ones([4, 2]);
    const make = (kind: string, times: number): ResidualBlock => ({
      site: new Site(kind),
      branch: (x) => Array.from({ length: times }).reduce<Tensor>((y) => ops.aten.mm(y, weight), x),
      shortcut: (x) => x,
    });
    const blocks = [make('one', 1), make('three', 3)];
    for (const [i, { site }] of blocks.entries()) site.name = `b${i}`;
    applyPolicy(
      blocks.map(({ site }) => site),
      Policy({ drop: 1, schedule: 'uniform', scale: 'paper' }),
    );
    const x = ones([5, 4]);
    const forward = (pass: Pass): Tensor =>
      ops.aten.mm(
        blocks.reduce((y, block) => residual(block, y, pass), x),
        head,
      );
    const live = stats().liveTensors;
    const work = measureWork(forward);
    expect(work).toEqual({ branchFlops: { b0: 160, b1: 480 }, totalFlops: 160 + 480 + 80 });
    expect(stats().liveTensors).toBe(live);
    expect(flops(trace(() => forward(evaluation)).calls)).toBe(80);
  });
});

test('the ledger counts what ran', () => {
  const block = new Scaled([1]);
  const { kept, dropped } = bound(block, { drop: 0.5, schedule: 'uniform' });
  const ledger = new DepthLedger();
  residual(block, tensor([1]), kept);
  residual(block, tensor([1]), kept);
  expect(ledger.record(kept)).toEqual({ active: 1, sites: 1 });
  residual(block, tensor([1]), dropped);
  expect(ledger.record(dropped)).toEqual({ active: 0, sites: 1 });
  expect(ledger.report().sites).toMatchObject([
    { name: 'block', requested: 0.5, realised: 0.5, opportunities: 2, dropped: 1 },
  ]);
});
