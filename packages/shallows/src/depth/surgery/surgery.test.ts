import { ones, scope, type Tensor, trace } from '@shallows/torch';
import { describe, expect, test } from 'vitest';
import { evaluation, Linear, Module, type Pass, Sequential, trainingPass } from '../../nn/index.js';
import { deriveKey, type Key, rootKey } from '../../random/index.js';
import { drawPlan } from '../plan/plan.js';
import { withPlan } from '../plan/planned-pass.js';
import { PolicyError } from '../policy/error.js';
import { type ResidualBlock, Site } from '../policy/site.js';
import { presets } from '../presets/presets.js';
import { DepthLedger } from '../proof/ledger.js';
import { residual } from '../residual/residual.js';
import { type AppliedDepth, applyStochasticDepth } from './surgery.js';

const key = rootKey(4);
const ratesOf = ({ sites }: AppliedDepth): [string, number][] => sites.map(({ name, drop }) => [name, drop]);

/** One of the library's own kind. */
class OwnBlock extends Module implements ResidualBlock {
  readonly site: Site;
  readonly inner: Linear;

  constructor(kind: string, blockKey: Key) {
    super();
    this.site = new Site(kind);
    this.inner = new Linear(4, 4, { key: blockKey });
  }

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return residual(this, x, pass);
  }

  branch(x: Tensor): Tensor {
    return this.inner.forward(x);
  }

  shortcut(x: Tensor): Tensor {
    return x;
  }
}
class OtherBlock extends OwnBlock {}

const stack = (): Sequential =>
  new Sequential(
    ...[0, 1, 2, 3].map((i) => new (i % 2 === 0 ? OwnBlock : OtherBlock)('own', deriveKey(key, i))),
    new OwnBlock('last', key),
  );

describe("on the library's own blocks", () => {
  test('all sites by default, at 0.2, linear', () => {
    const model = stack();
    const applied = applyStochasticDepth(model);
    expect(ratesOf(applied)).toEqual([0, 1, 2, 3, 4].map((i) => [String(i), 0.2 * ((i + 1) / 5)]));
    expect(applied.adapted).toEqual([]);
    expect(applied.policy).toMatchObject({ unit: 'block', schedule: 'linear', scale: 'inverted', ranks: 'shared' });
    expect(Object.isFrozen(applied.sites)).toBe(true);
  });

  test.each<[string, string | string[], number[]]>([
    ['a class', 'OtherBlock', [0, 0.2, 0, 0.4, 0]],
    ['a kind', 'last', [0, 0, 0, 0, 0.4]],
    ['a path', '2', [0, 0, 0.4, 0, 0]],
    ['a pattern', '*', [0.08, 0.16, 0.24, 0.32, 0.4]],
    ['several', ['OtherBlock', 'last'], [0, 0.4 / 3, 0, 0.4 * (2 / 3), 0.4]],
  ])('%s: the schedule counts the targeted sites alone, the others have 0', (_, target, expected) => {
    const { sites } = applyStochasticDepth(stack(), { target, dropRate: 0.4 });
    expect(sites.map(({ drop }) => drop)).toHaveLength(5);
    sites.forEach(({ drop, layer }, i) => {
      expect(drop).toBeCloseTo(expected[i] ?? Number.NaN, 15);
      expect(layer).toBe(i);
    });
  });

  test('patterns match between dots, and all below a path', () => {
    const model = new Sequential(stack(), stack());
    const rated = (target: string): string[] =>
      applyStochasticDepth(model, { target, dropRate: 0.5, dropDistribution: 'uniform' })
        .sites.filter(({ drop }) => drop > 0)
        .map(({ name }) => name);
    expect(rated('1')).toEqual(['1.0', '1.1', '1.2', '1.3', '1.4']);
    expect(rated('*.3')).toEqual(['0.3', '1.3']);
    expect(rated('1.*')).toEqual(['1.0', '1.1', '1.2', '1.3', '1.4']);
    expect(() => rated('*.*.*')).toThrow('got "*.*.*"');
    expect(() => rated('1.')).toThrow('got "1."');
  });

  test('training drops what the plan says, and the ledger sees it', () => {
    scope(() => {
      const model = stack();
      const { policy, sites } = applyStochasticDepth(model, {
        target: 'OtherBlock',
        dropRate: 1,
        dropDistribution: 'uniform',
      });
      const pass = withPlan(trainingPass({ key }), drawPlan(policy, sites, { key, step: 0 }));
      const { calls } = trace(() => model.forward(ones([2, 4]), pass));
      expect(calls.filter(({ op }) => op === 'shallows::linear')).toHaveLength(3);
      expect(new DepthLedger().record(pass)).toEqual({ active: 3, sites: 5 });
    });
  });

  test('applied again: the last holds, also from 0; undo gives back the earlier rates, in order', () => {
    const model = stack();
    const site = model[Symbol.iterator]().next().value;
    if (!(site instanceof OwnBlock)) throw new Error('no block');
    const zero = applyStochasticDepth(model, { dropRate: 0 });
    expect(site.site.drop).toBe(0);
    const paper = applyStochasticDepth(model, { dropRate: 0.5, dropDistribution: 'uniform', scale: 'paper' });
    expect([site.site.drop, site.site.evaluationScale]).toEqual([0.5, 0.5]);
    const top = applyStochasticDepth(model, { target: 'last', dropRate: 0.3 });
    expect([site.site.drop, site.site.evaluationScale]).toEqual([0, 1]);
    expect(() => paper.undo()).toThrow('undo: expected the last stochastic depth of the model');
    top.undo();
    expect([site.site.drop, site.site.evaluationScale]).toEqual([0.5, 0.5]);
    paper.undo();
    paper.undo();
    expect([site.site.drop, site.site.evaluationScale]).toEqual([0, 1]);
    zero.undo();
    expect(site.site.drop).toBe(0);
  });

  test('reads as a table', () => {
    expect(String(applyStochasticDepth(stack(), { dropRate: 0.5, target: ['OtherBlock'] }))).toBe(
      [
        'stochastic depth by block, linear, inverted: 4.25 of 5 branches run on average',
        '  0  own   0',
        '  1  own   0.25',
        '  2  own   0',
        '  3  own   0.5',
        '  4  last  0',
      ].join('\n'),
    );
  });

  test('a block that cannot be dropped counts as a layer after its neighbour, though it does not run through residual', () => {
    class Wide extends Module {
      readonly site = new Site('wide', { droppable: false });

      override forward(x: Tensor): Tensor {
        return x.mul(2);
      }
    }
    class Crossed extends Module {
      readonly second = new OwnBlock('own', key);
      readonly wide = new Wide();
      readonly first = new OwnBlock('own', key);

      override forward(x: Tensor, pass: Pass = evaluation): Tensor {
        return this.wide.forward(this.second.forward(this.first.forward(x, pass), pass));
      }
    }
    const { sites } = applyStochasticDepth(new Crossed(), { dropRate: 0.6, example: ones([1, 4]) });
    expect(sites.map(({ name, layer, drop }) => [name, layer, drop])).toEqual([
      ['first', 0, 0.6 * (1 / 3)],
      ['second', 1, 0.6 * (2 / 3)],
    ]);
  });
});

describe('what must not be silent', () => {
  test('a target that means nothing, with what there is', () => {
    const model = stack();
    expect(() => applyStochasticDepth(model, { target: 'OwnBlok' })).toThrow(
      'applyStochasticDepth: expected a block class, a kind or a path of the model, got "OwnBlok", did you mean \'OwnBlock\'? - ' +
        'name OwnBlock (kind own) at 0, 2; OtherBlock (kind own) at 1, 3; OwnBlock (kind last) at 4',
    );
    expect(() => applyStochasticDepth(model, { target: ['OwnBlock', 'nothing'] })).toThrow('got "nothing"');
    expect(() => applyStochasticDepth(model, { target: [] })).toThrow('got an empty list');
    expect(() => applyStochasticDepth(model, { target: '' })).toThrow('got ""');
    expect(() => applyStochasticDepth(model, { target: 3 as unknown as string })).toThrow('got 3');
    // Linear holds no module, so it is no block to propose.
    expect(() => applyStochasticDepth(model, { target: 'Linear' })).toThrow(/got "Linear" - name OwnBlock/);
  });

  test('all wrong options at once, by the names under which they were given', () => {
    const problemsOf = (options: object): string[] => {
      try {
        applyStochasticDepth(stack(), options);
      } catch (error) {
        if (error instanceof PolicyError) return error.problems.map(({ field }) => field).toSorted();
        throw error;
      }
      return [];
    };
    const wrong = { dropRate: 2, method: 'rows', dropDistribution: 'liner', dropWarmup: '10', droprate: 1 };
    expect(problemsOf(wrong)).toEqual(['dropDistribution', 'dropRate', 'dropWarmup', 'droprate', 'method']);
    expect(problemsOf({ dropRate: 0.1, drop: 0.1, sameSeedOnAllRanks: 1, scale: 'papr' })).toEqual([
      'dropRate',
      'sameSeedOnAllRanks',
      'scale',
    ]);
    expect(problemsOf({ dropRate: Number.NaN })).toEqual(['dropRate']);
    expect(problemsOf({ drop: Number.NaN })).toEqual(['drop']);
    expect(problemsOf({ rates: [0.1] })).toEqual(['rates']);
  });
});

test('options are those of a policy too, and presets can be spread', () => {
  const applied = applyStochasticDepth(stack(), {
    ...presets.composer({ drop: 0.4, method: 'sample' }),
    target: 'OwnBlock',
    dropWarmup: undefined,
  });
  expect(applied.policy).toEqual(presets.composer({ drop: 0.4, method: 'sample' }));
  const words = { dropWarmup: '10ep', sameSeedOnAllRanks: false, protect: { first: 1 }, optimizer: 'zero' } as const;
  expect(applyStochasticDepth(stack(), words).policy).toMatchObject({
    time: { kind: 'warmup', length: '10ep' },
    ranks: 'independent',
    protect: { first: 1, last: 0 },
    optimizer: 'zero',
    drop: 0.2,
  });
  const budget = applyStochasticDepth(stack(), { dropRate: 0.5, budget: 2 });
  expect(budget.sites.reduce((sum, { drop }) => sum + drop, 0)).toBeCloseTo(2, 12);
});
