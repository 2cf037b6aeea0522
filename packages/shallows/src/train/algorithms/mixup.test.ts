import { randn, type Tensor, tensor, zeros } from '@shallows/torch';
import { describe, expect, test } from 'vitest';
import { fakeBatch, fakeTraining } from '../../../../../tests/support/fake-training.js';
import { ShallowsError } from '../../errors.js';
import type { Algorithm, WholeBatch } from '../index.js';
import { cutMix, mixUp, mixupOrCutmix } from './mixup.js';

const make: Record<string, () => Algorithm> = { mixUp, cutMix, mixupOrCutmix };
const inputs = randn([4, 2, 5, 7]);
const targets = tensor([2n, 0n, 1n, 2n]);

function mixed(algorithm: Algorithm, number = 0, x: Tensor = inputs): WholeBatch {
  const training = fakeTraining();
  const batch = fakeBatch(x, targets, number);
  void algorithm.onFitStart?.(training);
  algorithm.onBatchStart?.(training, batch);
  return batch;
}
const numbers = (x: Tensor): number[] => Array.from(x.toArray(), Number);

describe.each(Object.entries(make))('%s', (_, create) => {
  test('mixes inputs and makes targets probabilities, the same for a batch of the same number', () => {
    const [first, again, other] = [mixed(create()), mixed(create()), mixed(create(), 1)];
    expect(first.targets.shape).toEqual([4, 3]);
    expect(first.targets.sum(1)).toBeAllclose([1, 1, 1, 1], { rtol: 1e-6 });
    expect(numbers(first.inputs)).not.toEqual(numbers(inputs));
    expect(numbers(again.inputs)).toEqual(numbers(first.inputs));
    expect(numbers(again.targets)).toEqual(numbers(first.targets));
    expect(numbers(other.inputs)).not.toEqual(numbers(first.inputs));
  });

  test('shares targets as it shares pixels', () => {
    // Pictures of one value each, so that the mean of a mixed one says how much of each it has.
    const flat = tensor([1, 10, 100, 1000]).reshape([4, 1, 1, 1]).expand([4, 2, 5, 7]);
    for (let i = 0; i < 8; i++) {
      const batch = mixed(create(), i, flat);
      const means = numbers(batch.inputs.mean([1, 2, 3]));
      const shares = numbers(batch.targets);
      for (const [row, mean] of means.entries()) {
        const value = 10 ** row;
        const own = [2, 0, 1, 2][row] as number;
        const partner = [0, 1, 2, 3].find((other) => {
          const lambda = (mean - 10 ** other) / (value - 10 ** other);
          const expected = (other === row ? 1 : lambda) + ([2, 0, 1, 2][other] === own ? 1 - lambda : 0);
          return Math.abs((shares[3 * row + own] as number) - (other === row ? 1 : expected)) < 1e-4;
        });
        expect(partner, `batch ${i}, row ${row}`).toBeDefined();
      }
    }
  });

  test('leaves a batch of one row alone', () => {
    const batch = fakeBatch(inputs.narrow(0, 0, 1), targets.narrow(0, 0, 1));
    create().onBatchStart?.(fakeTraining(), batch);
    expect(batch.targets.dtype).toBe('int64');
  });

  test('a language task is an error when the run starts, integers are one at the batch', () => {
    const start = (): unknown => create().onFitStart?.(fakeTraining({ data: { task: 'language' } }));
    expect(start).toThrow(ShallowsError);
    expect(start).toThrow('expected a task with one target a row, got language');
    const bytes = fakeBatch(zeros([4, 2, 5, 7], { dtype: 'int64' }), targets);
    expect(() => create().onBatchStart?.(fakeTraining(), bytes)).toThrow(
      'expected inputs of a floating dtype, got int64',
    );
  });
});

test('only pictures can be cut', () => {
  const table = fakeTraining({ data: { inputShape: [9] } });
  expect(() => cutMix().onFitStart?.(table)).toThrow('cutMix: expected pictures [C, H, W], got inputs [9]');
  expect(() => mixupOrCutmix().onFitStart?.(table)).toThrow('mixupOrCutmix: expected pictures');
  expect(() => mixUp().onFitStart?.(table)).not.toThrow();
});

test('probabilities say how many batches are mixed, and how many by CutMix', () => {
  // Pictures of one value each: MixUp leaves one value in a picture, CutMix one or two of the four.
  const flat = tensor([1, 10, 100, 1000]).reshape([4, 1, 1, 1]).expand([4, 2, 5, 7]);
  const values = new Set([1, 10, 100, 1000]);
  const count = (algorithm: Algorithm, holds: (batch: WholeBatch) => boolean): number =>
    Array.from({ length: 400 }, (_, i) => mixed(algorithm, i, flat)).filter(holds).length;
  const isMixed = ({ targets: each }: WholeBatch): boolean => each.ndim === 2;
  const isCut = (batch: WholeBatch): boolean =>
    isMixed(batch) && numbers(batch.inputs).every((value) => values.has(value));
  // |n − 400·p| > 4.42 standard deviations: below 1e-5 for another key.
  expect(Math.abs(count(mixUp({ prob: 0.25 }), isMixed) - 100)).toBeLessThan(38);
  expect(count(cutMix({ prob: 0 }), isMixed)).toBe(0);
  const both = mixupOrCutmix({ prob: 0.5, switchProb: 0.8 });
  expect(Math.abs(count(both, isMixed) - 200)).toBeLessThan(44);
  expect(Math.abs(count(both, isCut) - 160)).toBeLessThan(44);
});

test('a model with more outputs than classes says how many', () => {
  expect(mixed(mixUp({ classes: 5 })).targets.shape).toEqual([4, 5]);
});

test.each<[string, () => Algorithm, string]>([
  ['alpha', () => mixUp({ alpha: 0 }), 'mixUp: alpha: expected a number above 0, got 0'],
  ['prob', () => cutMix({ prob: 1.5 }), 'cutMix: prob: expected a number from 0 to 1, got 1.5'],
  ['classes', () => mixUp({ classes: 1 }), 'classes: expected a whole number from 2, got 1'],
  [
    'switchProb',
    () => mixupOrCutmix({ mixup: -1, switchProb: Number.NaN }),
    'mixupOrCutmix: mixup: expected a number above 0, got -1; switchProb: expected a number from 0 to 1, got NaN',
  ],
])('%s out of range is an error', (_, create, message) => {
  expect(create).toThrow(ShallowsError);
  expect(create).toThrow(message);
});
