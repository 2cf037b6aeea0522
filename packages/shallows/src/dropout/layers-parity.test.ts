import { readFileSync } from 'node:fs';
import { fromTypedArray, noGrad, ops, scope, setNumThreads, type Tensor, tensor } from '@shallows/torch';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  type AnyModule,
  Conv1d,
  Conv2d,
  Embedding,
  GRU,
  Linear,
  LSTM,
  Module,
  MultiheadAttention,
  type StateDropout,
  trainingPass,
} from '../nn/index.js';
import { rootKey } from '../random/index.js';
import { dropAndScale, select } from './apply.js';

interface Result {
  readonly input: readonly number[];
  readonly output: readonly number[];
  readonly gradInput: readonly number[];
  readonly grads: Readonly<Record<string, readonly number[]>>;
}

const reference: {
  readonly weights: Record<string, Result>;
  readonly locked: Record<string, Result & { readonly dropped: readonly string[] }>;
  readonly attention: Result & { readonly p: number; readonly keep: readonly number[] };
  readonly words: { readonly batch: readonly number[]; readonly row: readonly number[] };
} = JSON.parse(readFileSync(new URL('fixtures/layers.json', import.meta.url), 'utf8'));
const key = rootKey(1);
const close = { rtol: 1e-9, atol: 1e-11 };
const [features, hidden] = [5, 4];

const sized = (shape: readonly number[], number: (i: number) => number): Tensor =>
  fromTypedArray(
    Float64Array.from({ length: shape.reduce((product, size) => product * size, 1) }, (_, i) => number(i)),
    shape,
  );
/** The numbers of `values` in fixtures/layers.py. */
const values = (shape: readonly number[], salt: number): Tensor =>
  sized(shape, (i) => ((i * 7919 + salt * 104729) % 1999) / 1000 - 1);
/** The numbers of `mask` there, as what is kept. */
const kept = (shape: readonly number[], salt: number): Tensor =>
  sized(shape, (i) => (((i * 40503 + salt * 7919) % 65521) % 3 === 0 ? 0 : 1));
const third = 1 / 3;

/** A dropout with masks that are given: one after the other, by salt. */
class Given extends Module implements StateDropout {
  readonly #maskShape: (shape: readonly number[]) => readonly number[];
  #salt: number;

  constructor(salt: number, maskShape: (shape: readonly number[]) => readonly number[] = (shape) => shape) {
    super();
    this.#salt = salt;
    this.#maskShape = maskShape;
  }

  isActive(): boolean {
    return true;
  }

  override forward(x: Tensor): Tensor {
    return dropAndScale(x, kept(this.#maskShape(x.shape), this.#salt++), third);
  }

  lock(state: Tensor): (state: Tensor) => Tensor {
    const mask = kept(state.shape, this.#salt++);
    return (each) => dropAndScale(each, mask, third);
  }
}

/** Fills a module as the reference does, runs it and compares everything. */
function compare<T extends AnyModule>(module: T, expected: Result, run: (x: Tensor, module: T) => Tensor): void {
  const own = module.to({ dtype: 'float64' });
  for (const [i, parameter] of own.parameters().entries()) {
    noGrad(() => ops.aten.copy_(parameter, values(parameter.shape, 10 + i).div(2)));
  }
  const x = values(expected.input, 1);
  x.requiresGrad = true;
  const y = run(x, own);
  expect(y).toBeAllclose(expected.output, close);
  y.backward(values(y.shape, 2));
  expect(x.grad).toBeAllclose(expected.gradInput, close);
  for (const [name, { grad }] of own.namedParameters()) {
    expect(grad, name).toBeAllclose(expected.grads[name] ?? [], close);
  }
}

beforeAll(() => setNumThreads(1));

describe('dropped weights against PyTorch (fixtures/layers.py)', () => {
  const convolution = { key, stride: 2, padding: 1, groups: 2, paddingMode: 'reflect' } as const;
  const recurrent = { key, batchFirst: true, numLayers: 2, bidirectional: true } as const;

  test.each([
    ['linear', () => new Linear(5, 4, { key })],
    ['conv1d', () => new Conv1d(4, 6, 3, convolution)],
    ['conv2d', () => new Conv2d(4, 6, 3, convolution)],
  ] as const)('%s', (name, make) => {
    scope(() => {
      const layer: Linear | Conv1d | Conv2d = make();
      layer.dropConnect = new Given(20);
      compare(layer, reference.weights[name] as Result, (x, module) => module.forward(x, trainingPass()));
    });
  });

  test.each([
    ['lstm', () => new LSTM(features, hidden, recurrent)],
    ['gru', () => new GRU(features, hidden, recurrent)],
  ] as const)('%s', (name, make) => {
    scope(() => {
      const layer: LSTM | GRU = make();
      layer.hiddenDropConnect = new Given(20);
      compare(layer, reference.weights[name] as Result, (x, module) => module.forward(x, null, trainingPass()).output);
    });
  });
});

describe('locked dropout against PyTorch’s cells (fixtures/layers.py)', () => {
  test.each(Object.entries(reference.locked))('%s', (name, expected) => {
    scope(() => {
      const over = (salt: number): Given => new Given(salt, ([batch = 0, , size = 0]) => [batch, 1, size]);
      const has = (what: string): boolean => expected.dropped.includes(what);
      const options = {
        key,
        batchFirst: true,
        numLayers: 2,
        bidirectional: true,
        dropouts: {
          input: has('input') ? over(30) : null,
          between: has('between') ? over(31) : null,
          output: has('output') ? over(32) : null,
          hidden: has('hidden') ? new Given(40) : null,
        },
      };
      const layer = name.startsWith('LSTM') ? new LSTM(features, hidden, options) : new GRU(features, hidden, options);
      compare(layer, expected, (x, module) => module.forward(x, null, trainingPass()).output);
    });
  });

  test('a layer that has time first gives its dropouts the batch first', () => {
    scope(() => {
      const shapes: string[] = [];
      class Listening extends Given {
        override forward(x: Tensor): Tensor {
          shapes.push(x.shape.join());
          return super.forward(x);
        }
      }
      const dropouts = { input: new Listening(30), output: new Listening(32) };
      const lstm = new LSTM(features, hidden, { key, dropouts }).to({ dtype: 'float64' });
      const { output, state } = lstm.forward(values([7, 3, features], 1), null, trainingPass());
      expect(shapes).toEqual([`3,7,${features}`, `3,7,${hidden}`]);
      expect([output.shape, state.h.shape]).toEqual([
        [7, 3, hidden],
        [1, 3, hidden],
      ]);
    });
  });
});

test('dropped attention weights against PyTorch (fixtures/layers.py)', () => {
  scope(() => {
    const { p, keep } = reference.attention;
    class Known extends Given {
      override forward(weights: Tensor): Tensor {
        return dropAndScale(weights, fromTypedArray(Float64Array.from(keep), weights.shape), p);
      }
    }
    const attention = new MultiheadAttention(8, 2, { key, batchFirst: true, dropout: new Known(0) });
    compare(attention, reference.attention, (x, module) => module.forward(x, x, x, {}, trainingPass()));
  });
});

test('dropped words against a table whose rows are dropped (fixtures/layers.py)', () => {
  scope(() => {
    const embedding = new Embedding(6, 3, { key }).to({ dtype: 'float64' });
    noGrad(() => ops.aten.copy_(embedding.weight, values([6, 3], 10)));
    const tokens = tensor([
      [1n, 3n, 1n, 5n],
      [0n, 4n, 1n, 1n],
    ]);
    const vectors = embedding.forward(tokens);
    const words = kept([6, 1], 50);
    expect(dropAndScale(vectors, ops.aten.embedding(words, tokens), third)).toBeAllclose(reference.words.batch, close);
    const own = kept([2, 6], 51).gather(1, tokens).unsqueeze(-1);
    expect(dropAndScale(vectors, own, third)).toBeAllclose(reference.words.row, close);
    expect(select(vectors, own).shape).toEqual([2, 4, 3]);
  });
});
