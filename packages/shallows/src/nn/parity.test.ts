import { readFileSync } from 'node:fs';
import { fromTypedArray, noGrad, ops, scope, setNumThreads, type Tensor, tensor } from '@shallows/torch';
import { beforeAll, describe, expect, test } from 'vitest';
import { rootKey } from '../random/index.js';
import {
  AdaptiveAvgPool2d,
  AvgPool2d,
  BatchNorm2d,
  Conv2d,
  type CrossEntropyOptions,
  crossEntropy,
  evaluation,
  Flatten,
  GELU,
  Linear,
  MaxPool2d,
  type Module,
  ReLU,
  Sequential,
  Sigmoid,
  SiLU,
  Tanh,
  trainingPass,
} from './index.js';

interface Result {
  readonly shape: readonly number[];
  readonly output: readonly number[];
  readonly gradInput: readonly number[];
}

interface BatchNormStep extends Omit<Result, 'shape'> {
  readonly gradWeight: readonly number[];
  readonly gradBias: readonly number[];
  readonly runningMean: readonly number[];
  readonly runningVar: readonly number[];
  readonly tracked: number;
  readonly evaluated: readonly number[];
}

interface Reference {
  readonly layers: Record<
    string,
    Result & { readonly input: readonly number[]; readonly grads: Record<string, number[]> }
  >;
  readonly losses: Record<string, Result>;
  readonly batchNorm: readonly BatchNormStep[];
}

const reference: Reference = JSON.parse(readFileSync(new URL('fixtures/layers.json', import.meta.url), 'utf8'));
const close = { rtol: 1e-10, atol: 1e-12 };
const key = rootKey(1);

/** The numbers of `values` in fixtures/layers.py. */
function values(shape: readonly number[], salt: number): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  const numbers = Float64Array.from({ length: count }, (_, i) => ((i * 7919 + salt * 104729) % 1999) / 1000 - 1);
  return fromTypedArray(numbers, shape);
}

/** A leaf to differentiate by. */
function input(x: Tensor): Tensor {
  const leaf = x.detach();
  leaf.requiresGrad = true;
  return leaf;
}

beforeAll(() => setNumThreads(1));

const layers: Record<string, () => Module> = {
  linear: () => new Linear(3, 4, { key }),
  'linear without bias, 3-d input': () => new Linear(3, 2, { key, bias: false }),
  conv: () => new Conv2d(2, 3, 3, { key }),
  'conv, stride 2': () => new Conv2d(2, 3, 3, { key, stride: 2, padding: 1, bias: false }),
  'conv, uneven kernel, stride and padding': () => new Conv2d(1, 2, [1, 3], { key, stride: [2, 1], padding: [0, 2] }),
  'conv, dilation': () => new Conv2d(2, 1, 2, { key, dilation: [2, 1] }),
  'conv, 2 groups': () => new Conv2d(4, 2, 2, { key, groups: 2 }),
  'conv, depthwise': () => new Conv2d(3, 6, 3, { key, padding: 1, groups: 3, bias: false }),
  'max pool': () => new MaxPool2d(2),
  'max pool, stride and padding': () => new MaxPool2d(3, { stride: 2, padding: 1 }),
  'max pool, dilation and ceil': () =>
    new MaxPool2d([2, 3], { stride: 2, padding: [0, 1], dilation: [2, 1], ceilMode: true }),
  'average pool': () => new AvgPool2d([2, 1]),
  'average pool, padding': () => new AvgPool2d(3, { stride: 2, padding: 1 }),
  'average pool, padding not counted, ceil': () =>
    new AvgPool2d([3, 2], { stride: 2, padding: [1, 0], ceilMode: true, countIncludePad: false }),
  'adaptive average pool': () => new AdaptiveAvgPool2d([2, 3]),
  'adaptive average pool to 1': () => new AdaptiveAvgPool2d(1),
  flatten: () => new Flatten(),
  'flatten two in the middle': () => new Flatten({ startDim: 1, endDim: 2 }),
  relu: () => new ReLU(),
  gelu: () => new GELU(),
  'gelu, tanh': () => new GELU({ approximate: 'tanh' }),
  silu: () => new SiLU(),
  tanh: () => new Tanh(),
  sigmoid: () => new Sigmoid(),
  sequential: () => new Sequential(new Conv2d(1, 2, 2, { key }), new Tanh(), new Flatten(), new Linear(8, 2, { key })),
};

describe('layers against PyTorch (fixtures/layers.py), float64', () => {
  test('every case has its layer here', () => {
    expect(Object.keys(layers)).toEqual(Object.keys(reference.layers));
  });

  test.each(Object.entries(reference.layers))('%s: output and every gradient', (name, expected) => {
    scope(() => {
      using module = (layers[name] as () => Module)().to({ dtype: 'float64' });
      for (const [i, parameter] of module.parameters().entries()) {
        noGrad(() => ops.aten.copy_(parameter, values(parameter.shape, 10 + i)));
      }
      const x = input(values(expected.input, 1));
      const y = module.forward(x, trainingPass());
      expect(y.shape).toEqual(expected.shape);
      expect(y).toBeAllclose(expected.output, close);
      y.backward(values(y.shape, 2));
      expect(x.grad).toBeAllclose(expected.gradInput, close);
      expect(Array.from(module.namedParameters(), ([key]) => key)).toEqual(Object.keys(expected.grads));
      for (const [key, { grad }] of module.namedParameters()) {
        expect(grad, key).toBeAllclose(expected.grads[key] as number[], close);
      }
      expect(noGrad(() => module.forward(x, evaluation))).toBeAllclose(expected.output, close);
    });
  });
});

describe('cross entropy against PyTorch (fixtures/layers.py), float64', () => {
  const classes = (): Tensor => tensor([0n, 2n, 1n, 2n]);
  const weight = (): Tensor => tensor([0.5, 2, 1.25], { dtype: 'float64' });
  const losses: Record<string, () => { targets: Tensor; options?: CrossEntropyOptions; shape?: readonly number[] }> = {
    mean: () => ({ targets: classes() }),
    sum: () => ({ targets: classes(), options: { reduction: 'sum' } }),
    none: () => ({ targets: classes(), options: { reduction: 'none' } }),
    weight: () => ({ targets: classes(), options: { weight: weight() } }),
    'ignored class': () => ({ targets: classes(), options: { ignoreIndex: 2 } }),
    'label smoothing': () => ({ targets: classes(), options: { labelSmoothing: 0.1 } }),
    'all at once': () => ({
      targets: classes(),
      options: { weight: weight(), ignoreIndex: 1, labelSmoothing: 0.3, reduction: 'sum' },
    }),
    images: () => ({
      shape: [2, 3, 2, 2],
      targets: tensor([
        [
          [0n, 2n],
          [1n, 2n],
        ],
        [
          [2n, 0n],
          [1n, 1n],
        ],
      ]),
      options: { weight: weight(), reduction: 'none' },
    }),
    probabilities: () => ({ targets: values([4, 3], 3).softmax(1), options: { labelSmoothing: 0.2 } }),
  };

  test('every case has its arguments here', () => {
    expect(Object.keys(losses)).toEqual(Object.keys(reference.losses));
  });

  test.each(Object.entries(reference.losses))('%s: loss and gradient', (name, expected) => {
    scope(() => {
      const { targets, options, shape = [4, 3] } = (losses[name] as (typeof losses)[string])();
      const logits = input(values(shape, 1).mul(3));
      const loss = crossEntropy(logits, targets, options);
      expect(loss.shape).toEqual(expected.shape);
      expect(loss).toBeAllclose(expected.output, close);
      loss.backward(values(loss.shape, 2));
      expect(logits.grad).toBeAllclose(expected.gradInput, close);
    });
  });
});

test('batch norm against PyTorch: outputs, gradients, running statistics and count over three batches', () => {
  scope(() => {
    using norm = new BatchNorm2d(2, { eps: 1e-3, momentum: 0.3 }).to({ dtype: 'float64' });
    noGrad(() => {
      ops.aten.copy_(norm.weight, values([2], 10));
      ops.aten.copy_(norm.bias, values([2], 11));
    });
    for (const [step, expected] of reference.batchNorm.entries()) {
      const x = input(values([3, 2, 2, 2], 20 + step));
      norm.weight.grad = null;
      norm.bias.grad = null;
      const y = norm.forward(x, trainingPass());
      expect(y).toBeAllclose(expected.output, close);
      y.backward(values(y.shape, 2));
      expect(x.grad).toBeAllclose(expected.gradInput, close);
      expect(norm.weight.grad).toBeAllclose(expected.gradWeight, close);
      expect(norm.bias.grad).toBeAllclose(expected.gradBias, close);
      expect(norm.runningMean).toBeAllclose(expected.runningMean, close);
      expect(norm.runningVar).toBeAllclose(expected.runningVar, close);
      expect(norm.numBatchesTracked.item()).toBe(expected.tracked);
      expect(norm.forward(x)).toBeAllclose(expected.evaluated, close);
    }
  });
});
