import { readFileSync } from 'node:fs';
import { fromTypedArray, noGrad, ops, randn, scope, setNumThreads, type Tensor, tensor } from '@shallows/torch';
import { beforeAll, describe, expect, test } from 'vitest';
import { rootKey } from '../random/index.js';
import {
  Conv1d,
  Conv2d,
  Embedding,
  type EmbeddingOptions,
  GroupNorm,
  type Module,
  RMSNorm,
  trainingPass,
} from './index.js';

interface LayerResult {
  readonly input: readonly number[];
  readonly shape: readonly number[];
  readonly output: readonly number[];
  readonly gradInput: readonly number[];
  readonly grads: Readonly<Record<string, readonly number[]>>;
}
interface EmbeddingResult {
  readonly output: readonly number[];
  readonly weight: readonly number[];
  readonly gradWeight: readonly number[];
}

const reference: {
  readonly layers: Record<string, LayerResult>;
  readonly embeddings: Record<string, EmbeddingResult>;
} = JSON.parse(readFileSync(new URL('fixtures/more_layers.json', import.meta.url), 'utf8'));
const close = { rtol: 1e-10, atol: 1e-12 };
const key = rootKey(1);

/** The numbers of `values` in fixtures/more_layers.py. */
function values(shape: readonly number[], salt: number): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  const numbers = Float64Array.from({ length: count }, (_, i) => ((i * 7919 + salt * 104729) % 1999) / 1000 - 1);
  return fromTypedArray(numbers, shape);
}

beforeAll(() => setNumThreads(1));

const layers: Record<string, () => Module> = {
  conv1d: () => new Conv1d(2, 3, 3, { key }),
  'conv1d, all options': () => new Conv1d(4, 6, 3, { key, stride: 2, padding: 2, dilation: 2, groups: 2, bias: false }),
  'conv1d, reflect': () => new Conv1d(2, 1, 3, { key, padding: 2, paddingMode: 'reflect' }),
  'conv1d, circular': () => new Conv1d(1, 2, 2, { key, padding: 1, paddingMode: 'circular' }),
  'conv2d, reflect': () => new Conv2d(1, 2, 3, { key, padding: [1, 2], paddingMode: 'reflect' }),
  'conv2d, replicate, stride': () =>
    new Conv2d(2, 2, 2, { key, stride: 2, padding: 1, paddingMode: 'replicate', groups: 2 }),
  'conv2d, circular, dilation': () => new Conv2d(1, 1, 2, { key, padding: 1, dilation: 2, paddingMode: 'circular' }),
  'group norm': () => new GroupNorm(2, 6, { eps: 1e-3 }),
  'group norm of maps, without γ': () => new GroupNorm(3, 3, { affine: false }),
  'group norm, one group': () => new GroupNorm(1, 4),
  'rms norm': () => new RMSNorm(4),
  'rms norm of two dimensions, ε': () => new RMSNorm([2, 3], { eps: 0.1 }),
  'rms norm without γ': () => new RMSNorm(3, { affine: false }),
};

const embeddings: Record<string, Omit<EmbeddingOptions, 'key'>> = {
  embedding: {},
  padding: { padding: 1 },
  frequencies: { scaleGradByFreq: true },
  'longest vectors': { maxNorm: 0.7 },
  'longest vectors, sum of sizes, padding': { maxNorm: 0.5, normType: 1, padding: 3 },
};

describe('against PyTorch (fixtures/more_layers.py), float64', () => {
  test('every case is here', () => {
    expect(Object.keys(layers)).toEqual(Object.keys(reference.layers));
    expect(Object.keys(embeddings)).toEqual(Object.keys(reference.embeddings));
  });

  test.each(Object.entries(reference.layers))('%s: output and every gradient', (name, expected) => {
    scope(() => {
      using module = (layers[name] as () => Module)().to({ dtype: 'float64' });
      for (const [i, parameter] of module.parameters().entries()) {
        noGrad(() => ops.aten.copy_(parameter, values(parameter.shape, 10 + i)));
      }
      const x = values(expected.input, 1);
      x.requiresGrad = true;
      const y = module.forward(x, trainingPass());
      expect(y.shape).toEqual(expected.shape);
      expect(y).toBeAllclose(expected.output, close);
      y.backward(values(y.shape, 2));
      expect(x.grad).toBeAllclose(expected.gradInput, close);
      expect(Array.from(module.namedParameters(), ([name]) => name)).toEqual(Object.keys(expected.grads));
      for (const [name, { grad }] of module.namedParameters()) {
        expect(grad, name).toBeAllclose(expected.grads[name] ?? [], close);
      }
    });
  });

  test.each(Object.entries(reference.embeddings))('embedding, %s: output, table and gradient', (name, expected) => {
    scope(() => {
      const module = new Embedding(5, 3, { key, ...embeddings[name] }).to({ dtype: 'float64' });
      noGrad(() => ops.aten.copy_(module.weight, values([5, 3], 10)));
      const y = module.forward(
        tensor([
          [1n, 3n, 1n],
          [0n, 4n, 1n],
        ]),
      );
      expect(y).toBeAllclose(expected.output, close);
      y.backward(values(y.shape, 2));
      expect(module.weight).toBeAllclose(expected.weight, close);
      expect(module.weight.grad).toBeAllclose(expected.gradWeight, close);
    });
  });
});

describe('wrong arguments', () => {
  test.each([
    [
      () => new Conv1d(3, 4, 0, { key, stride: 0 }),
      'Conv1d: kernelSize: expected a whole number from 1, got 0; stride: ',
    ],
    [() => new Conv1d(4, 6, 3, { key, groups: 4 }), 'groups: expected a divisor of the 6 outChannels, got 4'],
    [
      () => new Conv2d(1, 1, 1, { key, paddingMode: 'mirror' as 'reflect' }),
      'Conv2d: paddingMode: expected zeros, reflect, replicate or circular, got "mirror"',
    ],
    [
      () => new GroupNorm(4, 6),
      'GroupNorm: groups: expected a divisor of the 6 channels, got 4 - write new GroupNorm(',
    ],
    [() => new GroupNorm(2, 4, { eps: Number.NaN }), 'eps: expected a number from 0, got NaN'],
    [() => new RMSNorm([]), 'RMSNorm: normalizedShape: expected a whole number from 1 or a list of them'],
    [() => new RMSNorm(3, { eps: -1 }), 'eps: expected a number from 0, or null, got -1'],
    [() => new Embedding(4, 2, { key, maxNorm: 0 }), 'maxNorm: expected a number above 0, or null, got 0'],
    [() => new Embedding(4, 2, { key, normType: -1 }), 'normType: expected a number above 0, got -1'],
  ])('%o', (make, message) => {
    expect(make).toThrow(message);
  });

  test('channels that a norm has not', () => {
    using norm = new GroupNorm(2, 4);
    using x = randn([2, 3, 4]);
    expect(() => norm.forward(x)).toThrow('GroupNorm: expected [B, 4, …], got [2, 3, 4] - channels are the second');
  });
});
