import { afterEach, describe, expect, test } from 'vitest';
import { values as unstructured } from '../../../tests/support/unstructured.js';
import {
  autocast,
  type DType,
  grad,
  noGrad,
  ops,
  setFastKernels,
  setNumThreads,
  type Tensor,
  TorchError,
  trace,
  zeros,
} from './index.js';

const { linear } = ops.shallows;
type Linear = (x: Tensor, weight: Tensor, bias: Tensor | null) => Tensor;
const libtorch: Linear = (x, weight, bias) => ops.aten.linear(x, weight, bias) as Tensor;

const values = (shape: readonly number[], dtype: DType = 'float32', seed = 1): Tensor =>
  unstructured(shape, dtype, seed);

interface Setting {
  readonly x: readonly number[];
  readonly outputs: number;
  readonly bias?: boolean;
  readonly dtype?: DType;
  readonly prepare?: (x: Tensor) => Tensor;
}

/** y and the gradients of Σ weights · y. */
function run(fn: Linear, { x: shape, outputs, bias = true, dtype = 'float32', prepare = (x) => x }: Setting): Tensor[] {
  const inputs = shape.at(-1) ?? 0;
  const x = prepare(values(shape, dtype)).requiresGrad_();
  const weight = values([outputs, inputs], dtype, 2).requiresGrad_();
  const own = bias ? values([outputs], dtype, 3).requiresGrad_() : null;
  const y = fn(x, weight, own);
  const wanted = own === null ? [x, weight] : [x, weight, own];
  const gradients = grad(y.mul(values(y.shape, dtype, 4)).sum(), wanted);
  return [y, ...gradients.filter((each) => each !== null)];
}

function expectAll(found: readonly Tensor[], expected: readonly Tensor[], check: (a: Tensor, b: Tensor) => void): void {
  expect(found).toHaveLength(expected.length);
  for (const [i, each] of found.entries()) check(each, expected[i] as Tensor);
}

const close = (a: Tensor, b: Tensor): void => {
  expect(a).toBeAllclose(b, { rtol: 1e-4, atol: 1e-4 });
};
const equal = (a: Tensor, b: Tensor): void => expect(a.equal(b)).toBe(true);

const settings: readonly (readonly [string, Setting])[] = [
  ['more outputs than inputs', { x: [60, 96], outputs: 200 }],
  ['more inputs than outputs', { x: [60, 400], outputs: 50 }],
  ['rows in two dimensions, no bias', { x: [4, 17, 128], outputs: 128, bias: false }],
  ['a single row', { x: [256], outputs: 128 }],
  ['one row of a batch', { x: [1, 256], outputs: 128 }],
  ['rows that are not in order', { x: [300, 128], outputs: 130, prepare: (x) => x.t().contiguous().t() }],
  ['few weights', { x: [60, 7], outputs: 5 }],
];

afterEach(() => void setFastKernels(true));

describe('as linear of libtorch', () => {
  test.each(settings)('%s', (_, setting) => {
    expectAll(run(linear, setting), run(libtorch, setting), close);
    const wide = { ...setting, dtype: 'float64' } as const;
    expectAll(run(linear, wide), run(libtorch, wide), equal);
  });

  test.each(settings)('%s, bit for bit where that is asked for', (_, setting) => {
    expect(setFastKernels(false)).toBe(true);
    expectAll(run(linear, setting), run(libtorch, setting), equal);
  });
});

test('no further from float64 than libtorch', () => {
  const setting = { x: [500, 300], outputs: 200 };
  const exact = run(libtorch, { ...setting, dtype: 'float64' });
  const off = (found: readonly Tensor[]): number[] =>
    found.map(
      (each, i) =>
        each
          .to('float64')
          .sub(exact[i] as Tensor)
          .norm()
          .item() as number,
    );
  const theirs = off(run(libtorch, setting));
  for (const [i, far] of off(run(linear, setting)).entries())
    expect(far).toBeLessThan(3 * (theirs[i] as number) + 1e-4);
});

test('a row is what it is alone, but for rounding', () => {
  const [x, weight, bias] = [values([33, 256]), values([192, 256], 'float32', 2), values([192], 'float32', 3)];
  const all = linear(x, weight, bias);
  for (const row of [0, 17, 32]) close(linear(x.narrow(0, row, 1), weight, bias), all.narrow(0, row, 1));
});

test('is the same each time, on one thread and on several', () => {
  const setting = { x: [700, 256], outputs: 192 };
  const first = run(linear, setting);
  expectAll(run(linear, setting), first, equal);
  setNumThreads(1);
  expectAll(run(linear, setting), first, close);
  setNumThreads(2);
});

test('gradients alone that are wanted, of an expanded gradient, and again of gradients', () => {
  const weight = values([128, 256]);
  const x = values([8, 256]).requiresGrad_();
  const [dx] = grad(linear(x, weight, null).sum(), [x]);
  close(dx as Tensor, weight.sum([0]).expand([8, 256]));
  const twice = (fn: Linear): Tensor => {
    const input = values([8, 256]).requiresGrad_();
    const matrix = values([128, 256], 'float32', 2).requiresGrad_();
    const y = fn(input, matrix, null);
    const [gradient] = grad(y.mul(y).sum(), [input], { createGraph: true });
    return grad((gradient as Tensor).pow(2).sum(), [matrix])[0] as Tensor;
  };
  expect(twice(linear)).toBeAllclose(twice(libtorch), { rtol: 1e-3, atol: 1 });
});

test('under autocast it computes in the lower precision', () => {
  const [x, weight] = [values([8, 256]), values([128, 256], 'float32', 2)];
  const [found, expected] = [linear, libtorch].map((fn) => autocast({ dtype: 'bfloat16' }, () => fn(x, weight, null)));
  expect(found?.dtype).toBe('bfloat16');
  equal(found as Tensor, expected as Tensor);
});

test('is one operator, needs nothing of its inputs without gradients, and takes tensors without data', () => {
  const { result, calls } = trace(() => noGrad(() => linear(values([8, 256]), values([128, 256]), null)));
  expect(result.requiresGrad).toBe(false);
  expect(calls.filter(({ op }) => op === 'shallows::linear')).toHaveLength(1);
  const meta = (shape: number[]): Tensor => zeros(shape, { device: 'meta' });
  expect(linear(meta([3, 256]), meta([128, 256]), meta([128])).shape).toEqual([3, 128]);
  expect(linear(zeros([0, 256]), zeros([128, 256]), null).shape).toEqual([0, 128]);
});

test('refuses what does not fit', () => {
  expect(() => linear(zeros([3, 200]), zeros([128, 256]), null)).toThrow(TorchError);
  expect(() => linear(zeros([3, 256]), zeros([128, 256]), zeros([5]))).toThrow(TorchError);
});
