import { clearGrads, noGrad, randn, scope, setNumThreads, type Tensor, tensor, zeros } from '@shallows/torch';
import { beforeAll, describe, expect, test } from 'vitest';
import { type CifarResnet, cifarResnet } from '../../models/cifar-resnet.js';
import { vit } from '../../models/vit.js';
import { crossEntropy, evaluation, Linear, Module, Parameter, type Pass, trainingPass } from '../../nn/index.js';
import { deriveKey, rootKey } from '../../random/index.js';
import { applyPolicy, drawPlan, fixedPlan, type Plan, Policy, residual, Site, withPlan } from '../index.js';
import { branchParameters, droppedParameters, gradless } from './gradless.js';

const key = rootKey(5);
beforeAll(() => setNumThreads(1));

const pictures = scope(() => randn([4, 3, 8, 8]));
const targets = tensor([0n, 4n, 2n, 1n]);

/** The parameters that a training step with these plans leaves without gradient. */
function withoutGrad(model: Module, plans: readonly Plan[], x = pictures): string[] {
  const parameters = [...model.namedParameters()];
  clearGrads(parameters.map(([, each]) => each));
  scope(() => {
    for (const plan of plans) {
      crossEntropy(model.forward(x, withPlan(trainingPass({ key }), plan)) as Tensor, targets).backward();
    }
  });
  return parameters.flatMap(([name, { grad }]) => (grad === null ? [name] : []));
}

const resnet = (): CifarResnet => cifarResnet({ depth: 14, classes: 5, key });

describe('branchParameters', () => {
  test('of a residual network are those of its blocks', () => {
    using model = resnet();
    const { learnt, always, branches } = branchParameters(model, (pass) => model.forward(pictures, pass));
    expect(learnt).toEqual(Array.from(model.namedParameters(), ([name]) => name));
    expect(always).toEqual(['conv1.weight', 'bn1.weight', 'bn1.bias', 'fc.weight', 'fc.bias']);
    expect(branches.map(({ site }) => site)).toEqual([
      'layer1.0',
      'layer1.1',
      'layer2.0',
      'layer2.1',
      'layer3.0',
      'layer3.1',
    ]);
    for (const { site, within, parameters } of branches) {
      expect(within).toEqual([]);
      expect(parameters).toEqual(learnt.filter((name) => name.startsWith(`${site}.`)));
    }
  });

  test('leave the model as it was', () => {
    using model = resnet();
    const state = (): unknown => Object.values(model.stateDict()).map((each) => Array.from(each.toArray(), Number));
    const before = state();
    branchParameters(model, (pass) => model.forward(pictures, pass));
    expect(state()).toEqual(before);
    expect(model.parameters().every(({ grad }) => grad === null)).toBe(true);
  });

  test('know the branches of a block with two, and those that count for nothing in evaluation', () => {
    using model = vit({ size: 'ti', dim: 16, heads: 2, depth: 2, patch: 4, image: 8, classes: 5, key });
    applyPolicy(model, Policy({ drop: 1, schedule: 'uniform', scale: 'paper' }));
    const { branches } = branchParameters(model, (pass) => model.forward(pictures, pass));
    const of = (site: string): readonly string[] => branches.find((each) => each.site === site)?.parameters ?? [];
    expect(of('blocks.1.attention').every((name) => /^blocks\.1\.(norm1|attn)\./.test(name))).toBe(true);
    expect(of('blocks.1.feedforward').every((name) => /^blocks\.1\.(norm2|mlp)\./.test(name))).toBe(true);
    expect(of('blocks.1.attention')).toHaveLength(6);
    expect(of('blocks.1.feedforward')).toHaveLength(6);
  });

  test('of what learns nothing are an error', () => {
    using model = resnet();
    expect(() => noGrad(() => branchParameters(model, (pass) => model.forward(pictures, pass)))).toThrow(
      'branchParameters: expected outputs that parameters are learnt from, got none',
    );
  });
});

describe('gradless', () => {
  test.each<[string, object]>([
    ['blocks', { drop: 0.6, schedule: 'uniform' }],
    ['masked blocks', { drop: 0.6, schedule: 'uniform', execution: 'mask' }],
    ['rows', { drop: 0.8, schedule: 'uniform', unit: 'row' }],
    ['rows of a window', { drop: 0.8, schedule: 'uniform', unit: 'row', rows: 'window' }],
    ['masked rows', { drop: 0.8, schedule: 'uniform', unit: 'row', execution: 'mask' }],
    ['everything', { drop: 1, schedule: 'uniform' }],
  ])('is what autograd leaves without gradient: %s', (_, options) => {
    using model = resnet();
    const policy = Policy(options);
    const sites = applyPolicy(model, policy);
    const map = branchParameters(model, (pass) => model.forward(pictures, pass));
    for (let step = 0; step < 6; step++) {
      const plans = [0, 1].map((microbatch) => drawPlan(policy, sites, { key, step, microbatch, rows: 4 }));
      const [first, second] = plans as [Plan, Plan];
      expect(gradless(first, map)).toEqual(withoutGrad(model, [first]));
      expect(gradless([first, second], map)).toEqual(withoutGrad(model, [first, second]));
      if (policy.execution !== 'mask')
        expect(droppedParameters(first, map).sort()).toEqual(gradless(first, map).sort());
    }
  });

  test('of a transformer', () => {
    using model = vit({ size: 'ti', dim: 16, heads: 2, depth: 3, patch: 4, image: 8, classes: 5, key });
    const policy = Policy({ drop: 0.5, schedule: 'uniform' });
    const sites = applyPolicy(model, policy);
    const map = branchParameters(model, (pass) => model.forward(pictures, pass));
    for (let step = 0; step < 4; step++) {
      const plan = drawPlan(policy, sites, { key, step });
      expect(gradless(plan, map)).toEqual(withoutGrad(model, [plan]));
    }
  });

  test('counts what is masked as dropped all the same', () => {
    using model = resnet();
    const policy = Policy({ drop: 0.5, schedule: 'uniform', execution: 'mask' });
    const sites = applyPolicy(model, policy);
    const map = branchParameters(model, (pass) => model.forward(pictures, pass));
    const plan = fixedPlan(policy, sites, ['layer2.1']);
    expect(gradless(plan, map)).toEqual([]);
    expect(droppedParameters(plan, map)).toEqual(map.learnt.filter((name) => name.startsWith('layer2.1.')));
  });

  test('is right for what branches share, what comes in beside x, what nests and what is unused', () => {
    using model = new Tangle();
    const policy = Policy({ drop: 0.5, schedule: 'uniform' });
    const sites = applyPolicy(model, policy);
    expect(sites.map(({ name }) => name)).toEqual(['first', 'second', 'third', 'outer', 'inner']);
    const x = scope(() => randn([4, 5]));
    const map = branchParameters(model, (pass) => model.forward(x, pass));
    expect(map.always).toEqual(['stem.weight', 'stem.bias']);
    expect(gradless(fixedPlan(policy, sites, []), map)).toEqual(['unused']);
    for (let bits = 0; bits < 32; bits++) {
      const dropped = sites.flatMap(({ name }, i) => ((bits >> i) & 1 ? [name] : []));
      const plan = fixedPlan(policy, sites, dropped);
      expect(gradless(plan, map), dropped.join()).toEqual(withoutGrad(model, [plan], x));
    }
  });

  test('leaves out what is not learnt', () => {
    using model = resnet();
    for (const [name, parameter] of model.namedParameters()) {
      if (name.startsWith('layer3.1.')) parameter.requiresGrad = false;
    }
    const policy = Policy({ drop: 1, schedule: 'uniform' });
    const map = branchParameters(model, (pass) => model.forward(pictures, pass));
    const plan = drawPlan(policy, applyPolicy(model, policy), { key, step: 0 });
    expect(gradless(plan, map).some((name) => name.startsWith('layer3.1.'))).toBe(false);
    expect(gradless(plan, map)).toContain('layer3.0.conv1.weight');
  });
});

const linear = (name: string): Linear => new Linear(5, 5, { key: deriveKey(key, name) });
const itself = (x: Tensor): Tensor => x;

/** Two branches share `both`, all learn `beside` through what they are given, `inner` is a branch of `outer`'s branch. */
class Tangle extends Module {
  readonly stem = linear('stem');
  readonly both = linear('both');
  readonly own = linear('own');
  readonly around = linear('around');
  readonly deep = linear('deep');
  readonly beside = scope(() => new Parameter(zeros([5])));
  readonly unused = scope(() => new Parameter(zeros([5])));
  readonly first = { site: new Site('a'), branch: (x: Tensor) => this.both.forward(x), shortcut: itself };
  readonly second = {
    site: new Site('a'),
    branch: (x: Tensor, _: Pass, [bias]: readonly (Tensor | null)[]) => this.both.forward(x.add(bias as Tensor)),
    shortcut: itself,
  };
  readonly third = {
    site: new Site('a'),
    branch: (x: Tensor, _: Pass, [bias]: readonly (Tensor | null)[]) => this.own.forward(x).add(bias as Tensor),
    shortcut: itself,
  };
  readonly outer = {
    site: new Site('b'),
    branch: (x: Tensor, pass: Pass) => residual(this.inner, this.around.forward(x), pass),
    shortcut: itself,
  };
  readonly inner = { site: new Site('b'), branch: (x: Tensor) => this.deep.forward(x), shortcut: itself };

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    const bias = this.beside.mul(2).expand([x.shape[0] ?? 0, 5]);
    const first = residual(this.first, this.stem.forward(x), pass);
    const second = residual(this.second, first, pass, [bias]);
    return residual(this.outer, residual(this.third, second, pass, [bias]), pass);
  }
}
