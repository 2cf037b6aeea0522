import { manualSeed, noGrad, randn, scope, setNumThreads, type Tensor } from '@shallows/torch';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { cifarResnet } from '../../models/cifar-resnet.js';
import { TransformerBlock } from '../../models/transformer-block.js';
import { BatchNorm2d, Conv2d, LayerNorm, LayerScale, Linear, Parameter } from '../../nn/index.js';
import { Module } from '../../nn/module.js';
import { evaluation, type Pass } from '../../nn/pass.js';
import { Sequential } from '../../nn/sequential.js';
import type { StateDict } from '../../nn/state-dict.js';
import { rootKey } from '../../random/key.js';
import { applyPolicy } from '../policy/apply-policy.js';
import { findSites } from '../policy/find-sites.js';
import { Policy } from '../policy/policy.js';
import { type ResidualBlock, Site } from '../policy/site.js';
import type { ParameterTree } from '../residual/gradless.js';
import { residual } from '../residual/residual.js';
import { foldScale, unfoldScale } from './fold-scale.js';

const key = rootKey(5);
const paper = Policy({ drop: 0.6, scale: 'paper' });
const numbers = (x: Tensor): number[] => Array.from(x.toArray(), Number);
const linear = (i: number, bias = true): Linear => new Linear(4, 4, { key: rootKey(i), bias });

beforeAll(() => setNumThreads(1));
beforeEach(() => manualSeed(7));

/** x + branch(x), the branch given as a function over modules that it holds. */
class Block extends Module implements ResidualBlock {
  readonly site = new Site('block');
  readonly parts: Readonly<Record<string, Module>>;
  readonly #run: (x: Tensor) => Tensor;

  constructor(parts: Readonly<Record<string, Module>>, run: (x: Tensor) => Tensor) {
    super();
    this.parts = parts;
    this.#run = run;
  }

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return residual(this, x, pass);
  }

  branch(x: Tensor): Tensor {
    return this.#run(x);
  }

  shortcut(x: Tensor): Tensor {
    return x;
  }
}

interface Model extends ParameterTree {
  stateDict(): StateDict;
  to(options: { readonly dtype: 'float32' | 'float64' }): unknown;
}

/** Gives every tensor of a model values that matter: norms with other than 1 and 0, statistics that were learnt. */
function stir<T extends Model>(model: T, dtype: 'float32' | 'float64' = 'float64'): T {
  model.to({ dtype });
  noGrad(() =>
    scope(() => {
      for (const [name, value] of Object.entries(model.stateDict())) {
        if (value.dtype === 'int64') continue;
        const noise = randn(value.shape, { dtype }).mul(0.3);
        if (name.endsWith('running_var')) value.copy_(noise.abs().add(0.5));
        else if (name.includes('bn') || value.shape.length === 1) value.add_(noise);
      }
    }),
  );
  return model;
}

const state = (model: Model): [string, number[]][] =>
  Object.entries(model.stateDict()).map(([name, value]) => [name, numbers(value)]);

interface Case {
  readonly model: Model;
  readonly forward: (pass: Pass) => Tensor;
  /** Ends of the keys that take the factor of the first site. */
  readonly expected: readonly string[];
}

function cases(dtype: 'float32' | 'float64'): readonly [string, () => Case][] {
  const simple = (make: () => Block) => (): Case => {
    const model = stir(new Sequential(make(), make(), make()), dtype);
    const x = randn([5, 4], { dtype });
    const expected = Object.keys(make().stateDict()).filter((name) => name.startsWith('parts.last'));
    return { model, forward: (pass) => model.forward(x, pass), expected };
  };
  const transformer = (expected: readonly string[], layerScale: number | null) => (): Case => {
    const options = { key, heads: 2, hidden: 12, eps: 1e-5, layerScale };
    const model = stir(new TransformerBlock(8, options), dtype);
    const x = randn([2, 3, 8], { dtype });
    return { model, forward: (pass) => model.forward(x, null, pass), expected };
  };
  const convolutional = (): Case => {
    const model = stir(cifarResnet({ depth: 14, classes: 3, key }), dtype);
    const x = randn([2, 3, 8, 8], { dtype });
    return { model, forward: (pass) => model.forward(x, pass), expected: ['bn2.weight', 'bn2.bias'] };
  };
  const viewed = (): Block => {
    const [first, last] = [linear(1), linear(2)];
    return new Block({ first, last }, (x) => {
      const y = last.forward(first.forward(x).relu()).mul(3).unsqueeze(0).transpose(1, 2);
      return y.transpose(2, 1).reshape([5, 4]).div(2);
    });
  };
  const summed = (): Block => {
    const [last1, last2] = [linear(1), linear(2)];
    return new Block({ last1, last2 }, (x) => last1.forward(x.relu()).add_(last2.forward(x.sigmoid())));
  };
  const multiplied = (): Block => {
    const last = linear(3);
    return new Block({ last }, (x) => (last.bias ?? x).addmm(x.tanh(), last.weight.t()));
  };
  return [
    ['cifarResnet: the last batch norm', convolutional],
    ['a transformer block: the last product of a branch', transformer(['proj.weight', 'proj.bias'], null)],
    ['a transformer block with layer scale: γ alone', transformer(['ls1.gamma'], 0.1)],
    ['a linear layer without bias', simple(() => withLast(linear(2, false)))],
    ['layer norm', simple(() => withLast(new LayerNorm(4)))],
    ['layer scale', simple(() => withLast(new LayerScale(4, 0.5)))],
    ['views and plain factors after the last layer', simple(viewed)],
    ['a sum of two layers', simple(summed)],
    ['a linear layer written as a product of matrices', simple(multiplied)],
  ];
}

function withLast(last: Module): Block {
  const first = linear(1);
  return new Block({ first, last }, (x) => last.forward(first.forward(x).relu()));
}

describe.each([
  ['float32', 1e-6, 1e-6],
  ['float64', 1e-12, 1e-14],
] as const)('foldScale in %s', (dtype, tolerance, rounding) => {
  test.each(cases(dtype))('%s', (_, make) => {
    scope(() => {
      const { model, forward, expected } = make();
      applyPolicy(model, paper);
      const before = {
        state: state(model),
        y: forward(evaluation),
        scales: findSites(model).map((s) => s.evaluationScale),
      };
      expect(before.scales).not.toContain(1);

      const { scales, parameters, difference } = foldScale(model, forward);
      expect(Object.values(scales)).toEqual(before.scales);
      expect(Object.keys(scales)).toEqual(findSites(model).map(({ name }) => name));
      expect(Object.values(parameters)[0]?.map((name) => expected.some((end) => name.endsWith(end)))).toEqual(
        expected.map(() => true),
      );
      expect(findSites(model).map((site) => site.evaluationScale)).toEqual(before.scales.map(() => 1));
      const largest = Number(before.y.abs().max().item());
      expect(forward(evaluation)).toBeAllclose(before.y, { rtol: 0, atol: tolerance * largest });
      expect(difference).toBeLessThan(tolerance);

      const changed = new Set(Object.values(parameters).flat());
      for (const [i, [name, values]] of state(model).entries()) {
        expect(name).toBe(before.state[i]?.[0]);
        const was = before.state[i]?.[1] ?? [];
        if (changed.has(name)) expect(values).not.toEqual(was);
        else expect(values).toEqual(was);
      }

      const back = unfoldScale(model, forward, scales);
      expect(back.parameters).toEqual(parameters);
      expect(findSites(model).map((site) => site.evaluationScale)).toEqual(before.scales);
      for (const [i, [, values]] of state(model).entries()) {
        expect(values).toBeAllclose(before.state[i]?.[1] ?? [], { rtol: rounding, atol: 0 });
      }
    });
  });
});

describe('foldScale', () => {
  const x = (): Tensor => randn([5, 4]);
  const folded = (model: Module) => {
    const input = x();
    return foldScale(model, (pass) => model.forward(input, pass));
  };

  test('takes conv, group and batch norms as they are', () => {
    scope(() => {
      const conv = (i: number): Conv2d => new Conv2d(4, 4, 1, { key: rootKey(i), groups: 2 });
      const last = conv(2);
      const first = new BatchNorm2d(4);
      const model = new Sequential(new Block({ first, last }, (each) => last.forward(first.forward(each.relu()))));
      applyPolicy(model, paper);
      const input = randn([2, 4, 3, 3]);
      const { parameters } = foldScale(model, (pass) => model.forward(input, pass));
      expect(parameters).toEqual({ 0: ['0.parts.last.weight', '0.parts.last.bias'] });
    });
  });

  test('does nothing where every branch counts once', () => {
    scope(() => {
      const model = new Sequential(withLast(linear(3)));
      applyPolicy(model, Policy({ drop: 0.5 }));
      expect(folded(model)).toEqual({ scales: {}, parameters: {}, difference: 0 });
    });
  });

  test('a block that runs twice is folded once', () => {
    scope(() => {
      const block = withLast(linear(3));
      const model = new Sequential(block, block);
      applyPolicy(model, paper);
      expect(Object.keys(folded(model).scales)).toEqual(['0']);
    });
  });

  test('the tensors stay the same objects, and their gradients with them', () => {
    scope(() => {
      const model = new Sequential(withLast(linear(3)));
      applyPolicy(model, paper);
      const before = model.parameters();
      folded(model);
      expect(model.parameters().every((each, i) => each === before[i] && each.requiresGrad)).toBe(true);
    });
  });

  const shared = linear(9);
  const gate = linear(8);
  test.each<[string, () => Module, string]>([
    [
      'an activation',
      () => new Sequential(withLast(linear(1)), new Block({ last: linear(2) }, (each) => each.gelu())),
      "'1' ends in aten::gelu",
    ],
    [
      'an activation in place',
      () => new Sequential(new Block({ last: shared }, (each) => shared.forward(each).relu_())),
      "'0' ends in aten::relu_",
    ],
    [
      'its own input',
      () => new Sequential(new Block({}, (each) => each.mul(2))),
      "'0' ends in a tensor that no operator of the branch made",
    ],
    [
      'a sum with its own input',
      () => new Sequential(linear(1), new Block({ last: shared }, (each) => shared.forward(each).add(each))),
      "'1' ends in a tensor that no operator of the branch made",
    ],
    [
      'a plain number',
      () => new Sequential(new Block({ last: shared }, (each) => shared.forward(each).add(1))),
      "'0' ends in a plain number",
    ],
    [
      'a norm without weights',
      () => new Sequential(new Block({}, (each) => each.layerNorm([4]))),
      "'0' ends in aten::layer_norm without a weight",
    ],
    [
      'a gate that its own layer feeds',
      () => {
        const run = (each: Tensor): Tensor => {
          const y = shared.forward(each);
          return y.mul(gate.forward(y).sigmoid());
        };
        return new Sequential(new Block({ shared, gate }, run));
      },
      "'0' ends in the result of shallows::linear, which 2 operators read",
    ],
    [
      'a layer that another block uses too',
      () => new Sequential(withLast(shared), withLast(shared)),
      "'0' ends in a layer that is used elsewhere too, '1' ends in a layer that is used elsewhere too",
    ],
    [
      'a layer that the head uses too',
      () => new Sequential(withLast(shared), shared),
      "'0' ends in a layer that is used elsewhere too",
    ],
  ])('refuses a branch that ends in %s, and changes nothing', (_, make, reason) => {
    scope(() => {
      const model = make();
      applyPolicy(model, paper);
      const before = [state(model), findSites(model).map((site) => site.evaluationScale)];
      expect(() => folded(model)).toThrow(
        `foldScale: expected branches that end in an affine operator with parameters of their own, got ${reason} - end each`,
      );
      expect([state(model), findSites(model).map((site) => site.evaluationScale)]).toEqual(before);
    });
  });

  test('refuses a branch that the example does not run, and one that never counts', () => {
    scope(() => {
      const model = new Sequential(withLast(linear(1)), withLast(linear(2)));
      applyPolicy(model, paper);
      const input = x();
      const [first] = [...model];
      expect(() => foldScale(model, (pass) => (first as Block).forward(input, pass))).toThrow(
        /got '1' does not run in the example/,
      );
      applyPolicy(model, Policy({ drop: 1, scale: 'paper' }));
      expect(() => folded(model)).toThrow(
        "foldScale: expected a scale above 0 for the site '1', got 0 - this branch never counts: remove the block with pruneSites",
      );
    });
  });

  test('takes everything back where the outputs are others: memory that two parameters share', () => {
    scope(() => {
      const last = linear(3);
      const copy = linear(3);
      Object.defineProperty(copy, 'weight', { value: new Parameter(last.weight), enumerable: true });
      const model = new Sequential(copy, withLast(last));
      applyPolicy(model, paper);
      const before = state(model);
      expect(() => folded(model)).toThrow(/^foldScale: expected the same outputs on the example, got a difference of /);
      expect(state(model)).toEqual(before);
      expect(findSites(model)[0]?.evaluationScale).toBe(0.4);
    });
  });
});

describe('unfoldScale', () => {
  test('a policy turns a network of inverted scaling into one of paper scaling', () => {
    scope(() => {
      const model = stir(cifarResnet({ depth: 8, classes: 3, key }));
      const x = randn([2, 3, 8, 8], { dtype: 'float64' });
      applyPolicy(model, Policy({ drop: 0.6 }));
      const before = model.forward(x);
      const { scales } = unfoldScale(model, (pass) => model.forward(x, pass), paper);
      expect(Object.keys(scales)).toEqual(['layer1.0', 'layer2.0', 'layer3.0']);
      expect(Object.values(scales)).toBeAllclose([0.8, 0.6, 0.4]);
      expect(model.forward(x)).toBeAllclose(before, { rtol: 1e-12, atol: 1e-12 });
      applyPolicy(model, paper);
      expect(model.forward(x)).toBeAllclose(before, { rtol: 1e-12, atol: 1e-12 });
    });
  });

  test('errors', () => {
    scope(() => {
      const model = new Sequential(withLast(linear(1)), withLast(linear(2)));
      const x = randn([5, 4]);
      const unfold = (scales: Parameters<typeof unfoldScale>[2]) => () =>
        unfoldScale(model, (pass) => model.forward(x, pass), scales);
      expect(unfold({ 2: 0.5 })).toThrow("unfoldScale: expected the names of sites that count once, got '2' - take");
      expect(unfold({ 0: 0 })).toThrow("unfoldScale: expected a scale above 0 for the site '0', got 0");
      expect(unfold({ 0: Number.NaN })).toThrow("unfoldScale: expected a scale above 0 for the site '0', got NaN");
      expect(unfold(Policy({ drop: 0.5 }))).toThrow("expected a policy with scale 'paper', got 'inverted'");
      applyPolicy(model, paper);
      expect(unfold({ 0: 0.5 })).toThrow("got '0', which counts 0.7 times already");
    });
  });
});
