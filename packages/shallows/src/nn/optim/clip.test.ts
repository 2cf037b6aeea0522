import { readFileSync } from 'node:fs';
import { fromTypedArray, scope, stats, Tensor, tensor } from '@shallows/torch';
import { describe, expect, test, vi } from 'vitest';
import { ShallowsError } from '../../errors.js';
import { clipGradAdaptive, clipGradNorm, clipGradValue, gradNorm, Parameter } from '../index.js';

interface Result {
  readonly norm: number | null;
  readonly grads: readonly (readonly number[] | null)[];
}
const reference: { readonly cases: Record<string, Result> } = JSON.parse(
  readFileSync(new URL('../fixtures/clipping.json', import.meta.url), 'utf8'),
);
const shapes = [[4, 3], [3], [2], [2, 3, 2, 2], [], [5, 1]];

function values(shape: readonly number[], salt: number): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  const numbers = Float64Array.from({ length: count }, (_, i) => ((i * 7919 + salt * 104729) % 1999) / 1000 - 1);
  return fromTypedArray(numbers, shape);
}

function parameters(): Parameter[] {
  return shapes.map((shape, i) => {
    const parameter = new Parameter(values(shape, i));
    parameter.grad = i === 2 ? null : values(shape, 50 + i);
    return parameter;
  });
}

// biome-ignore lint/suspicious/noConfusingVoidType: clips by value give nothing
type Clip = (params: Parameter[]) => Tensor | void;
const cases: Record<string, Clip> = {
  norm: (params) => clipGradNorm(params, { maxNorm: 1.5 }),
  'norm, not reached': (params) => clipGradNorm(params, { maxNorm: 100 }),
  'norm 1': (params) => clipGradNorm(params, { maxNorm: 2, normType: 1 }),
  'norm 3': (params) => clipGradNorm(params, { maxNorm: 0.7, normType: 3 }),
  'norm inf': (params) => clipGradNorm(params, { maxNorm: 0.5, normType: Number.POSITIVE_INFINITY }),
  value: (params) => clipGradValue(params, { clipValue: 0.3 }),
  adaptive: (params) => clipGradAdaptive(params, { clipFactor: 0.9 }),
  'adaptive, eps': (params) => clipGradAdaptive(params, { clipFactor: 0.5, eps: 1 }),
};

describe('torch.nn.utils and timm (fixtures/clipping.py)', () => {
  test.each(Object.entries(reference.cases))('%s', (name, { norm, grads }) => {
    const params = parameters();
    const item = vi.spyOn(Tensor.prototype, 'item');
    const got = (cases[name] as Clip)(params) ?? null;
    expect(item).not.toHaveBeenCalled();
    item.mockRestore();
    expect(got === null).toBe(norm === null);
    if (got !== null) expect(got.item()).toBeCloseTo(norm ?? Number.NaN, 12);
    for (const [i, expected] of grads.entries()) {
      const { grad } = params[i] as Parameter;
      if (expected === null) expect(grad).toBeNull();
      else expect(grad?.flatten()).toBeAllclose(expected, { rtol: 1e-12, atol: 1e-13 });
    }
  });
});

test('gradNorm is the norm before clipping, and changes nothing', () => {
  const params = parameters();
  const before = gradNorm(params).item();
  expect(clipGradNorm(params, { maxNorm: 1 }).item()).toBe(before);
  expect(gradNorm(params).item()).toBeCloseTo(1, 5);
});

test('without gradients the norm is 0', () => {
  const params = [new Parameter(tensor([1]))];
  expect(clipGradNorm(params, { maxNorm: 1 }).item()).toBe(0);
  expect(gradNorm([]).item()).toBe(0);
  clipGradValue(params, { clipValue: 1 });
  clipGradAdaptive(params);
});

test('dtypes may be mixed', () => {
  const [a, b] = [new Parameter(tensor([3])), new Parameter(tensor([4], { dtype: 'bfloat16' }))];
  a.grad = tensor([3]);
  b.grad = tensor([4], { dtype: 'bfloat16' });
  expect(clipGradNorm([a, b], { maxNorm: 2.5 }).item()).toBeCloseTo(5, 5);
  expect([a.grad.item(), b.grad.item()]).toEqual([expect.closeTo(1.5, 5), 2]);
});

test('frees what it makes', () => {
  const params = parameters();
  const live = stats().liveTensors;
  scope(() => {
    for (const clip of Object.values(cases)) clip(params);
  });
  expect(stats().liveTensors).toBe(live);
});

test.each<[() => unknown, string]>([
  [() => clipGradNorm([], { maxNorm: 0 }), 'clipGradNorm: maxNorm: expected a number above 0, got 0'],
  [() => clipGradNorm([], { maxNorm: 1, normType: 0 }), 'normType: expected a number above 0, or Infinity, got 0'],
  [() => clipGradValue([], { clipValue: Number.NaN }), 'clipGradValue: clipValue: expected a number above 0, got NaN'],
  [() => clipGradAdaptive([], { clipFactor: -1 }), 'clipGradAdaptive: clipFactor: expected a number above 0, got -1'],
])('settings out of range are errors %#', (run, message) => {
  expect(run).toThrow(ShallowsError);
  expect(run).toThrow(message);
});
