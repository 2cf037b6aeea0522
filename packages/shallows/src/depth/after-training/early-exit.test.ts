import { manualSeed, randn, scope, setNumThreads, type Tensor, trace } from '@shallows/torch';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { cifarResnet } from '../../models/cifar-resnet.js';
import { evaluation, Linear, Module, monteCarloPass, type Pass, Sequential, trainingPass } from '../../nn/index.js';
import { rootKey } from '../../random/key.js';
import { measureWork } from '../cost/work.js';
import { fixedPlan } from '../plan/plan.js';
import { withPlan } from '../plan/planned-pass.js';
import { applyPolicy } from '../policy/apply-policy.js';
import { findSites } from '../policy/find-sites.js';
import { Policy } from '../policy/policy.js';
import { type ResidualBlock, Site } from '../policy/site.js';
import { residual } from '../residual/residual.js';
import { earlyExit, exitCurve, skipSites } from './early-exit.js';

const key = rootKey(2);
const numbers = (x: Tensor): number[] => Array.from(x.toArray(), Number);

beforeAll(() => setNumThreads(1));
beforeEach(() => manualSeed(3));

/** x + factor · x on rows of one number, so that a model is the product of 1 + factor over the blocks that run. */
class Times extends Module implements ResidualBlock {
  readonly site: Site;
  readonly factor: number;

  constructor(factor: number, droppable = true) {
    super();
    this.factor = factor;
    this.site = new Site('times', { droppable });
  }

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return residual(this, x, pass);
  }

  branch(x: Tensor): Tensor {
    return x.mul(this.factor);
  }

  shortcut(x: Tensor): Tensor {
    return x;
  }
}

const product = (): Sequential => new Sequential(new Times(1), new Times(2), new Times(4), new Times(6));

describe('skipSites', () => {
  test('leaves out the named branches, in evaluation and in a Monte-Carlo pass', () => {
    scope(() => {
      const model = product();
      const x = randn([1]);
      const times = (pass: Pass): number => Math.round(Number(model.forward(x, pass).item()) / Number(x.item()));
      expect(times(evaluation)).toBe(2 * 3 * 5 * 7);
      expect(times(skipSites(model, ['1']))).toBe(2 * 5 * 7);
      expect(times(skipSites(model, new Set(['3', '0'])))).toBe(3 * 5);
      expect(times(skipSites(model, []))).toBe(2 * 3 * 5 * 7);
      expect(times(skipSites(model, ['2'], skipSites(model, ['3'])))).toBe(2 * 3);

      const policy = Policy({ drop: 0.5, scale: 'none' });
      const plan = fixedPlan(policy, applyPolicy(model, policy), ['0']);
      expect(times(skipSites(model, ['2'], withPlan(monteCarloPass({ key }), plan)))).toBe(3 * 7);
    });
  });

  test('a skipped branch costs nothing, and the block is its input itself', () => {
    scope(() => {
      const model = product();
      const x = randn([1]);
      const { result, calls } = trace(() => model.forward(x, skipSites(model, ['0', '1', '2', '3'])));
      expect(calls).toEqual([]);
      expect(result).toBe(x);
    });
  });

  test('a block that changes shape is its shortcut', () => {
    scope(() => {
      const model = cifarResnet({ depth: 8, classes: 3, key });
      const x = randn([1, 3, 8, 8]);
      const names = findSites(model).map(({ name }) => name);
      const { calls } = trace(() => model.forward(x, skipSites(model, names)));
      expect(calls.map(({ op }) => op).filter((op) => op === 'aten::conv2d')).toHaveLength(1);
      const work = measureWork((pass) => model.forward(x, skipSites(model, ['layer2.0'], pass)));
      expect(Object.keys(work.branchFlops)).toEqual(['layer1.0', 'layer3.0']);
      const whole = measureWork((pass) => model.forward(x, pass));
      expect(work.totalFlops).toBe(whole.totalFlops - Number(whole.branchFlops['layer2.0']));
    });
  });

  test('errors', () => {
    const model = new Sequential(product(), new Times(1, false));
    expect(() => skipSites(model, ['0.9'])).toThrow(
      'skipSites: expected the name of a site, got "0.9", did you mean \'0.0\'? - use a name of findSites',
    );
    expect(() => skipSites(model, ['1'])).toThrow(
      "expected sites with a shortcut, got '1', which has none - leave it out",
    );
    expect(() => skipSites(model, ['0.1'], trainingPass({ key }))).toThrow(
      'skipSites: expected an evaluation or Monte-Carlo pass, got a training pass - drop in training with fixedPlan',
    );
  });
});

describe('earlyExit', () => {
  test('runs the first sites, and what follows the blocks', () => {
    scope(() => {
      const head = new Linear(1, 1, { key });
      const model = new Sequential(product(), new Times(9, false), head);
      const x = randn([1]);
      const values = exitCurve(model, (pass) => numbers(model.forward(x, pass)));
      expect(values.map(({ active }) => active)).toEqual([0, 1, 2, 3, 4]);
      for (const [i, times] of [1, 2, 2 * 3, 2 * 3 * 5, 2 * 3 * 5 * 7].entries()) {
        expect(values[i]?.value).toBeAllclose(numbers(head.forward(x.mul(10 * times))));
      }
      expect(numbers(model.forward(x, earlyExit(model, 2)))).toEqual(values[2]?.value);
    });
  });

  test('counts that are given, in their order', () => {
    const model = product();
    const seen: Pass[] = [];
    const points = exitCurve(model, (pass) => seen.push(pass), [4, 1]);
    expect(points).toEqual([
      { active: 4, value: 1 },
      { active: 1, value: 2 },
    ]);
    expect(seen).toHaveLength(2);
    expect(() => exitCurve(model, (pass) => seen.push(pass), [0, 5])).toThrow(
      'earlyExit: expected a number of sites from 0 to 4, got 5 - count the sites that run',
    );
    expect(seen).toHaveLength(2);
    for (const count of [-1, 1.5, Number.NaN]) expect(() => earlyExit(model, count)).toThrow('earlyExit: expected');
  });
});
