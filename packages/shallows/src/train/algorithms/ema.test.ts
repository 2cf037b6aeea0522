import { readFileSync } from 'node:fs';
import { stats, type Tensor } from '@shallows/torch';
import { describe, expect, test } from 'vitest';
import { type FakeTraining, fakeTraining, progressAt } from '../../../../../tests/support/fake-training.js';
import { MovingModel } from '../../../../../tests/support/moving-model.js';
import { ShallowsError } from '../../errors.js';
import type { Algorithm, Evaluation } from '../index.js';
import { type EmaOptions, ema } from './ema.js';

type State = Readonly<Record<string, readonly number[]>>;
const reference: { readonly ema: Record<string, readonly State[]> } = JSON.parse(
  readFileSync(new URL('fixtures/averages.json', import.meta.url), 'utf8'),
);
const cases: Record<string, EmaOptions> = {
  decay: { decay: 0.9 },
  warmup: { decay: 0.8, warmup: true },
  'warmup, gamma and power': { decay: 0.95, warmup: { gamma: 3, power: 0.5 } },
  'buffers copied': { decay: 0.7, buffers: 'copy' },
};
const evaluation: Evaluation = { train: { loss: 1 }, validation: { loss: 1 }, gap: { loss: 0 } };

interface Run {
  readonly model: MovingModel;
  readonly training: FakeTraining;
  readonly algorithm: Algorithm;
}

function begun(options: EmaOptions): Run {
  const model = new MovingModel();
  const training = fakeTraining({ model });
  const algorithm = ema(options);
  void algorithm.onFitStart?.(training);
  return { model, training, algorithm };
}

function step({ model, training, algorithm }: Run, number: number): void {
  training.progress = progressAt(number - 1);
  model.goTo(number);
  algorithm.onOptimizerStepEnd?.(training);
}

function expectState({ algorithm }: Run, expected: State | undefined): void {
  const tensors: Readonly<Record<string, Tensor>> = algorithm.stateDict?.().tensors ?? {};
  for (const [key, value] of Object.entries(expected ?? {})) {
    expect(tensors[key], key).toBeAllclose(value, { rtol: 1e-11, atol: 1e-12 });
  }
}

describe("timm's ModelEmaV3 (fixtures/averages.py)", () => {
  test.each(Object.entries(cases))('%s', (name, options) => {
    const run = begun(options);
    for (const [i, expected] of (reference.ema[name] ?? []).entries()) {
      step(run, i + 1);
      expectState(run, expected);
    }
    expect(Object.keys(reference.ema)).toEqual(Object.keys(cases));
  });
});

test('resumed in the middle it goes on bit by bit', () => {
  const whole = begun({ decay: 0.9, warmup: true });
  for (let i = 1; i <= 12; i++) step(whole, i);
  const first = begun({ decay: 0.9, warmup: true });
  for (let i = 1; i <= 7; i++) step(first, i);
  const second = begun({ decay: 0.9, warmup: true });
  const state = first.algorithm.stateDict?.();
  if (state === undefined) throw new Error('no state');
  second.algorithm.loadStateDict?.({ ...state, json: JSON.parse(JSON.stringify(state.json)) });
  void first.algorithm.onFitEnd?.({ ...first.training, ended: 'interrupted' });
  for (let i = 8; i <= 12; i++) step(second, i);
  const bytes = ({ algorithm }: Run): Uint8Array[] =>
    Object.values(algorithm.stateDict?.().tensors ?? {}).map((each) => each.toBytes());
  expect(bytes(second)).toEqual(bytes(whole));
});

test('a half-life in epochs is one in batches', () => {
  const [byTime, byDecay] = [begun({ halflife: '0.5ep', every: '2ba' }), begun({ decay: 2 ** (-2 / 5), every: '2ba' })];
  for (let i = 1; i <= 9; i++) {
    step(byTime, i);
    step(byDecay, i);
  }
  expectState(byTime, { count: [8] });
  const weight = byDecay.algorithm.stateDict?.().tensors.weight;
  expect(byTime.algorithm.stateDict?.().tensors.weight).toBeAllclose(weight ?? [], { rtol: 1e-12 });
  expect(byTime.algorithm.stateDict?.().json).toEqual({ updates: 4 });
});

test('begins when it is told to, and evaluates the plain model before', async () => {
  const run = begun({ decay: 0.5, start: '2ba' });
  for (let i = 1; i <= 2; i++) step(run, i);
  expect(run.algorithm.stateDict?.().json).toEqual({ updates: 0 });
  await run.algorithm.onEvaluationStart?.(run.training);
  expect(run.model.count.item()).toBe(2);
  await run.algorithm.onEvaluationEnd?.(run.training, evaluation);
  step(run, 3);
  expect(run.algorithm.stateDict?.().json).toEqual({ updates: 1 });
});

test('a model has one average at a time', () => {
  const { model, training, algorithm } = begun({});
  const other = ema();
  expect(() => other.onFitStart?.(training)).toThrow('ema: expected one average of weights in a run, got two');
  void other.onFitEnd?.({ ...training, ended: null });
  expect(() => ema().onFitStart?.(training)).toThrow('got two');
  void algorithm.onFitEnd?.({ ...training, ended: 'done' });
  expect(() => other.onFitStart?.(training)).not.toThrow();
  void other.onFitEnd?.({ ...training, ended: 'done' });
  model.dispose();
});

describe('evaluation and end', () => {
  const after = async (options: EmaOptions, ended: 'done' | null): Promise<{ evaluated: number[]; left: number[] }> => {
    const live = stats().liveTensors;
    const run = begun({ decay: 0.5, ...options });
    for (let i = 1; i <= 5; i++) step(run, i);
    const own = run.model.weight.toBytes();
    await run.algorithm.onEvaluationStart?.(run.training);
    const evaluated = Array.from(run.model.weight.toArray(), Number);
    await run.algorithm.onEvaluationEnd?.(run.training, evaluation);
    expect(run.model.weight.toBytes()).toEqual(own);
    await run.algorithm.onFitEnd?.({ ...run.training, ended });
    const left = Array.from(run.model.weight.toArray(), Number);
    run.model.dispose();
    run.training.optimizer.dispose();
    expect(stats().liveTensors).toBe(live);
    return { evaluated, left };
  };

  test('the model is evaluated with the average, and keeps it', async () => {
    const { evaluated, left } = await after({}, 'done');
    expect(left).toEqual(evaluated);
  });

  test('it keeps its own weights where it is told to, and where the run failed', async () => {
    for (const { evaluated, left } of [await after({ atEnd: 'plain' }, 'done'), await after({}, null)]) {
      expect(left).not.toEqual(evaluated);
    }
  });
});

test.each<[EmaOptions, string]>([
  [{ halflife: '5ba', decay: 0.9 }, 'ema: options: expected halflife or decay, got "both"'],
  [{ decay: 1 }, 'decay: expected a number from 0 to below 1, got 1'],
  [{ halflife: '5' }, 'halflife: expected a number and a unit, got "5"'],
  [{ every: 'often', start: '-1ba' }, 'every: expected a number and a unit, got "often"; start: expected'],
  [{ warmup: { gamma: 0, power: -1 } }, 'gamma: expected a number above 0, got 0; power: expected a number above 0'],
  [{ buffers: 'keep' as 'copy' }, 'buffers: expected average or copy, got "keep"'],
  [{ atEnd: 'ema' as 'plain' }, 'atEnd: expected average or plain, got "ema"'],
])('%o is an error', (options, message) => {
  expect(() => ema(options)).toThrow(ShallowsError);
  expect(() => ema(options)).toThrow(message);
});

test('times on the clock are refused where batches are counted, and states of something else', () => {
  expect(() => begun({ halflife: '90sec' })).toThrow('expected a time in ep, ba, sp or dur, got 90sec');
  const { algorithm } = begun({});
  expect(() => algorithm.loadStateDict?.({ tensors: {}, json: { updates: -1 } })).toThrow(
    'ema.loadStateDict: expected { updates }, got an object',
  );
});
