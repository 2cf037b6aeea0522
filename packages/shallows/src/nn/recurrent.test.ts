import { readFileSync } from 'node:fs';
import { fromTypedArray, noGrad, ops, randn, scope, setNumThreads, type Tensor, trace } from '@shallows/torch';
import { beforeAll, describe, expect, test } from 'vitest';
import { ShallowsError } from '../errors.js';
import { rootKey } from '../random/index.js';
import { evaluation, GRU, LSTM, type RecurrentOptions, trainingPass } from './index.js';

interface Expected {
  readonly input: readonly number[];
  readonly output: readonly number[];
  readonly states: readonly (readonly number[])[];
  readonly gradInput: readonly number[];
  readonly gradStates: readonly (readonly number[])[];
  readonly grads: Readonly<Record<string, readonly number[]>>;
}

type Kind = 'LSTM' | 'GRU';
const reference: Record<Kind, Record<string, Expected>> = JSON.parse(
  readFileSync(new URL('fixtures/recurrent.json', import.meta.url), 'utf8'),
);
const key = rootKey(1);
const [features, hidden, batch] = [5, 2, 3];

const cases: Record<string, Omit<RecurrentOptions, 'key'>> = {
  'one layer': {},
  'without bias': { bias: false },
  'three layers, batch first': { numLayers: 3, batchFirst: true },
  'both directions': { bidirectional: true },
  'two layers, both directions, batch first': { numLayers: 2, bidirectional: true, batchFirst: true },
  'a state to begin with': { numLayers: 2 },
};

/** The numbers of `values` in fixtures/recurrent.py. */
function values(shape: readonly number[], salt: number): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  const numbers = Float64Array.from({ length: count }, (_, i) => ((i * 7919 + salt * 104729) % 1999) / 1000 - 1);
  return fromTypedArray(numbers, shape);
}

function leaf(x: Tensor): Tensor {
  x.requiresGrad = true;
  return x;
}

/** A module, what it gives, and what it is differentiated by: everything of a case. */
function run(kind: Kind, name: string, dtype: 'float32' | 'float64', expected: Expected) {
  const options = { key, ...cases[name] };
  const module = (kind === 'LSTM' ? new LSTM(features, hidden, options) : new GRU(features, hidden, options)).to({
    dtype,
  });
  for (const [i, parameter] of module.parameters().entries()) {
    noGrad(() => ops.aten.copy_(parameter, values(parameter.shape, 10 + i).div(2)));
  }
  const layers = (options.numLayers ?? 1) * (options.bidirectional === true ? 2 : 1);
  const x = leaf(values(expected.input, 1).to(dtype));
  const begin = expected.gradStates.map((_, i) => leaf(values([layers, batch, hidden], 3 + i).to(dtype)));
  const [h, c] = begin;
  const pass = trainingPass();
  let output: Tensor;
  let states: Tensor[];
  if (module instanceof LSTM) {
    const result = module.forward(x, h === undefined || c === undefined ? null : { h, c }, pass);
    output = result.output;
    states = [result.state.h, result.state.c];
  } else {
    const result = module.forward(x, h ?? null, pass);
    output = result.output;
    states = [result.state];
  }
  const loss = states
    .map((state, i) => state.mul(values(state.shape, 5 + i).to(dtype)).sum())
    .reduce((sum, each) => sum.add(each), output.mul(values(output.shape, 2).to(dtype)).sum());
  loss.backward();
  return { module, x, begin, output, states };
}

beforeAll(() => setNumThreads(1));

describe.each(['LSTM', 'GRU'] as const)('%s against PyTorch (fixtures/recurrent.py)', (kind) => {
  test('every case has its options here', () => {
    expect(Object.keys(cases)).toEqual(Object.keys(reference[kind]));
  });

  test.each(
    Object.entries(reference[kind]).flatMap(([name, expected]) =>
      (['float64', 'float32'] as const).map((dtype) => [name, dtype, expected] as const),
    ),
  )('%s, %s: output, states and every gradient', (name, dtype, expected) => {
    const close = dtype === 'float64' ? { rtol: 1e-9, atol: 1e-11 } : { rtol: 1e-5, atol: 1e-6 };
    scope(() => {
      const { module, x, begin, output, states } = run(kind, name, dtype, expected);
      expect(output).toBeAllclose(expected.output, close);
      for (const [i, state] of states.entries()) expect(state).toBeAllclose(expected.states[i] ?? [], close);
      expect(x.grad).toBeAllclose(expected.gradInput, close);
      for (const [i, state] of begin.entries()) expect(state.grad).toBeAllclose(expected.gradStates[i] ?? [], close);
      expect(Array.from(module.namedParameters(), ([name]) => name)).toEqual(Object.keys(expected.grads));
      for (const [name, { grad }] of module.namedParameters()) {
        expect(grad, name).toBeAllclose(expected.grads[name] ?? [], close);
      }
      module.dispose();
    });
  });
});

describe('LSTM and GRU', () => {
  test.each([LSTM, GRU])('%o: one fused operator, and gradients in evaluation too', (Layer) => {
    scope(() => {
      const layer = new Layer(features, hidden, { key, numLayers: 2, bidirectional: true, batchFirst: true });
      const x = leaf(randn([batch, 6, features]));
      const { calls } = trace(() => noGrad(() => layer.forward(x, null, trainingPass())));
      expect(calls.filter(({ op }) => /aten::(lstm|gru)/.test(op))).toHaveLength(1);
      layer.forward(x).output.sum().backward();
      expect(Array.from(x.grad?.toArray() ?? [], Number).every(Number.isFinite)).toBe(true);
      expect(layer.parameters().every(({ grad }) => grad !== null)).toBe(true);
    });
  });

  test('states run on: two halves are the whole', () => {
    scope(() => {
      const lstm = new LSTM(features, hidden, { key, batchFirst: true, numLayers: 2 });
      const x = randn([batch, 6, features]);
      const whole = noGrad(() => lstm.forward(x));
      const first = noGrad(() => lstm.forward(x.narrow(1, 0, 3)));
      const second = noGrad(() => lstm.forward(x.narrow(1, 3, 3), first.state, evaluation));
      expect(second.output).toBeAllclose(whole.output.narrow(1, 3, 3), { rtol: 1e-5, atol: 1e-6 });
      expect(second.state.c).toBeAllclose(whole.state.c, { rtol: 1e-5, atol: 1e-6 });
    });
  });

  test('weights are a function of the key, within 1/√hiddenSize', () => {
    const numbers = (seed: number): number[] => {
      using gru = new GRU(3, 16, { key: rootKey(seed), numLayers: 2 });
      return gru.parameters().flatMap((each) => Array.from(each.toArray(), Number));
    };
    const first = numbers(1);
    expect(numbers(1)).toEqual(first);
    expect(new Set(first).size).toBeGreaterThan(0.99 * first.length);
    expect(Math.max(...first.map(Math.abs))).toBeLessThanOrEqual(1 / 4);
    expect(Math.max(...first.map(Math.abs))).toBeGreaterThan(0.24);
    expect(numbers(2)).not.toEqual(first);
  });

  test('wrong arguments', () => {
    expect(() => new LSTM(0, 2.5, { key, numLayers: 0 })).toThrow(
      'LSTM: inputSize: expected a whole number from 1, got 0; hiddenSize: expected a whole number from 1, got 2.5; ' +
        'numLayers: expected a whole number from 1, got 0 - write new LSTM(',
    );
    using gru = new GRU(5, 2, { key });
    using wrong = randn([4, 3, 6]);
    using x = randn([4, 3, 5]);
    using state = randn([2, 3, 2]);
    expect(() => gru.forward(wrong)).toThrow(ShallowsError);
    expect(() => gru.forward(wrong)).toThrow('GRU: expected [T, B, 5], got [4, 3, 6] - give a batch of sequences');
    expect(() => gru.forward(x, state)).toThrow('GRU: expected a state of [1, 3, 2], got [2, 3, 2] - ');
    expect(() => gru.weights(1)).toThrow('GRU: expected a layer below 1 and a direction below 1, got 1 and 0');
  });
});
