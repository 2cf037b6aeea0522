import {
  manualSeed,
  noGrad,
  ops,
  rand,
  randn,
  scope,
  setNumThreads,
  type Tensor,
  tensor,
  trace,
} from '@shallows/torch';
import { beforeAll, describe, expect, test } from 'vitest';
import { applyPolicy, drawPlan, fixedPlan, Policy, type PolicyOptions, withPlan } from '../depth/index.js';
import { crossEntropy, evaluation, type Pass, SGD, type StateDict, trainingPass } from '../nn/index.js';
import { rootKey } from '../random/index.js';
import { type CifarResnet, cifarResnet } from './index.js';

const { aten, shallows } = ops;
const key = rootKey(3);
const make = (): CifarResnet => cifarResnet({ depth: 14, classes: 5, key });
const targets = tensor([0n, 4n, 2n, 2n]);
const pictures = scope(() => randn([4, 3, 8, 8]));
const array = (x: Tensor | null): number[] | null => x && Array.from(x.toArray(), Number);

beforeAll(() => setNumThreads(1));

/** The network without modules, sites and passes: what the paper's figure says, from a state's tensors. */
function plainNetwork(state: StateDict, x: Tensor, blocks: number, training = false): Tensor {
  const at = (name: string): Tensor => state[name] as Tensor;
  const conv = (name: string, y: Tensor, stride = 1): Tensor =>
    aten.conv2d(y, at(`${name}.weight`), null, [stride, stride], [1, 1], [1, 1], 1);
  const norm = (name: string, y: Tensor): Tensor => {
    const [weight, bias, mean, variance] = ['weight', 'bias', 'running_mean', 'running_var'].map((t) =>
      at(`${name}.${t}`),
    );
    if (!training) return aten.batch_norm(y, weight, bias, mean, variance, false, 0.1, 1e-5, true);
    noGrad(() => aten.add_.Tensor(at(`${name}.num_batches_tracked`), 1));
    return ops.shallows.batch_norm(y, weight as Tensor, bias as Tensor, mean as Tensor, variance as Tensor, 0.1, 1e-5);
  };
  let y: Tensor = aten.relu_(norm('bn1', conv('conv1', x)));
  for (const stage of [1, 2, 3]) {
    for (let i = 0; i < blocks; i++) {
      const name = `layer${stage}.${i}`;
      const smaller = stage > 1 && i === 0;
      const inner = aten.relu_(norm(`${name}.bn1`, conv(`${name}.conv1`, y, smaller ? 2 : 1)));
      const branch = norm(`${name}.bn2`, conv(`${name}.conv2`, inner));
      if (smaller) {
        const added = 2 ** (stage + 2) / 2;
        y = aten.constant_pad_nd(aten.slice(aten.slice(y, 2, 0, null, 2), 3, 0, null, 2), [0, 0, 0, 0, added, added]);
      }
      y = aten.relu_(aten.add.Tensor(y, branch));
    }
  }
  return shallows.linear(aten.mean.dim(y, [2, 3]), at('fc.weight'), at('fc.bias'));
}

/** What a training step leaves behind. */
function trained(model: CifarResnet, forward: () => Tensor): unknown {
  const logits = forward();
  crossEntropy(logits, targets).backward();
  return {
    logits: array(logits),
    grads: Array.from(model.namedParameters(), ([name, { grad }]) => [name, array(grad)]),
    buffers: Array.from(model.namedBuffers(), ([name, buffer]) => [name, array(buffer)]),
  };
}

/** The pass that drops the named blocks, or those that the plan of a step drops. */
function planned(model: CifarResnet, options: PolicyOptions, dropped: readonly string[] | number): Pass {
  const policy = Policy(options);
  const sites = applyPolicy(model, policy);
  const plan =
    typeof dropped === 'number' ? drawPlan(policy, sites, { key, step: dropped }) : fixedPlan(policy, sites, dropped);
  return withPlan(trainingPass({ key }), plan);
}

describe('evaluation of a network with stochastic depth', () => {
  test('is the plain network, operator by operator, and that is the network of the paper', () => {
    scope(() => {
      const [deep, plain] = [make(), make()];
      applyPolicy(deep, Policy({ drop: 0.5 }));
      const traced = trace(() => deep.forward(pictures));
      expect(traced.calls).toEqual(trace(() => plain.forward(pictures)).calls);
      const written = trace(() => plainNetwork(deep.stateDict(), pictures, 2));
      expect(traced.calls).toEqual(written.calls);
      expect(traced.calls.filter(({ op }) => op === 'aten::conv2d')).toHaveLength(13);
      expect(array(traced.result)).toEqual(array(written.result));
      expect(array(traced.result)).toEqual(array(plain.forward(pictures)));
    });
  });

  test('gives the same bits twice, moves nothing and draws nothing, after training too', () => {
    scope(() => {
      const model = make();
      const pass = planned(model, { drop: 0.5 }, 3);
      const sgd = new SGD(model.parameters(), { lr: 0.1 });
      crossEntropy(model.forward(pictures, pass), targets).backward();
      sgd.step();
      const state = (): unknown => Object.values(model.stateDict()).map(array);
      const before = state();
      manualSeed(5);
      const next = array(rand([3]));
      manualSeed(5);
      const first = array(model.forward(pictures));
      expect(array(rand([3]))).toEqual(next);
      expect(array(model.forward(pictures, evaluation))).toEqual(first);
      expect(array(noGrad(() => model.forward(pictures)))).toEqual(first);
      expect(state()).toEqual(before);
    });
  });
});

describe('training', () => {
  test('with drop 0 is plain training bit for bit: logits, gradients and running statistics', () => {
    scope(() => {
      const [zero, plain, function_] = [make(), make(), make()];
      const pass = planned(zero, { drop: 0 }, 0);
      const expected = trained(plain, () => plain.forward(pictures, trainingPass({ key })));
      expect(trained(zero, () => zero.forward(pictures, pass))).toEqual(expected);
      expect(trained(function_, () => plainNetwork(function_.stateDict(), pictures, 2, true))).toEqual(expected);
    });
  });

  test('a dropped block: no operators, no gradients, no statistics, no count; the others have all of them', () => {
    scope(() => {
      const model = make();
      const dropped = ['layer1.1', 'layer2.0', 'layer3.1'];
      const pass = planned(model, { drop: 0.5, schedule: 'uniform' }, dropped);
      const { calls, result } = trace(() => model.forward(pictures, pass));
      const count = (name: string): number => calls.filter(({ op }) => op === name).length;
      expect(count('aten::conv2d')).toBe(13 - 2 * dropped.length);
      expect(count('shallows::batch_norm')).toBe(13 - 2 * dropped.length);
      expect(count('shallows::join_window')).toBe(6 - dropped.length);
      // Where the shape changes a relu follows the shortcut; all others are part of what is before them.
      expect(count('aten::relu_')).toBe(1);
      crossEntropy(result, targets).backward();
      const isDropped = (name: string): boolean => dropped.some((block) => name.startsWith(`${block}.`));
      for (const [name, { grad }] of model.namedParameters()) expect(grad === null, name).toBe(isDropped(name));
      for (const [name, buffer] of model.namedBuffers()) {
        const start = name.endsWith('var') ? 1 : 0;
        expect(
          array(buffer)?.every((each) => each === start),
          name,
        ).toBe(isDropped(name));
      }
    });
  });

  test('with every block dropped is finite, and trains the first and last layers', () => {
    scope(() => {
      const model = make();
      const pass = planned(model, { drop: 1, schedule: 'uniform' }, 0);
      const { logits, grads } = trained(model, () => model.forward(pictures, pass)) as {
        logits: number[];
        grads: [string, number[] | null][];
      };
      expect(logits.every(Number.isFinite)).toBe(true);
      expect(grads.filter(([, grad]) => grad !== null).map(([name]) => name)).toEqual([
        'conv1.weight',
        'bn1.weight',
        'bn1.bias',
        'fc.weight',
        'fc.bias',
      ]);
      expect(grads.every(([, grad]) => grad === null || grad.every(Number.isFinite))).toBe(true);
      expect(array(model.forward(pictures))?.every(Number.isFinite)).toBe(true);
    });
  });
});
