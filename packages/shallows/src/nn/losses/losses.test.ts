import { readFileSync } from 'node:fs';
import { fromTypedArray, ones, type Tensor, tensor, zeros } from '@shallows/torch';
import { describe, expect, test } from 'vitest';
import { ShallowsError } from '../../errors.js';
import {
  binaryCrossEntropyWithLogits,
  crossEntropy,
  huberLoss,
  type LossReduction,
  l1Loss,
  mseLoss,
  smoothL1Loss,
  tokenCrossEntropy,
} from '../index.js';

interface Result {
  readonly shape: readonly number[];
  readonly output: readonly number[];
  readonly gradInput: readonly number[];
}
const reference: { readonly cases: Record<string, Result> } = JSON.parse(
  readFileSync(new URL('../fixtures/losses.json', import.meta.url), 'utf8'),
);

function values(shape: readonly number[], salt: number): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  const numbers = Float64Array.from({ length: count }, (_, i) => ((i * 7919 + salt * 104729) % 1999) / 1000 - 1);
  return fromTypedArray(numbers, shape);
}

const weight = fromTypedArray(Float64Array.of(0.5, 2, 0.25));
const posWeight = fromTypedArray(Float64Array.of(3, 0.5, 1));
const soft = values([4, 3], 3).softmax(1);
const targets = values([4, 3], 3);
const tokens = tensor([
  [0n, 2n, 1n],
  [2n, -100n, 0n],
]);
const smoothed = { weight, labelSmoothing: 0.1, reduction: 'none' } as const;

const cases: Record<string, [run: (x: Tensor) => Tensor, shape?: readonly number[]]> = {
  'soft targets': [(x) => crossEntropy(x, soft)],
  'soft targets, weight': [(x) => crossEntropy(x, soft, { weight })],
  'soft targets, weight, smoothing, none': [(x) => crossEntropy(x, soft, smoothed)],
  tokens: [(x) => tokenCrossEntropy(x, tokens), [2, 3, 3]],
  'tokens, weight, smoothing': [(x) => tokenCrossEntropy(x, tokens, { weight, labelSmoothing: 0.2 }), [2, 3, 3]],
  'tokens, another index ignored, none': [
    (x) => tokenCrossEntropy(x, tokens.clampMin(0), { ignoreIndex: 2, reduction: 'none' }),
    [2, 3, 3],
  ],
  'tokens, soft': [(x) => tokenCrossEntropy(x, values([2, 2, 3], 3).softmax(-1), { reduction: 'sum' }), [2, 2, 3]],
  mse: [(x) => mseLoss(x, targets)],
  'mse, sum': [(x) => mseLoss(x, targets, { reduction: 'sum' })],
  l1: [(x) => l1Loss(x, targets)],
  'l1, none': [(x) => l1Loss(x, targets, { reduction: 'none' })],
  'smooth l1': [(x) => smoothL1Loss(x, targets)],
  'smooth l1, beta': [(x) => smoothL1Loss(x, targets, { beta: 0.3 })],
  'smooth l1, no beta': [(x) => smoothL1Loss(x, targets, { beta: 0 })],
  huber: [(x) => huberLoss(x, targets)],
  'huber, delta': [(x) => huberLoss(x, targets, { delta: 0.4, reduction: 'sum' })],
  binary: [(x) => binaryCrossEntropyWithLogits(x, targets.sigmoid())],
  'binary, weights': [(x) => binaryCrossEntropyWithLogits(x, targets.gt(0).to('float64'), { weight, posWeight })],
};

describe("PyTorch's losses and their gradients (fixtures/losses.py)", () => {
  test('every case is here', () => {
    expect(Object.keys(cases)).toEqual(Object.keys(reference.cases));
  });

  test.each(Object.entries(cases))('%s', (name, [run, shape = [4, 3]]) => {
    const expected = reference.cases[name] as Result;
    const x = values(shape, 1).mul(3).detach().requiresGrad_();
    const loss = run(x);
    expect(loss.shape).toEqual(expected.shape);
    expect(loss).toBeAllclose(expected.output, { rtol: 1e-11, atol: 1e-12 });
    loss.backward(values(loss.shape, 2));
    expect(x.grad?.flatten()).toBeAllclose(expected.gradInput, { rtol: 1e-11, atol: 1e-12 });
  });
});

test('tokens whose number is that of the classes are tokens all the same', () => {
  const logits = values([2, 3, 3], 1);
  const each = tokenCrossEntropy(logits, tokens, { reduction: 'none' });
  const first = crossEntropy(logits.select(0, 0), tokens.select(0, 0), { reduction: 'none' });
  expect(each.select(0, 0)).toBeAllclose(first);
});

test.each<[string, () => Tensor, string]>([
  [
    'a column against a row',
    () => mseLoss(zeros([4, 1]), zeros([4])),
    "mseLoss: expected targets of the outputs' shape [4, 1], got [4]",
  ],
  ['one against many', () => binaryCrossEntropyWithLogits(zeros([4]), ones([1])), "the outputs' shape [4], got [1]"],
  [
    'another reduction',
    () => l1Loss(ones([1]), ones([1]), { reduction: 'average' as LossReduction }),
    'l1Loss: reduction: expected none, mean or sum, got "average"',
  ],
  ['beta', () => smoothL1Loss(ones([1]), ones([1]), { beta: -1 }), 'smoothL1Loss: beta: expected a number from 0'],
  ['delta', () => huberLoss(ones([1]), ones([1]), { delta: 0 }), 'huberLoss: delta: expected a number above 0, got 0'],
  [
    'classes in the second dimension',
    () => tokenCrossEntropy(zeros([2, 5, 3]), zeros([2, 3], { dtype: 'int64' })),
    'tokenCrossEntropy: expected logits [B, T, C] and targets [B, T], got [2, 5, 3] and [2, 3]',
  ],
])('%s is an error', (_, run, message) => {
  expect(run).toThrow(ShallowsError);
  expect(run).toThrow(message);
});
