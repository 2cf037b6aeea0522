import { manualSeed, noGrad, randn, scope, setNumThreads, stats, type Tensor } from '@shallows/torch';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { cifarResnet } from '../../models/cifar-resnet.js';
import { preactResnet } from '../../models/preact-resnet.js';
import { resnet } from '../../models/resnet.js';
import { swin } from '../../models/swin.js';
import { transformerEncoder } from '../../models/transformer-encoder.js';
import { vit } from '../../models/vit.js';
import { evaluation, Linear, Module, type Pass, Sequential, trainingPass } from '../../nn/index.js';
import { rootKey } from '../../random/key.js';
import { drawPlan } from '../plan/plan.js';
import { withPlan } from '../plan/planned-pass.js';
import { applyPolicy } from '../policy/apply-policy.js';
import { findSites } from '../policy/find-sites.js';
import { Policy } from '../policy/policy.js';
import { type ResidualBlock, Site } from '../policy/site.js';
import { residual } from '../residual/residual.js';
import { skipSites } from './early-exit.js';
import { pruneSites, sitesToPrune } from './prune.js';
import type { StatefulTree } from './prune-blocks.js';
import { prunedStateDict } from './prune-state.js';
import { scoreSites } from './score.js';

const key = rootKey(6);
const numbers = (x: Tensor): number[] => Array.from(x.toArray(), Number);
const names = (model: StatefulTree): string[] => findSites(model).map(({ name }) => name);
const tinyVit = { size: 'ti', dim: 8, heads: 2, patch: 4, image: 8, classes: 3, key } as const;
const tinyStages = { classes: 3, key, stem: 'cifar', widths: [4, 4, 8, 8] } as const;

beforeAll(() => setNumThreads(1));
beforeEach(() => manualSeed(9));

/** Random values everywhere, so that no block is the identity by chance. */
function stir<T extends StatefulTree>(model: T): T {
  noGrad(() =>
    scope(() => {
      for (const [name, value] of Object.entries(model.stateDict())) {
        const noise = randn(value.shape).mul(0.2);
        if (value.dtype === 'float32') value.add_(name.endsWith('running_var') ? noise.abs() : noise);
      }
    }),
  );
  return model;
}

type Model = StatefulTree & { forward(x: Tensor, pass?: Pass): Tensor };

describe.each<[string, () => Model, readonly string[], readonly string[]]>([
  [
    'cifar-resnet',
    () => cifarResnet({ depth: 20, classes: 3, key }),
    ['layer1.0', 'layer1.1', 'layer3.1'],
    ['layer1.0', 'layer2.0', 'layer2.1', 'layer2.2', 'layer3.0', 'layer3.1'],
  ],
  [
    'cifar-resnet, a whole stage',
    () => cifarResnet({ depth: 14, classes: 3, key }),
    ['layer1.0', 'layer1.1'],
    ['layer2.0', 'layer2.1', 'layer3.0', 'layer3.1'],
  ],
  [
    'resnet',
    () => resnet({ ...tinyStages, depth: 34, blocks: [2, 1, 3, 1] }),
    ['layer1.0', 'layer3.1'],
    ['layer1.0', 'layer2.0', 'layer3.0', 'layer3.1', 'layer4.0'],
  ],
  [
    'resnet of bottlenecks',
    () => resnet({ ...tinyStages, depth: 50, blocks: [2, 1, 2, 1] }),
    ['layer1.1', 'layer3.1'],
    ['layer1.0', 'layer2.0', 'layer3.0', 'layer4.0'],
  ],
  [
    'preact-resnet',
    () => preactResnet({ ...tinyStages, depth: 34, blocks: [2, 2, 1, 1] }),
    ['layer1.0', 'layer2.1'],
    ['layer1.0', 'layer2.0', 'layer3.0', 'layer4.0'],
  ],
  [
    'vit, whose blocks have two sites and are in an array',
    () => vit({ ...tinyVit, depth: 4 }),
    ['blocks.0.attention', 'blocks.0.feedforward', 'blocks.2'],
    ['blocks.0.attention', 'blocks.0.feedforward', 'blocks.1.attention', 'blocks.1.feedforward'],
  ],
  [
    'swin, whose blocks are in a list in a list and not alike',
    () => swin({ size: 't', dim: 4, depths: [2, 2], heads: [1, 2], patch: 1, window: 2, classes: 3, key }),
    ['features.1.0', 'features.3.1'],
    ['features.1.0.attention', 'features.1.0.feedforward', 'features.3.0.attention', 'features.3.0.feedforward'],
  ],
])('%s', (_, make, drop, left) => {
  test('pruned it computes what it computes with these sites skipped, bit for bit, under new names', () => {
    scope(() => {
      const model = stir(make());
      const x = randn([2, 3, 8, 8]);
      const whole = numbers(model.forward(x));
      const skipped = sitesToPrune(model, { drop });
      const expected = numbers(model.forward(x, skipSites(model, skipped)));
      expect(expected).not.toEqual(whole);
      const { state, removed, renamed } = prunedStateDict(model, drop);
      expect(numbers(model.forward(x))).toEqual(whole);

      const sites = findSites(model).filter(({ name }) => !skipped.includes(name));
      const live = stats().liveTensors;
      const report = pruneSites(model, { drop });
      expect(report.sites).toEqual(skipped);
      expect({ removed: report.removed, renamed: report.renamed }).toEqual({ removed, renamed });
      expect(live - stats().liveTensors).toBe(removed.length);
      expect(sites.map(({ name }) => name)).toEqual(left);
      expect(names(model)).toEqual(left);
      expect(numbers(model.forward(x))).toEqual(expected);
      const after = model.stateDict();
      expect(Object.keys(after)).toEqual(Object.keys(state));
      for (const [name, tensor] of Object.entries(after)) expect(state[name]).toBe(tensor);

      // A fresh model that loses the same blocks takes the state.
      const other = make();
      pruneSites(other, { drop: report.blocks });
      (other as Model & Pick<Module, 'loadStateDict'>).loadStateDict(state);
      expect(numbers(other.forward(x))).toEqual(expected);
    });
  });
});

describe('prunedStateDict', () => {
  test('fits a model that was made with fewer blocks', () => {
    scope(() => {
      const model = stir(cifarResnet({ depth: 20, classes: 3, key }));
      const x = randn([2, 3, 8, 8]);
      const drop = ['layer1.0', 'layer2.1', 'layer3.2'];
      const { state, removed, renamed } = prunedStateDict(model, drop);
      const smaller = cifarResnet({ depth: 14, classes: 3, key: rootKey(1) });
      smaller.loadStateDict(state);
      expect(numbers(smaller.forward(x))).toEqual(numbers(model.forward(x, skipSites(model, drop))));
      expect(removed).toHaveLength(3 * 12);
      expect(removed).toContain('layer3.2.bn2.num_batches_tracked');
      expect(renamed['layer1.2.conv1.weight']).toBe('layer1.1.conv1.weight');
      expect(renamed['layer2.2.bn1.running_mean']).toBe('layer2.1.bn1.running_mean');
      expect(Object.keys(renamed)).toHaveLength(3 * 12);
      expect(state['layer1.1.conv1.weight']).toBe(model.stateDict()['layer1.2.conv1.weight']);

      const deep = stir(vit({ ...tinyVit, depth: 5 }));
      const shallow = vit({ ...tinyVit, depth: 2 });
      shallow.loadStateDict(prunedStateDict(deep, ['blocks.0', 'blocks.2', 'blocks.3']).state);
      const skipped = sitesToPrune(deep, { drop: ['blocks.0', 'blocks.2', 'blocks.3'] });
      expect(numbers(shallow.forward(x))).toEqual(numbers(deep.forward(x, skipSites(deep, skipped))));
    });
  });

  test('nothing to remove', () => {
    const model = cifarResnet({ depth: 8, classes: 3, key });
    expect(prunedStateDict(model, [])).toEqual({ state: model.stateDict(), removed: [], renamed: {} });
  });
});

describe('pruneSites', () => {
  test('what is left trains on, and a tenth block moves up as a number', () => {
    scope(() => {
      const model = cifarResnet({ depth: 68, classes: 3, key });
      pruneSites(model, { drop: ['layer1.1', 'layer1.9'] });
      expect(names(model).slice(0, 10)).toEqual([...Array.from({ length: 9 }, (_, i) => `layer1.${i}`), 'layer2.0']);
      expect(Object.keys(model.layer1.stateDict()).at(-1)).toBe('8.bn2.num_batches_tracked');
      const policy = Policy({ drop: 0.5 });
      const sites = applyPolicy(model, policy);
      const pass = withPlan(trainingPass({ key }), drawPlan(policy, sites, { key, step: 0 }));
      model
        .forward(randn([2, 3, 8, 8]), pass)
        .sum()
        .backward();
      expect(model.fc.weight.grad).not.toBeNull();
    });
  });

  test('by rate: the highest first', () => {
    const model = cifarResnet({ depth: 20, classes: 3, key });
    applyPolicy(model, Policy({ drop: 0.5 }));
    expect(sitesToPrune(model, { keepFraction: 1 })).toEqual([]);
    expect(sitesToPrune(model, { keepFraction: 0.75 })).toEqual(['layer3.1', 'layer3.2']);
    expect(sitesToPrune(model, { keepFraction: 2 / 3, by: 'rate' })).toEqual(['layer2.2', 'layer3.1', 'layer3.2']);
    // The two blocks that change shape stay.
    expect(sitesToPrune(model, { keepFraction: 2 / 9 })).toHaveLength(7);
    expect(names(model)).toHaveLength(9);
    expect(pruneSites(model, { keepFraction: 0.5 })).toMatchObject({
      blocks: ['layer2.1', 'layer2.2', 'layer3.1', 'layer3.2'],
    });
    expect(names(model)).toHaveLength(5);
  });

  test('by equal rates: every other block', () => {
    const model = vit({ ...tinyVit, depth: 8 });
    applyPolicy(model, Policy({ drop: 0.5, schedule: 'uniform' }));
    const blocks = (keepFraction: number): number[] => {
      const sites = sitesToPrune(model, { keepFraction });
      return [...new Set(sites.map((name) => Number(name.split('.')[1])))];
    };
    expect(blocks(0.5)).toEqual([1, 3, 5, 7]);
    expect(blocks(0.75)).toEqual([3, 7]);
    expect(blocks(0.25)).toEqual([1, 2, 3, 5, 6, 7]);
    expect(blocks(0)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(pruneSites(model, { keepFraction: 0.5 }).sites).toHaveLength(8);
    expect(names(model)).toHaveLength(8);
  });

  test('by score: the smallest increase first; a block has its own score or the sum of its sites', () => {
    const model = vit({ ...tinyVit, depth: 3 });
    const scored = (scores: Readonly<Record<string, number>>) => ({
      loss: 1,
      scores: Object.entries(scores).map(([name, increase]) => ({ name, increase, loss: 1 + increase })),
    });
    const bySite = scored({
      ...{ 'blocks.0.attention': 1, 'blocks.0.feedforward': 1, 'blocks.1.attention': -2, 'blocks.1.feedforward': 5 },
      ...{ 'blocks.2.attention': 0, 'blocks.2.feedforward': Number.POSITIVE_INFINITY },
    });
    expect(sitesToPrune(model, { keepFraction: 0.67, by: bySite })).toEqual([
      'blocks.0.attention',
      'blocks.0.feedforward',
    ]);
    const byBlock = scored({ 'blocks.0': 3, 'blocks.1': 2, 'blocks.2': 1 });
    expect(sitesToPrune(model, { keepFraction: 0.34, by: byBlock }).map((name) => name.slice(0, 8))).toEqual([
      ...['blocks.1', 'blocks.1', 'blocks.2', 'blocks.2'],
    ]);
    expect(() => sitesToPrune(model, { keepFraction: 0.5, by: scored({ 'blocks.0': 3 }) })).toThrow(
      "sitesToPrune: expected a score for the block 'blocks.1', got none - score this model with scoreSites",
    );
    let calls = 0;
    const scores = scoreSites(model, () => calls++, { unit: 'block' });
    expect(sitesToPrune(model, { keepFraction: 0.67, by: scores })).toEqual([
      'blocks.0.attention',
      'blocks.0.feedforward',
    ]);
  });
});

/** Runs its own layer beside the residual, before or after it. */
class Wrapped extends Module implements ResidualBlock {
  readonly site: Site;
  readonly inner: Linear;
  readonly #wrap: (block: Wrapped, x: Tensor, pass: Pass) => Tensor;

  constructor(inner: Linear, wrap: (block: Wrapped, x: Tensor, pass: Pass) => Tensor, droppable = true) {
    super();
    this.site = new Site('wrapped', { droppable });
    this.inner = inner;
    this.#wrap = wrap;
  }

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return this.#wrap(this, x, pass);
  }

  branch(x: Tensor): Tensor {
    return this.inner.forward(x);
  }

  shortcut(x: Tensor): Tensor {
    return x;
  }
}

describe('blocks that cannot be removed', () => {
  const linear = (): Linear => new Linear(4, 4, { key });
  const cannot = (blocks: string): string =>
    `pruneSites: expected blocks of a list that are their input without their branches, got ${blocks}, which change it`;

  test('are named, and nothing is changed', () => {
    const model = cifarResnet({ depth: 14, classes: 3, key });
    const before = Object.keys(model.stateDict());
    expect(() => pruneSites(model, { drop: ['layer1.0', 'layer3.0', 'layer2.0'] })).toThrow(
      `${cannot("'layer2.0', 'layer3.0'")} (a shortcut that projects, a norm outside of the branch) - leave them in`,
    );
    expect(() => prunedStateDict(model, ['layer2.0'])).toThrow(
      "prunedStateDict: expected blocks of a list that are their input without their branches, got 'layer2.0'",
    );
    expect(Object.keys(model.stateDict())).toEqual(before);
    applyPolicy(model, Policy({ drop: 0.5 }));
    expect(() => pruneSites(model, { keepFraction: 0.1 })).toThrow(
      "pruneSites: expected a keepFraction of 2 / 6 or more, as 'layer2.0', 'layer3.0' cannot be removed, got 0.1 - keep more",
    );
  });

  test.each<[string, (block: Wrapped, x: Tensor, pass: Pass) => Tensor]>([
    ['a layer before', (block, x, pass) => residual(block, x.mul(2), pass)],
    ['an operator after', (block, x, pass) => residual(block, x, pass).relu()],
  ])('%s the residual', (_, wrap) => {
    const plain = new Wrapped(linear(), (block, x, pass) => residual(block, x, pass));
    const model = new Sequential(new Wrapped(linear(), wrap), plain);
    expect(() => pruneSites(model, { drop: ['0'] })).toThrow(cannot("'0'"));
    pruneSites(model, { drop: ['1'] });
    expect(model.length).toBe(1);
  });

  test('norms after the sums of a transformer', () => {
    const model = transformerEncoder({
      vocabulary: 5,
      length: 4,
      dim: 4,
      depth: 2,
      heads: 1,
      classes: 2,
      norm: 'post',
      key,
    });
    expect(() => pruneSites(model, { drop: ['blocks.1'] })).toThrow(cannot("'blocks.1'"));
    const pre = transformerEncoder({ vocabulary: 5, length: 4, dim: 4, depth: 2, heads: 1, classes: 2, key });
    expect(pruneSites(pre, { drop: ['blocks.1'] }).blocks).toEqual(['blocks.1']);
  });

  test('a block whose site cannot be dropped', () => {
    const model = new Sequential(new Wrapped(linear(), (block, x, pass) => residual(block, x, pass), false));
    expect(() => pruneSites(model, { drop: ['0'] })).toThrow(cannot("'0'"));
  });

  test('blocks that are in no list', () => {
    class Net extends Module {
      readonly first = new Wrapped(linear(), (block, x, pass) => residual(block, x, pass));
      override forward(x: Tensor, pass: Pass = evaluation): Tensor {
        return this.first.forward(x, pass);
      }
    }
    expect(() => pruneSites(new Net(), { drop: ['first'] })).toThrow(cannot("'first'"));
  });

  test('blocks that share tensors with what stays', () => {
    const shared = linear();
    const block = (): Wrapped => new Wrapped(shared, (each, x, pass) => residual(each, x, pass));
    const model = new Sequential(block(), block());
    expect(() => pruneSites(model, { drop: ['1'] })).toThrow(
      "pruneSites: expected blocks with tensors of their own, got '1', whose tensors others use too - leave them in",
    );
    const same = block();
    expect(() => pruneSites(new Sequential(same, same), { drop: ['0'] })).toThrow("got '0', whose tensors others use");
    expect(pruneSites(model, { drop: ['0', '1'] }).blocks).toEqual(['0', '1']);
    expect(model.length).toBe(0);
  });

  test('blocks in a frozen list', () => {
    const model = vit({ ...tinyVit, depth: 2 });
    Object.freeze(model.blocks);
    expect(() => pruneSites(model, { drop: ['blocks.1'] })).toThrow(
      "pruneSites: expected lists that can change, got a frozen one around 'blocks.1' - do not freeze it",
    );
  });
});

describe('wrong requests', () => {
  test('errors', () => {
    const model = vit({ ...tinyVit, depth: 2 });
    expect(() => pruneSites(model, { drop: ['blocks.1.attention'] })).toThrow(
      "pruneSites: expected whole blocks, got 'blocks.1' without 'blocks.1.feedforward' - name the block, or leave out single branches with skipSites",
    );
    expect(() => pruneSites(model, { drop: ['block.1'] })).toThrow(
      'pruneSites: expected names of blocks or sites, got "block.1", did you mean \'blocks.1\'? - use names of findSites',
    );
    for (const keepFraction of [-0.1, 1.1, Number.NaN]) {
      expect(() => pruneSites(model, { keepFraction })).toThrow('pruneSites: expected a keepFraction in [0, 1], got');
    }
    expect(pruneSites(model, { keepFraction: 0.9 }).blocks).toEqual([]);
    expect(() => pruneSites(model, { keepFraction: 0.5 })).toThrow(
      'pruneSites: expected drop rates to choose by, got a model without any - apply the policy it was trained with, or choose by scoreSites',
    );
  });
});
