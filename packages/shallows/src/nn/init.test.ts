import { empty, noGrad, scope, setNumThreads, stats, type Tensor, zeros } from '@shallows/torch';
import { beforeAll, describe, expect, test } from 'vitest';
import { ShallowsError } from '../errors.js';
import { deriveKey, type Key, rootKey } from '../random/index.js';
import {
  Conv2d,
  fans,
  gain,
  kaimingNormal_,
  kaimingUniform_,
  Linear,
  normal_,
  truncatedNormal_,
  uniform_,
  xavierNormal_,
  xavierUniform_,
} from './index.js';

beforeAll(() => setNumThreads(1));

const shape = [32, 20, 3, 3];
const { fanIn, fanOut } = fans(shape);
const count = 32 * 20 * 9;

/** Quantile of the standard normal at 1 − 0.0005: a two-sided test of a true claim fails with probability 0.001. */
const Z = 3.2905;

interface Moments {
  readonly mean: number;
  readonly std: number;
  readonly low: number;
  readonly high: number;
}

function momentsOf(x: Tensor): Moments {
  const values = Array.from(x.toArray(), Number);
  const mean = values.reduce((sum, each) => sum + each, 0) / values.length;
  const variance = values.reduce((sum, each) => sum + (each - mean) ** 2, 0) / (values.length - 1);
  return { mean, std: Math.sqrt(variance), low: Math.min(...values), high: Math.max(...values) };
}

/** Checks mean and variance within the 99.9 % bounds of n draws; the variance of s² follows from the kurtosis. */
function expectMoments({ mean, std }: Moments, wanted: { mean: number; std: number; kurtosis: number }): void {
  expect(Math.abs(mean - wanted.mean)).toBeLessThan((Z * wanted.std) / Math.sqrt(count));
  const spread = wanted.std ** 2 * Math.sqrt((wanted.kurtosis - 1) / count);
  expect(Math.abs(std ** 2 - wanted.std ** 2)).toBeLessThan(Z * spread);
}

type Fill = (tensor: Tensor, key: Key) => Tensor;

const normals: Record<string, [fill: Fill, mean: number, std: number]> = {
  normal_: [(x, key) => normal_(x, { key }), 0, 1],
  'normal_, moved': [(x, key) => normal_(x, { key, mean: -3, std: 0.25 }), -3, 0.25],
  kaimingNormal_: [(x, key) => kaimingNormal_(x, { key }), 0, Math.sqrt(2 / fanIn)],
  'kaimingNormal_, fanOut': [
    (x, key) => kaimingNormal_(x, { key, mode: 'fanOut', nonlinearity: 'linear' }),
    0,
    Math.sqrt(1 / fanOut),
  ],
  xavierNormal_: [
    (x, key) => xavierNormal_(x, { key, gain: gain('tanh') }),
    0,
    (5 / 3) * Math.sqrt(2 / (fanIn + fanOut)),
  ],
};

const uniforms: Record<string, [fill: Fill, low: number, high: number]> = {
  uniform_: [(x, key) => uniform_(x, { key }), 0, 1],
  'uniform_, moved': [(x, key) => uniform_(x, { key, low: -2, high: 5 }), -2, 5],
  kaimingUniform_: [(x, key) => kaimingUniform_(x, { key }), -Math.sqrt(6 / fanIn), Math.sqrt(6 / fanIn)],
  'kaimingUniform_, leaky': [
    (x, key) => kaimingUniform_(x, { key, nonlinearity: 'leakyRelu', negativeSlope: Math.sqrt(5) }),
    -Math.sqrt(1 / fanIn),
    Math.sqrt(1 / fanIn),
  ],
  xavierUniform_: [
    (x, key) => xavierUniform_(x, { key }),
    -Math.sqrt(6 / (fanIn + fanOut)),
    Math.sqrt(6 / (fanIn + fanOut)),
  ],
};

// Keys are fixed, so a pass is a pass for ever; each bound is missed by one in a thousand keys.
const key = deriveKey(rootKey(20), 'init');

describe('statistics of 5,760 draws, 99.9 % bounds', () => {
  test.each(Object.entries(normals))('%s: mean and standard deviation', (_, [fill, mean, std]) => {
    expectMoments(momentsOf(fill(empty(shape), key)), { mean, std, kurtosis: 3 });
  });

  test.each(Object.entries(uniforms))('%s: bounds, mean and standard deviation', (_, [fill, low, high]) => {
    const found = momentsOf(fill(empty(shape), key));
    const width = high - low;
    expectMoments(found, { mean: (low + high) / 2, std: width / Math.sqrt(12), kurtosis: 9 / 5 });
    // float32 rounds the bounds; the extremes of n draws are within a share of 10/n of them but once in 22,000.
    const rounding = 1e-6 * Math.max(Math.abs(low), Math.abs(high));
    expect(found.low).toBeGreaterThanOrEqual(low - rounding);
    expect(found.low).toBeLessThan(low + (10 * width) / count);
    expect(found.high).toBeLessThanOrEqual(high + rounding);
    expect(found.high).toBeGreaterThan(high - (10 * width) / count);
  });

  test('truncatedNormal_: bounds, and the moments of the cut distribution', () => {
    // Standard normal cut to ±a: variance 1 − 2aφ(a)/Z, fourth moment 3 − 2(a³ + 3a)φ(a)/Z, with Z = Φ(a) − Φ(−a).
    const cut = (a: number, mass: number): { std: number; kurtosis: number } => {
      const density = Math.exp((-a * a) / 2) / Math.sqrt(2 * Math.PI) / mass;
      const variance = 1 - 2 * a * density;
      return { std: Math.sqrt(variance), kurtosis: (3 - 2 * (a ** 3 + 3 * a) * density) / variance ** 2 };
    };
    const whole = momentsOf(truncatedNormal_(empty(shape), { key }));
    expectMoments(whole, { mean: 0, ...cut(2, 0.9544997361036416) });
    expect(whole.low).toBeGreaterThanOrEqual(-2);
    expect(whole.high).toBeLessThanOrEqual(2);
    expect(whole.high - whole.low).toBeGreaterThan(3.9);

    const narrow = momentsOf(truncatedNormal_(empty(shape), { key, mean: 1, std: 0.02, low: 0.98, high: 1.02 }));
    const { std, kurtosis } = cut(1, 0.6826894921370859);
    expectMoments(narrow, { mean: 1, std: 0.02 * std, kurtosis });
    expect(narrow.low).toBeGreaterThanOrEqual(Math.fround(0.98));
    expect(narrow.high).toBeLessThanOrEqual(Math.fround(1.02));
  });
});

const truncated: Record<string, [Fill]> = { truncatedNormal_: [(x, key) => truncatedNormal_(x, { key })] };

describe('purity', () => {
  test.each(Object.entries({ ...normals, ...uniforms, ...truncated }))('%s: one key, one tensor', (_, [fill]) => {
    scope(() => {
      const first = fill(empty([40, 5]), key).toArray();
      normal_(empty([7]), { key: rootKey(3) });
      expect(fill(zeros([40, 5]), key).toArray()).toEqual(first);
      expect(fill(empty([40, 5]), deriveKey(key, 1)).toArray()).not.toEqual(first);
    });
  });

  test('a fill returns its tensor, records nothing and leaves no tensor behind', () => {
    scope(() => {
      const x = empty([4, 4], { requiresGrad: true });
      const before = stats().liveTensors;
      for (const [fill] of [...Object.values(normals), ...Object.values(uniforms), ...Object.values(truncated)]) {
        expect(fill(x, key)).toBe(x);
        expect(x.isLeaf).toBe(true);
      }
      expect(stats().liveTensors).toBe(before);
    });
  });

  test('layers start from their key alone, weight and bias apart', () => {
    const make = (k: Key): (() => number[][]) => {
      return () =>
        [new Linear(4, 4, { key: k }), new Conv2d(4, 4, 1, { key: k })].map(({ weight, bias }) => [
          ...Array.from(weight.toArray(), Number),
          ...Array.from(bias?.toArray() ?? [], Number),
        ]);
    };
    expect(make(key)()).toEqual(make(key)());
    expect(make(key)()).not.toEqual(make(rootKey(2))());
    const [linear = []] = make(key)();
    expect(linear.slice(0, 4)).not.toEqual(linear.slice(16));
    expect(Math.max(...linear.map(Math.abs))).toBeLessThanOrEqual(0.5);
  });

  test('other dtypes are filled too', () => {
    for (const dtype of ['float64', 'bfloat16', 'float16'] as const) {
      for (const [fill] of [...Object.values(normals), ...Object.values(uniforms), ...Object.values(truncated)]) {
        const { std, low, high } = momentsOf(noGrad(() => fill(empty([64, 8], { dtype }), key)));
        expect(std).toBeGreaterThan(0);
        expect(Number.isFinite(low) && Number.isFinite(high)).toBe(true);
      }
    }
  });
});

test('fans and gains', () => {
  expect(fans([8, 4])).toEqual({ fanIn: 4, fanOut: 8 });
  expect(fans([8, 4, 3, 5])).toEqual({ fanIn: 60, fanOut: 120 });
  expect(gain('linear')).toBe(1);
  expect(gain('sigmoid')).toBe(1);
  expect(gain('tanh')).toBe(5 / 3);
  expect(gain('relu')).toBe(Math.SQRT2);
  expect(gain('leakyRelu')).toBeCloseTo(1.4141428569978354, 15);
  expect(gain('leakyRelu', 0.2)).toBeCloseTo(1.3867504905630728, 15);
});

const x = zeros([2, 2]);
const any = <T>(value: unknown): T => value as T;

test.each<[string, () => unknown, string]>([
  [
    'fans of a vector',
    () => fans([3]),
    'fans: expected a weight of 2 or more dimensions that are not empty, got [3] - ',
  ],
  ['fans of nothing', () => kaimingNormal_(zeros([2, 0]), { key }), 'got [2, 0]'],
  [
    'another gain',
    () => gain(any('Relu')),
    'gain: nonlinearity: expected linear, relu, leakyRelu, tanh or sigmoid, got "Relu"',
  ],
  ['a slope', () => gain('leakyRelu', Number.NaN), 'negativeSlope: expected a number, got NaN'],
  [
    'another mode',
    () => kaimingUniform_(x, { key, mode: any('fan_in') }),
    'kaimingUniform_: mode: expected fanIn or fanOut, got "fan_in"',
  ],
  ['a negative std', () => normal_(x, { key, std: -1 }), 'normal_: std: expected a number from 0, got -1'],
  ['a mean', () => normal_(x, { key, mean: Number.POSITIVE_INFINITY }), 'mean: expected a number, got Infinity'],
  ['bounds', () => uniform_(x, { key, low: 1, high: 0 }), 'uniform_: high: expected a number from 1, got 0'],
  ['no key', () => uniform_(x, any({})), 'key: expected a key of rootKey or deriveKey, got undefined'],
  ['a gain of 0', () => xavierNormal_(x, { key, gain: 0 }), 'xavierNormal_: gain: expected a number above 0, got 0'],
  [
    'cut bounds',
    () => truncatedNormal_(x, { key, low: 2, high: 2 }),
    'truncatedNormal_: high: expected a number above 2, got 2',
  ],
  ['cut std', () => truncatedNormal_(x, { key, std: 0 }), 'std: expected a number above 0, got 0'],
  [
    'cut far from the mean',
    () => truncatedNormal_(x, { key, mean: 5 }),
    'mean: expected a number within 2 std of the bounds, got 5',
  ],
])('%s: an error', (_, run, message) => {
  expect(run).toThrow(ShallowsError);
  expect(run).toThrow(message);
});
