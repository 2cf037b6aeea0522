import { clearGrads, ones, randn, scope, setNumThreads, stats, type Tensor, tensor } from '@shallows/torch';
import { beforeAll, describe, expect, test } from 'vitest';
import { cifarResnet } from '../../models/cifar-resnet.js';
import { vit } from '../../models/vit.js';
import { crossEntropy, evaluation, Linear, Module, type Pass, trainingPass } from '../../nn/index.js';
import { deriveKey, rootKey } from '../../random/index.js';
import { applyPolicy, DepthLedger, drawPlan, Policy, recompute, residual, Site, withPlan } from '../index.js';
import { branchParameters } from './gradless.js';

const key = rootKey(11);
beforeAll(() => setNumThreads(1));

const pictures = scope(() => randn([6, 3, 8, 8]));
const targets = tensor([0n, 4n, 2n, 1n, 1n, 3n]);
const bytes = (x: Tensor | null): string | null => x && Buffer.from(x.toBytes()).toString('base64');

/** Loss, gradients and state after three training steps, bit for bit, and what the ledger counted. */
function trained(make: () => Module, options: object, again: boolean): unknown {
  using model = make();
  const policy = Policy(options);
  const sites = applyPolicy(model, policy);
  const ledger = new DepthLedger();
  const map = branchParameters(model, (pass) => model.forward(pictures, pass));
  const recomputed = again ? recompute(model, map) : (pass: Pass) => pass;
  const steps = [0, 1, 2].map((step) => {
    clearGrads(model.parameters());
    const plan = drawPlan(policy, sites, { key, step, rows: 6 });
    const pass = withPlan(recomputed(trainingPass({ key })), plan);
    return scope(() => {
      const loss = crossEntropy(model.forward(pictures, pass), targets);
      loss.backward();
      return [loss.item(), ledger.record(pass), model.parameters().map(({ grad }) => bytes(grad))];
    });
  });
  return { steps, report: ledger.report(), state: Object.values(model.stateDict()).map(bytes) };
}

const resnet = (): Module => cifarResnet({ depth: 14, classes: 5, key });
const transformer = (): Module =>
  vit({ size: 'ti', dim: 16, heads: 2, depth: 3, patch: 4, image: 8, classes: 5, layerScale: 0.1, key });

describe('recompute', () => {
  test.each<[string, () => Module, object]>([
    ['a residual network, blocks', resnet, { drop: 0.5, schedule: 'uniform' }],
    ['a residual network, masked blocks', resnet, { drop: 0.5, schedule: 'uniform', execution: 'mask' }],
    ['a residual network, rows', resnet, { drop: 0.5, schedule: 'uniform', unit: 'row' }],
    ['a residual network, a window of rows', resnet, { drop: 0.5, schedule: 'uniform', unit: 'row', rows: 'window' }],
    ['a residual network that drops nothing', resnet, { drop: 0 }],
    ['a transformer, blocks', transformer, { drop: 0.5, schedule: 'uniform' }],
    ['a transformer, rows', transformer, { drop: 0.5, schedule: 'uniform', unit: 'row', scale: 'realised' }],
  ])('changes no bit: %s', (_, make, options) => {
    expect(trained(make, options, true)).toEqual(trained(make, options, false));
  });

  test('runs each branch that is kept twice, and one that is dropped never', () => {
    using model = new Counting();
    const policy = Policy({ drop: 0.5, schedule: 'uniform' });
    const sites = applyPolicy(model, policy);
    const x = scope(() => randn([2, 4])).requiresGrad_();
    const recomputed = recompute(
      model,
      branchParameters(model, (pass) => model.forward(x, pass)),
    );
    for (let step = 0; step < 8; step++) {
      const plan = drawPlan(policy, sites, { key, step });
      model.runs.clear();
      scope(() =>
        model
          .forward(x, withPlan(recomputed(trainingPass({ key })), plan))
          .sum()
          .backward(),
      );
      const kept = (name: string): number => (plan.sites.find((site) => site.name === name)?.kept ? 1 : 0);
      expect([model.runs.get('outer') ?? 0, model.runs.get('inner') ?? 0]).toEqual([
        2 * kept('outer'),
        2 * kept('outer') * kept('inner'),
      ]);
    }
  });

  test('leaves evaluation alone', () => {
    using model = new Counting();
    const x = scope(() => randn([2, 4]));
    const recomputed = recompute(
      model,
      branchParameters(model, (pass) => model.forward(x, pass)),
    );
    model.runs.clear();
    scope(() => model.forward(x, recomputed(evaluation)).sum().backward());
    expect(Object.fromEntries(model.runs)).toEqual({ outer: 1, inner: 1 });
  });

  test('gives what comes in beside x to both runs', () => {
    using model = new Counting();
    const x = scope(() => randn([2, 4]));
    const beside = scope(() => ones([4]));
    beside.requiresGrad = true;
    const recomputed = recompute(
      model,
      branchParameters(model, (pass) => model.forward(x, pass)),
    );
    const gradient = (pass: Pass): string | null => {
      clearGrads([beside]);
      scope(() => model.forward(x, pass, beside).sum().backward());
      return bytes(beside.grad);
    };
    expect(gradient(recomputed(trainingPass({ key })))).toBe(gradient(trainingPass({ key })));
    expect(beside.grad).not.toBeNull();
  });

  test('frees what it makes', () => {
    const before = stats().liveTensors;
    trained(resnet, { drop: 0.5 }, true);
    expect(stats().liveTensors).toBe(before);
  });
});

/** A branch in a branch, which count how often they ran. */
class Counting extends Module<readonly [x: Tensor, pass?: Pass, beside?: Tensor | null]> {
  readonly around = new Linear(4, 4, { key: deriveKey(key, 'around') });
  readonly deep = new Linear(4, 4, { key: deriveKey(key, 'deep') });
  readonly runs = new Map<string, number>();
  readonly outer = {
    site: new Site('outer'),
    branch: (x: Tensor, pass: Pass, [none, beside]: readonly (Tensor | null)[]) => {
      expect(none).toBeNull();
      this.#count('outer');
      const y = residual(this.inner, this.around.forward(x), pass);
      return beside == null ? y : y.mul(beside);
    },
    shortcut: (x: Tensor) => x,
  };
  readonly inner = {
    site: new Site('inner'),
    branch: (x: Tensor) => {
      this.#count('inner');
      return this.deep.forward(x);
    },
    shortcut: (x: Tensor) => x,
  };

  override forward(x: Tensor, pass: Pass = evaluation, beside: Tensor | null = null): Tensor {
    return residual(this.outer, x, pass, [null, beside]);
  }

  #count(name: string): void {
    this.runs.set(name, (this.runs.get(name) ?? 0) + 1);
  }
}
