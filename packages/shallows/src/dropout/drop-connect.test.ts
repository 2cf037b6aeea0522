import { randn, scope, setNumThreads, type Tensor, trace } from '@shallows/torch';
import { beforeAll, describe, expect, test } from 'vitest';
import { ShallowsError } from '../errors.js';
import {
  Conv1d,
  Conv2d,
  evaluation,
  GRU,
  Linear,
  LSTM,
  Module,
  monteCarloPass,
  type Pass,
  rowKeysSlot,
  trainingPass,
} from '../nn/index.js';
import { deriveKey, type Key, rootKey } from '../random/index.js';
import { attachDropConnect, DropConnect, dropConnect, nameDropouts } from './index.js';

const key = rootKey(2);
const numbers = (x: Tensor): number[] => Array.from(x.toArray(), Number);
const options = { key, stride: 2, padding: 1, groups: 2, paddingMode: 'circular' } as const;

/** A layer of any kind that gives a tensor. */
class Holder extends Module {
  constructor(readonly layer: Linear | Conv1d | Conv2d | LSTM | GRU) {
    super();
  }

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    const { layer } = this;
    if (layer instanceof LSTM) return layer.forward(x, null, pass).output;
    if (layer instanceof GRU) return layer.forward(x, null, pass).output;
    return layer.forward(x, pass);
  }
}

const layers = [
  ['Linear', () => new Linear(4, 3, { key }), [6, 4]],
  ['Conv1d', () => new Conv1d(4, 6, 3, options), [6, 4, 7]],
  ['Conv2d', () => new Conv2d(4, 6, 3, options), [6, 4, 5, 5]],
  ['LSTM', () => new LSTM(4, 3, { key, numLayers: 2, bidirectional: true, batchFirst: true }), [6, 5, 4]],
  ['GRU, time first', () => new GRU(4, 3, { key, numLayers: 2 }), [5, 6, 4]],
] as const;

beforeAll(() => setNumThreads(1));

describe.each(layers)('%s', (name, make, shape) => {
  const rowDim = name.endsWith('time first') ? 1 : 0;
  const named = (rate: number, weights: 'hidden' | 'input' | 'all' = 'all'): Holder => {
    const model = new Holder(make());
    attachDropConnect(model.layer, rate, { weights });
    nameDropouts(model);
    return model;
  };

  test('keeps the layer: the same object, weights and keys; at rate 0 and in evaluation the same operators and bits', () => {
    scope(() => {
      const layer = make();
      const keys = Object.keys(layer.stateDict());
      const parameters = layer.parameters();
      const x = randn(shape);
      const plain = new Holder(layer);
      const before = trace(() => plain.forward(x, trainingPass({ key })));
      const inEvaluation = trace(() => plain.forward(x));
      expect(attachDropConnect(layer, 0)).toBe(layer);
      nameDropouts(plain);
      expect(Object.keys(layer.stateDict())).toEqual(keys);
      expect(layer.parameters().every((each, i) => each === parameters[i])).toBe(true);
      const after = trace(() => plain.forward(x, trainingPass({ key })));
      expect(after.calls).toEqual(before.calls);
      expect(numbers(after.result)).toEqual(numbers(before.result));
      attachDropConnect(layer, 0.5);
      nameDropouts(plain);
      const evaluated = trace(() => plain.forward(x));
      expect(evaluated.calls).toEqual(inEvaluation.calls);
      expect(numbers(evaluated.result)).toEqual(numbers(inEvaluation.result));
    });
  });

  test('one mask for all rows: rows that are alike stay so', () => {
    scope(() => {
      const model = named(0.5);
      const x = randn(shape).narrow(rowDim, 0, 1).expand(shape);
      const y = model.forward(x, trainingPass({ key }));
      expect(numbers(y)).not.toEqual(numbers(model.forward(x)));
      for (const row of [1, 5]) {
        expect(y.narrow(rowDim, row, 1)).toBeAllclose(y.narrow(rowDim, 0, 1), { rtol: 1e-5, atol: 1e-6 });
      }
    });
  });

  test('with keys for rows, each has the weights that it has alone', () => {
    scope(() => {
      const model = named(0.5);
      const x = randn(shape);
      const keys = [0, 1, 1, 2, 0, 0].map((request) => deriveKey(key, 'request', request));
      const of = (rows: Tensor, own: readonly Key[]): Tensor =>
        model.forward(rows, monteCarloPass({ key }).with(rowKeysSlot, own));
      const whole = of(x, keys);
      for (let row = 0; row < 6; row++) {
        const alone = of(x.narrow(rowDim, row, 1), keys.slice(row, row + 1));
        expect(whole.narrow(rowDim, row, 1), `row ${row}`).toBeAllclose(alone, { rtol: 1e-5, atol: 1e-6 });
      }
      const alike = of(x.narrow(rowDim, 0, 1).expand(shape), keys);
      expect(alike.narrow(rowDim, 0, 1)).toBeAllclose(alike.narrow(rowDim, 4, 1), { rtol: 1e-5, atol: 1e-6 });
      expect(alike.narrow(rowDim, 0, 1)).not.toBeAllclose(alike.narrow(rowDim, 1, 1), { rtol: 1e-2 });
      expect(() => of(x, keys.slice(1))).toThrow('expected 5 rows, as the pass has keys for them, got 6');
    });
  });

  test('gradients go to the weights that were kept alone', () => {
    scope(() => {
      const model = named(0.5);
      model.forward(randn(shape), trainingPass({ key })).pow(2).sum().backward();
      for (const [path, parameter] of model.namedParameters()) {
        const grads = numbers(parameter.grad as Tensor);
        if (!path.includes('weight')) continue;
        const share = grads.filter((each) => each === 0).length / grads.length;
        // Of some dozens of weights: half are dropped, and a dropped one has no gradient.
        expect(share, path).toBeGreaterThan(0.15);
        expect(share, path).toBeLessThan(0.85);
      }
    });
  });
});

describe('attachDropConnect', () => {
  test('of recurrent layers drops weights of the state, the input or both', () => {
    scope(() => {
      for (const [weights, names] of [
        ['hidden', ['layer.hidden_drop_connect']],
        ['input', ['layer.input_drop_connect']],
        ['all', ['layer.input_drop_connect', 'layer.hidden_drop_connect']],
      ] as const) {
        const model = new Holder(new LSTM(2, 2, { key }));
        attachDropConnect(model.layer, 0.5, { weights });
        expect(nameDropouts(model).map(({ name }) => name)).toEqual(names);
      }
    });
  });

  test('steps of an LSTM stay one operator', () => {
    scope(() => {
      const model = new Holder(new LSTM(2, 2, { key, numLayers: 2 }));
      attachDropConnect(model.layer, 0.5);
      nameDropouts(model);
      const { calls } = trace(() => model.forward(randn([9, 3, 2]), trainingPass({ key })));
      expect(calls.filter(({ op }) => op.startsWith('aten::lstm'))).toHaveLength(1);
      expect(calls.some(({ op }) => op.includes('lstm_cell'))).toBe(false);
    });
  });

  test('wrong arguments', () => {
    using layer = new Linear(2, 2, { key });
    expect(() => attachDropConnect(layer, Number.NaN)).toThrow(
      'DropConnect: rate: expected a drop rate in [0, 1], got NaN',
    );
    expect(layer.dropConnect).toBeNull();
    expect(() => attachDropConnect(layer, 0.1, { weights: 'some' as 'all' })).toThrow(ShallowsError);
    expect(() => attachDropConnect({} as Linear, 0.1)).toThrow(
      'attachDropConnect: expected a Linear, Conv1d, Conv2d, LSTM or GRU, got an object',
    );
  });
});

test('a weight alone cannot be that of rows with several keys', () => {
  scope(() => {
    const pass = trainingPass({ key }).with(rowKeysSlot, [key, rootKey(3)]);
    expect(() => dropConnect(randn([4]), 0.5, pass, { name: 'w' })).toThrow(
      "dropConnect: expected rows of one key at 'w', got several - weights are for all rows",
    );
    const same = trainingPass({ key }).with(rowKeysSlot, [key, key]);
    const module = new DropConnect(0.5, { name: 'w' });
    expect(numbers(module.forward(randn([40]).abs().add(1), same)).some((each) => each === 0)).toBe(true);
  });
});
