import { readFileSync } from 'node:fs';
import { scope, stats, type Tensor } from '@shallows/torch';
import { describe, expect, test } from 'vitest';
import { type FakeTraining, fakeTraining, progressAt } from '../../../../../tests/support/fake-training.js';
import { MovingModel, values } from '../../../../../tests/support/moving-model.js';
import { settledTensors } from '../../../../../tests/support/settled-tensors.js';
import type { BatchSource } from '../../data/index.js';
import { ShallowsError } from '../../errors.js';
import { BatchNorm2d, Conv2d, type Module, ReLU, Sequential, SGD } from '../../nn/index.js';
import { rootKey } from '../../random/index.js';
import type { Algorithm, Evaluation } from '../index.js';
import { estimateBatchNorm } from './batch-norm-statistics.js';
import { type SwaOptions, swa } from './swa.js';

type State = Readonly<Record<string, readonly number[]>>;
interface Reference {
  readonly swa: Record<string, State>;
  readonly rates: Record<string, readonly number[]>;
  readonly batchNorm: State;
}
const reference: Reference = JSON.parse(readFileSync(new URL('fixtures/averages.json', import.meta.url), 'utf8'));
const close = { rtol: 1e-11, atol: 1e-12 };
const evaluation: Evaluation = { train: { loss: 1 }, validation: { loss: 1 }, gap: { loss: 0 } };

interface Run {
  readonly model: MovingModel;
  readonly training: FakeTraining;
  readonly algorithm: Algorithm;
}

function begun(options: SwaOptions): Run {
  const model = new MovingModel();
  const training = fakeTraining({ model, optimizer: new SGD(model.parameters(), { lr: 0.37 }) });
  const algorithm = swa(options);
  void algorithm.onFitStart?.(training);
  return { model, training, algorithm };
}

/** One step of a run, numbered from 1; the rate that it was made with. */
function step({ model, training, algorithm }: Run, number: number): number {
  training.progress = progressAt(number - 1);
  for (const group of training.optimizer.groups) group.lr = group.baseLr;
  algorithm.onOptimizerStepStart?.(training);
  const { lr } = training.optimizer.groups[0] ?? { lr: Number.NaN };
  model.goTo(number);
  training.progress = progressAt(number);
  void algorithm.onBatchEnd?.(training);
  return lr;
}

function expectState({ algorithm }: Run, expected: State): void {
  const tensors: Readonly<Record<string, Tensor>> = algorithm.stateDict?.().tensors ?? {};
  for (const [key, value] of Object.entries(expected)) expect(tensors[key], key).toBeAllclose(value, close);
}

describe('torch.optim.swa_utils (fixtures/averages.py)', () => {
  test('the mean of every weight', () => {
    const run = begun({ start: '0ba', every: '1ba' });
    for (let i = 1; i <= 20; i++) step(run, i);
    const { count: _, running: __, ...weights } = reference.swa['every 1'] as State;
    expectState(run, weights);
    // Buffers are taken as they are.
    expectState(run, { count: [20], running: Array.from(values([2], 120).toArray(), Number) });
  });

  test('the mean of every third', () => {
    const run = begun({ start: '0ba', every: '3ba' });
    for (let i = 1; i <= 20; i++) step(run, i);
    const { weight } = reference.swa['every 3, buffers'] as State;
    expectState(run, { weight: weight ?? [] });
    expect(run.algorithm.stateDict?.().json).toMatchObject({ count: 6 });
  });

  test.each<[string, SwaOptions]>([
    ['cosine', { anneal: '7ba' }],
    ['linear', { anneal: '4ba', shape: 'linear' }],
    ['at once', { anneal: '0ba' }],
  ])('rates, %s', (name, options) => {
    const run = begun({ start: '5ba', rate: 0.05 / 0.37, ...options });
    const rates = Array.from({ length: 17 }, (_, i) => step(run, i + 1));
    expect(rates.slice(0, 5)).toEqual([0.37, 0.37, 0.37, 0.37, 0.37]);
    expect(rates.slice(5)).toBeAllclose(reference.rates[name] ?? [], close);
  });

  test('statistics of batch norms, of all else in evaluation', async () => {
    const { net, source } = network();
    const before = Object.keys(net.stateDict());
    await estimateBatchNorm(net, source);
    for (const [key, value] of Object.entries(reference.batchNorm)) {
      expect(net.stateDict()[key], key).toBeAllclose(value, close);
    }
    expect(Object.keys(net.stateDict())).toEqual(before);
    expect(Object.getOwnPropertyNames(net.layers[1])).not.toContain('forward');
  });
});

class Network extends Sequential {
  readonly layers: readonly Module[];
  constructor(...layers: Module[]) {
    super(...layers);
    this.layers = layers;
    Object.defineProperty(this, 'layers', { enumerable: false });
  }
}

/** The network and batches of the fixture. */
function network(): { net: Network; source: BatchSource } {
  const key = rootKey(1);
  const net = new Network(
    new Conv2d(2, 3, 3, { bias: false, key }),
    new BatchNorm2d(3),
    new ReLU(),
    new Conv2d(3, 2, 3, { bias: false, key }),
    new BatchNorm2d(2, { momentum: 0.3 }),
  );
  net.to({ dtype: 'float64' });
  net.loadStateDict({ '0.weight': values([3, 2, 3, 3], 5), '3.weight': values([2, 3, 3, 3], 6) }, { strict: false });
  const rows = [4, 4, 3];
  const at = (i: number): { inputs: Tensor; targets: Tensor; indices: Uint32Array; size: number } => {
    const size = rows[i] ?? 0;
    return {
      inputs: values([size, 2, 7, 6], 10 + i),
      targets: values([size], 0),
      indices: new Uint32Array(size),
      size,
    };
  };
  return { net, source: { length: 3, at } };
}

describe('a model with batch norm', () => {
  test('is evaluated with statistics of the mean, has its own back, and ends with the mean', async () => {
    const { net, source } = network();
    const live = await settledTensors();
    let opened = 0;
    const algorithm = swa({
      start: '0ba',
      every: '1ba',
      source: () => {
        opened++;
        return source;
      },
    });
    const training = fakeTraining({ model: net });
    await algorithm.onFitStart?.(training);
    training.progress = progressAt(0);
    algorithm.onOptimizerStepStart?.(training);
    training.progress = progressAt(1);
    void algorithm.onBatchEnd?.(training);
    const state = (): Uint8Array[] => Object.values(net.stateDict()).map((each) => each.toBytes());
    const own = state();
    await algorithm.onEvaluationStart?.(training);
    expect(net.stateDict()['1.running_var']).toBeAllclose(reference.batchNorm['1.running_var'] ?? [], close);
    const evaluated = state();
    await algorithm.onEvaluationEnd?.(training, evaluation);
    expect(state()).toEqual(own);
    await algorithm.onFitEnd?.({ ...training, ended: 'done' });
    expect(state()).toEqual(evaluated);
    expect(opened).toBe(1);
    training.optimizer.dispose();
    expect(stats().liveTensors - live).toBe(0);
  });

  test('needs a source', () => {
    const start = (): unknown => swa().onFitStart?.(fakeTraining({ model: network().net }));
    expect(start).toThrow(ShallowsError);
    expect(start).toThrow('swa: expected a source of batches for a model with batch norm, got none');
  });

  test('gets its forward back where a batch cannot be read', async () => {
    const { net } = network();
    const at = (): never => {
      throw new Error('torn file');
    };
    await expect(estimateBatchNorm(net, { length: 2, at })).rejects.toThrow('torn file');
    expect(Object.getOwnPropertyNames(net.layers[1])).not.toContain('forward');
  });
});

test('begins at its start, at the ends of periods', async () => {
  const run = begun({ start: '0.15dur', every: '1ep' });
  for (let i = 1; i <= 30; i++) step(run, i);
  expect(run.algorithm.stateDict?.().json).toMatchObject({ count: 2, begun: { batch: 15 } });
  const mean = scope(() =>
    Array.from(
      values([3], 20)
        .add(values([3], 30))
        .div(2)
        .toArray(),
      Number,
    ),
  );
  expectState(run, { weight: mean });
  await run.algorithm.onFitEnd?.({ ...run.training, ended: 'stopped' });
  expect(run.model.weight).toBeAllclose(mean, close);
});

test('resumed in the middle it goes on, rates too', () => {
  const options: SwaOptions = { start: '2ba', every: '2ba', rate: 0.1, anneal: '10ba' };
  const [whole, first, second] = [begun(options), begun(options), begun(options)];
  const expected = Array.from({ length: 12 }, (_, i) => step(whole, i + 1));
  for (let i = 1; i <= 5; i++) step(first, i);
  const state = first.algorithm.stateDict?.();
  if (state === undefined) throw new Error('no state');
  second.algorithm.loadStateDict?.({ ...state, json: JSON.parse(JSON.stringify(state.json)) });
  const rates = Array.from({ length: 7 }, (_, i) => step(second, i + 6));
  expect(rates).toEqual(expected.slice(5));
  const bytes = ({ algorithm }: Run): Uint8Array[] =>
    Object.values(algorithm.stateDict?.().tensors ?? {}).map((each) => each.toBytes());
  expect(bytes(second)).toEqual(bytes(whole));
});

test('a run that ends before the start, or fails, leaves the weights as they are', async () => {
  for (const [start, ended] of [
    ['0.9dur', 'done'],
    ['0ba', null],
  ] as const) {
    const run = begun({ start, every: '1ba' });
    for (let i = 1; i <= 3; i++) step(run, i);
    await run.algorithm.onEvaluationStart?.({ ...run.training });
    await run.algorithm.onEvaluationEnd?.(run.training, evaluation);
    await run.algorithm.onFitEnd?.({ ...run.training, ended });
    expect(run.model.weight.toBytes()).toEqual(values([3], 3).toBytes());
  }
});

test.each<[SwaOptions, string]>([
  [{ start: 'late' }, 'swa: start: expected a number and a unit, got "late"'],
  [{ every: '-1ep', anneal: '1' }, 'every: expected a number and a unit, got "-1ep"; anneal: expected'],
  [{ rate: -1 }, 'rate: expected a number from 0, got -1'],
  [{ shape: 'cubic' as 'linear' }, 'shape: expected cosine or linear, got "cubic"'],
  [{ batches: 0 }, 'batches: expected a whole number from 1, got 0'],
  [{ source: [] as unknown as () => BatchSource }, 'source: expected a function of an epoch, got []'],
])('%o is an error', (options, message) => {
  expect(() => swa(options)).toThrow(ShallowsError);
  expect(() => swa(options)).toThrow(message);
});

test('refuses states of something else', () => {
  const { algorithm } = begun({});
  for (const json of [null, { count: 1 }, { count: -1, begun: null }, { count: 1, begun: { batch: 1 } }]) {
    expect(() => algorithm.loadStateDict?.({ tensors: {}, json })).toThrow(
      'swa.loadStateDict: expected { count, begun }',
    );
  }
});
