import { stats, tensor, zeros } from '@shallows/torch';
import { describe, expect, test } from 'vitest';
import { ShallowsError } from '../errors.js';
import { rootKey } from '../random/index.js';
import {
  AdaptiveAvgPool2d,
  AvgPool2d,
  BatchNorm2d,
  Buffer,
  Conv2d,
  crossEntropy,
  Flatten,
  GELU,
  Linear,
  MaxPool2d,
  Parameter,
  Sequential,
} from './index.js';

const key = rootKey(1);
/** What callers without types may pass. */
const any = <T>(value: unknown): T => value as T;

const cases: [what: string, run: () => unknown, message: string | RegExp][] = [
  [
    'Linear, NaN',
    () => new Linear(Number.NaN, 2, { key }),
    'Linear: inFeatures: expected a whole number from 1, got NaN - ',
  ],
  ['Linear, 0', () => new Linear(2, 0, { key }), 'outFeatures: expected a whole number from 1, got 0'],
  ['Linear, fraction', () => new Linear(2.5, 2, { key }), 'inFeatures: expected a whole number from 1, got 2.5'],
  ['Linear, text', () => new Linear(any('3'), 2, { key }), 'inFeatures: expected a whole number from 1, got "3"'],
  ['Linear, no key', () => new Linear(3, 2, any({})), 'key: expected a key of rootKey or deriveKey, got undefined'],
  [
    'Linear, a seed as key',
    () => new Linear(3, 2, { key: any(7) }),
    'key: expected a key of rootKey or deriveKey, got 7',
  ],
  ['Linear, bias', () => new Linear(3, 2, { key, bias: any(1) }), 'bias: expected true or false, got 1'],
  [
    'Conv2d, negative',
    () => new Conv2d(-1, 2, 3, { key }),
    'Conv2d: inChannels: expected a whole number from 1, got -1',
  ],
  ['Conv2d, kernel 0', () => new Conv2d(1, 2, 0, { key }), 'kernelSize: expected a whole number from 1 or two, got 0'],
  ['Conv2d, three sizes', () => new Conv2d(1, 2, any([1, 2, 3]), { key }), 'from 1 or two, got [1, 2, 3]'],
  [
    'Conv2d, stride 0',
    () => new Conv2d(1, 2, 3, { key, stride: [1, 0] }),
    'stride: expected a whole number from 1 or two, got [1, 0]',
  ],
  [
    'Conv2d, padding',
    () => new Conv2d(1, 2, 3, { key, padding: -1 }),
    'padding: expected a whole number from 0 or two, got -1',
  ],
  [
    'Conv2d, dilation',
    () => new Conv2d(1, 2, 3, { key, dilation: 1.5 }),
    'dilation: expected a whole number from 1 or two, got 1.5',
  ],
  [
    'Conv2d, groups',
    () => new Conv2d(4, 6, 3, { key, groups: 4 }),
    'groups: expected a divisor of the 6 outChannels, got 4',
  ],
  [
    'Conv2d, all at once',
    () => new Conv2d(0, 6, 3, { key, groups: Number.NaN, stride: any(null) }),
    /^Conv2d: inChannels: .*; stride: .*got null; groups: expected a whole number from 1, got NaN - write new Conv2d/,
  ],
  [
    'BatchNorm2d, features',
    () => new BatchNorm2d(1.5),
    'BatchNorm2d: features: expected a whole number from 1, got 1.5',
  ],
  ['BatchNorm2d, eps', () => new BatchNorm2d(2, { eps: -1 }), 'eps: expected a number from 0, got -1'],
  [
    'BatchNorm2d, momentum',
    () => new BatchNorm2d(2, { momentum: Number.NaN }),
    'momentum: expected a number from 0 to 1, got NaN',
  ],
  [
    'MaxPool2d, kernel',
    () => new MaxPool2d(any(null)),
    'MaxPool2d: kernelSize: expected a whole number from 1 or two, got null',
  ],
  ['MaxPool2d, padding', () => new MaxPool2d(2, { padding: 2 }), 'padding: expected at most half the window, got 2'],
  [
    'MaxPool2d, ceilMode',
    () => new MaxPool2d(2, { ceilMode: any('no') }),
    'ceilMode: expected true or false, got "no"',
  ],
  [
    'AvgPool2d, stride',
    () => new AvgPool2d(2, { stride: 0 }),
    'AvgPool2d: stride: expected a whole number from 1 or two, got 0',
  ],
  [
    'AvgPool2d, padding',
    () => new AvgPool2d([4, 2], { padding: [2, 2] }),
    'padding: expected at most half the window, got [2, 2]',
  ],
  [
    'AdaptiveAvgPool2d',
    () => new AdaptiveAvgPool2d(0),
    'AdaptiveAvgPool2d: outputSize: expected a whole number from 1 or two, got 0',
  ],
  ['Flatten', () => new Flatten({ startDim: 0.5 }), 'Flatten: startDim: expected a whole number, got 0.5'],
  ['GELU', () => new GELU({ approximate: any('exact') }), 'GELU: approximate: expected none or tanh, got "exact"'],
  [
    'Sequential',
    () => new Sequential(any([])),
    'Sequential: expected modules, got a list of 0 at 0 - pass layers one by one',
  ],
  ['Parameter', () => new Parameter(any([1, 2])), 'Parameter: expected a tensor, got a list of 2 - '],
  ['Buffer', () => new Buffer(any(null)), 'Buffer: expected a tensor, got null - '],
];

describe('wrong arguments of constructors', () => {
  test.each(cases)('%s', (_, run, message) => {
    expect(run).toThrow(ShallowsError);
    expect(run).toThrow(message);
  });

  test('a layer that is refused leaves no tensor behind', () => {
    const before = stats().liveTensors;
    for (const [, run] of cases) expect(run).toThrow();
    expect(stats().liveTensors).toBe(before);
  });
});

describe('cross entropy', () => {
  const logits = zeros([2, 3]);
  const targets = tensor([0n, 1n]);

  test.each([
    [{ reduction: any<'mean'>('average') }, 'crossEntropy: reduction: expected none, mean or sum, got "average"'],
    [{ labelSmoothing: 1.5 }, 'labelSmoothing: expected a number from 0 to 1, got 1.5'],
    [{ labelSmoothing: Number.NaN }, 'labelSmoothing: expected a number from 0 to 1, got NaN'],
    [{ ignoreIndex: 0.5 }, 'ignoreIndex: expected a whole number, got 0.5'],
  ])('%o is an error', (options, message) => {
    expect(() => crossEntropy(logits, targets, options)).toThrow(message);
  });

  test('a class that the logits do not have is an error', () => {
    expect(() => crossEntropy(logits, tensor([0n, 3n]))).toThrow('Target 3 is out of bounds');
  });
});
