import { readFileSync } from 'node:fs';
import { type DType, fromTypedArray, scope, setNumThreads, stats, type Tensor, tensor, zeros } from '@shallows/torch';
import { beforeAll, describe, expect, test } from 'vitest';
import { ShallowsError } from '../../errors.js';
import { rootKey } from '../../random/index.js';
import { Linear, Parameter, SGD, type SGDOptions } from '../index.js';

interface Reference {
  readonly cases: Record<string, { readonly params: number[][]; readonly momenta: (number[] | null)[] }>;
}

const reference: Reference = JSON.parse(readFileSync(new URL('../fixtures/sgd.json', import.meta.url), 'utf8'));

/** The numbers of `values` in fixtures/layers.py. */
function values(shape: readonly number[], salt: number, dtype: DType): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  const numbers = Float64Array.from({ length: count }, (_, i) => ((i * 7919 + salt * 104729) % 1999) / 1000 - 1);
  return fromTypedArray(numbers, shape, { dtype });
}

beforeAll(() => setNumThreads(1));

describe('50 steps against torch.optim.SGD (fixtures/sgd.py)', () => {
  const shapes = [[3], [2, 2], [], [1, 5]];
  const missing = (step: number, i: number): boolean =>
    (i === 1 && step % 3 === 0) || (i === 2 && step < 20) || (i === 3 && step >= 30);

  const groups: Record<string, readonly Partial<SGDOptions>[]> = {
    plain: [{}],
    momentum: [{ momentum: 0.9 }],
    dampening: [{ momentum: 0.8, dampening: 0.4 }],
    nesterov: [{ momentum: 0.9, nesterov: true }],
    'weight decay': [{ weightDecay: 0.05 }],
    'momentum and weight decay': [{ momentum: 0.9, weightDecay: 0.05 }],
    'dampening and weight decay': [{ momentum: 0.9, dampening: 1, weightDecay: 0.01 }],
    'nesterov and weight decay': [{ momentum: 0.9, nesterov: true, weightDecay: 5e-4 }],
    'two groups': [
      { lr: 0.05, weightDecay: 0.1 },
      { momentum: 0.5, nesterov: true },
    ],
  };

  function run(name: string, dtype: DType, fused = false): { params: Parameter[]; sgd: SGD } {
    const params = shapes.map((shape, i) => new Parameter(values(shape, i, dtype)));
    const [first = {}, second] = groups[name] as readonly Partial<SGDOptions>[];
    const sgd =
      second === undefined
        ? new SGD(params, { lr: 0.1, fused, ...first })
        : new SGD(
            [
              { params: params.slice(0, 2), ...first },
              { params: params.slice(2), ...second },
            ],
            { lr: 0.1, momentum: 0.9, fused },
          );
    for (let step = 0; step < 50; step++) {
      scope(() => {
        for (const [i, parameter] of params.entries()) {
          parameter.grad = missing(step, i) ? null : values(shapes[i] as number[], 100 * step + i, dtype);
        }
        sgd.step();
      });
    }
    return { params, sgd };
  }

  test('every case has its settings here', () => {
    expect(Object.keys(groups)).toEqual(Object.keys(reference.cases));
  });

  test.each(Object.entries(reference.cases))('%s', (name, expected) => {
    for (const [dtype, fused, tolerance] of [
      ['float64', false, { rtol: 1e-11, atol: 1e-12 }],
      ['float64', true, { rtol: 1e-11, atol: 1e-12 }],
      ['float32', false, { rtol: 1e-5, atol: 1e-5 }],
      ['float32', true, { rtol: 1e-5, atol: 1e-5 }],
    ] as const) {
      const { params, sgd } = run(name, dtype, fused);
      for (const [i, parameter] of params.entries())
        expect(parameter, `${i}`).toBeAllclose(expected.params[i] ?? [], tolerance);
      for (const [i, wanted] of expected.momenta.entries()) {
        const momentum = sgd.stateDict().tensors[`${i}.momentum_buffer`];
        if (wanted === null) expect(momentum).toBeUndefined();
        else expect(momentum).toBeAllclose(wanted, tolerance);
      }
    }
  });
});

describe('SGD', () => {
  test('step leaves the gradients as they are and frees what it makes; zeroGrad removes them', () => {
    const model = new Linear(3, 2, { key: rootKey(1) });
    const sgd = new SGD(model.parameters(), { lr: 0.1, momentum: 0.9, nesterov: true, weightDecay: 0.1 });
    using x = zeros([1, 3]).add(1);
    const step = (): void => {
      scope(() => {
        sgd.zeroGrad();
        model.forward(x).sum().backward();
        const before = model.weight.grad?.toArray();
        sgd.step();
        expect(model.weight.grad?.toArray()).toEqual(before);
      });
    };
    step();
    const live = stats().liveTensors;
    for (let i = 0; i < 5; i++) step();
    expect(stats().liveTensors).toBe(live);
    sgd.zeroGrad();
    expect(model.parameters().map(({ grad }) => grad)).toEqual([null, null]);
    sgd.dispose();
    expect(stats().liveTensors).toBe(live - 2);
    expect(sgd.stateDict().tensors).toEqual({});
  });

  test('without gradients nothing moves, and no momentum is made', () => {
    const weight = new Parameter(tensor([1, 2]));
    const sgd = new SGD([weight], { lr: 1, momentum: 0.9, weightDecay: 1 });
    sgd.step();
    expect(Array.from(weight.toArray(), Number)).toEqual([1, 2]);
    expect(sgd.stateDict().tensors).toEqual({});
  });

  test('a group takes the settings that it does not name from the optimizer, an undefined one too', () => {
    const [a, b] = [new Parameter(tensor([1])), new Parameter(tensor([1]))];
    const own = { params: [b], lr: 0.5, momentum: undefined } as unknown as { params: Parameter[]; lr: number };
    const sgd = new SGD([{ params: [a] }, own], { lr: 0.1, momentum: 0.9 });
    expect(sgd.groups).toMatchObject([
      { lr: 0.1, baseLr: 0.1, momentum: 0.9, dampening: 0, nesterov: false, weightDecay: 0 },
      { lr: 0.5, baseLr: 0.5, momentum: 0.9 },
    ]);
  });

  test('the rate of a group may change between steps, but not to what is no rate', () => {
    const weight = new Parameter(tensor([1]));
    const sgd = new SGD([weight], { lr: 0.5 });
    weight.grad = tensor([1]);
    const [group] = sgd.groups;
    if (group === undefined) throw new Error('no group');
    group.lr = 0.25;
    sgd.step();
    expect(weight.item()).toBe(0.75);
    for (const lr of [Number.NaN, -1, Number.POSITIVE_INFINITY]) {
      group.lr = lr;
      expect(() => sgd.step()).toThrow(`SGD.step: expected an lr from 0, got ${lr} - look at the schedule`);
    }
    expect(weight.item()).toBe(0.75);
  });

  const weight = new Parameter(tensor([1]));
  const make = (options: object, params: unknown = [weight]): (() => SGD) => {
    return () => new SGD(params as Parameter[], options as SGDOptions);
  };

  test.each<[string, () => SGD, string]>([
    ['no lr', make({}), 'SGD: lr: expected a number from 0, got undefined - write new SGD('],
    ['lr NaN', make({ lr: Number.NaN }), 'lr: expected a number from 0, got NaN'],
    ['momentum 1', make({ lr: 1, momentum: 1 }), 'momentum: expected a number from 0 to below 1, got 1'],
    ['dampening', make({ lr: 1, dampening: -1 }), 'dampening: expected a number from 0 to 1, got -1'],
    ['weight decay', make({ lr: 1, weightDecay: -1e-4 }), 'weightDecay: expected a number from 0, got -0.0001'],
    ['nesterov alone', make({ lr: 1, nesterov: true }), 'nesterov: expected a momentum above 0 with it, got 0'],
    [
      'nesterov with dampening',
      make({ lr: 1, momentum: 0.9, dampening: 0.1, nesterov: true }),
      'nesterov: expected no dampening with it, got 0.1',
    ],
    ['fused', make({ lr: 1, fused: 1 }), 'SGD: fused: expected true or false, got 1'],
    ['all at once', make({ lr: -1, momentum: 2 }), 'lr: expected a number from 0, got -1; momentum: expected'],
    [
      'a misspelt setting',
      make({ lr: 1, weightdecay: 1 }),
      "weightdecay: expected a setting of lr, momentum, dampening, nesterov, weightDecay, did you mean 'weightDecay'?",
    ],
    ['no parameters', make({ lr: 1 }, []), 'SGD: expected parameters to train, got none - pass model.parameters()'],
    [
      'a model',
      make({ lr: 1 }, new Linear(1, 1, { key: rootKey(1) })),
      'SGD: expected a list of parameters, got an object',
    ],
    ['one twice', make({ lr: 1 }, [weight, weight]), 'SGD: expected each parameter once, got one twice'],
    ['a tensor with history', make({ lr: 1 }, [weight.add(1)]), 'parameter 0: expected a live leaf tensor'],
    [
      'a group among parameters',
      make({ lr: 1 }, [weight, { params: [weight] }]),
      'parameter 1: expected a live leaf tensor',
    ],
    ['names with parameters', make({ lr: 1 }, [['weight', weight]]), 'parameter 0: expected a live leaf tensor, got ['],
  ])('%s is an error', (_, run, message) => {
    expect(run).toThrow(ShallowsError);
    expect(run).toThrow(message);
  });
});
