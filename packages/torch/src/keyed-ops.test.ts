import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { type DType, grad, isTensor, ops, setNumThreads, type Tensor, tensor, trace } from './index.js';

const { keyed_mask, keyed_dropout } = ops.shallows;
const bits = (x: Tensor): string => Buffer.from(x.toBytes()).toString('hex');
const numbers = (x: Tensor): number[] => Array.from(x.to('float64').toArray(), Number);
const sine = (count: number, dtype: DType = 'float32', shape: readonly number[] = [count]): Tensor =>
  tensor(
    Array.from({ length: count }, (_, i) => Math.sin(12.9898 * (i + 1))),
    { dtype, shape },
  );

const MASK = 0xffffffffn;

/** Philox4x32-10 in whole numbers, written from the paper. */
function philox(counter: readonly [bigint, bigint, bigint, bigint], hi: number, lo: number): bigint[] {
  let [x0, x1, x2, x3] = counter;
  let [k0, k1] = [BigInt(lo), BigInt(hi)];
  for (let round = 0; round < 10; round++) {
    const [p0, p1] = [0xd2511f53n * x0, 0xcd9e8d57n * x2];
    [x0, x1, x2, x3] = [(p1 >> 32n) ^ x1 ^ k0, p1 & MASK, (p0 >> 32n) ^ x3 ^ k1, p0 & MASK];
    [k0, k1] = [(k0 + 0x9e3779b9n) & MASK, (k1 + 0xbb67ae85n) & MASK];
  }
  return [x0, x1, x2, x3];
}

/** The mask of one row as the documentation says it. */
function expectedRow(hi: number, lo: number, rate: number, width: number): number[] {
  const threshold = BigInt(Math.round(rate * 2 ** 32));
  return Array.from({ length: width }, (_, e) => {
    const block = 8 * Math.floor(e / 32) + (e % 8);
    const word = philox([BigInt(block), 0n, 0n, 8n], hi, lo)[Math.floor(e / 8) % 4] as bigint;
    return word >= threshold ? 1 : 0;
  });
}

const keys = [0, 0, 0xffffffff, 0xffffffff, 0x243f6a88, 0x85a308d3];

test('the generator is that of Random123, whose known answers these are', () => {
  expect(philox([0n, 0n, 0n, 0n], 0, 0)).toEqual([0x6627e8d5n, 0xe169c58dn, 0xbc57ac4cn, 0x9b00dbd8n]);
  const ones = philox([MASK, MASK, MASK, MASK], 0xffffffff, 0xffffffff);
  expect(ones).toEqual([0x408f276dn, 0x41c83b0en, 0xa20bc7c6n, 0x6d5451fdn]);
});

describe('keyed_mask', () => {
  test.each([1, 7, 8, 31, 32, 33, 1023, 1024, 1025, 5000])('rows of %d are what is documented', (width) => {
    const mask = numbers(keyed_mask(keys, 0.3, [3, width]));
    for (let row = 0; row < 3; row++) {
      const [hi = 0, lo = 0] = keys.slice(2 * row);
      expect(mask.slice(row * width, (row + 1) * width)).toEqual(expectedRow(hi, lo, 0.3, width));
    }
  });

  test('does not depend on the threads, the dtype, or the rows beside', () => {
    const all = keyed_mask(keys, 0.5, [3, 100_000]);
    setNumThreads(1);
    expect(keyed_mask(keys, 0.5, [3, 100_000]).equal(all)).toBe(true);
    setNumThreads(2);
    for (const dtype of ['float64', 'float16', 'bfloat16'] as const) {
      expect(keyed_mask(keys, 0.5, [3, 100_000], { dtype }).to('float32').equal(all)).toBe(true);
    }
    expect(keyed_mask(keys.slice(2, 4), 0.5, [100_000]).equal(all.narrow(0, 1, 1).squeeze(0))).toBe(true);
  });

  test('is the same on processors without wide loops', () => {
    const script = `import { ops } from '@shallows/torch';
      const mask = ops.shallows.keyed_mask(${JSON.stringify(keys)}, 0.3, [3, 1000]);
      process.stdout.write(Buffer.from(mask.toBytes()).toString('hex'));`;
    const narrow = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: new URL('..', import.meta.url),
      env: { ...process.env, ATEN_CPU_CAPABILITY: 'default' },
      encoding: 'utf8',
    });
    expect(narrow).toBe(bits(keyed_mask(keys, 0.3, [3, 1000])));
  });

  test('a rate of 0 keeps all, and one just below 1 does not fail', () => {
    expect(numbers(keyed_mask([1, 2], 0, [1000]))).toEqual(new Array(1000).fill(1));
    expect(numbers(keyed_mask([1, 2], 1 - 2 ** -40, [1000])).filter((kept) => kept === 1)).toHaveLength(0);
    expect(keyed_mask([], 0.5, [0, 4]).shape).toEqual([0, 4]);
  });
});

describe('keyed_dropout', () => {
  test.each(['float32', 'float64', 'float16', 'bfloat16'] as const)('%s: what libtorch gives for the mask', (dtype) => {
    const x = sine(3000, dtype, [3, 1000]);
    const mask = keyed_mask(keys, 0.3, [3, 1000], { dtype });
    const scaled = x.mul(1 / (1 - 0.3));
    const expected = ops.aten.threshold_backward.default(scaled, mask, 0.5) as Tensor;
    expect(bits(keyed_dropout(x, keys, 0.3))).toBe(bits(expected));
  });

  test('its gradients are dropped alike, and it can be differentiated again', () => {
    const x = sine(3000, 'float64', [3, 1000]).requiresGrad_();
    const weights = sine(3000, 'float64', [3, 1000]).requiresGrad_();
    const kept = keyed_mask(keys, 0.3, [3, 1000], { dtype: 'float64' });
    const [first] = grad(keyed_dropout(x, keys, 0.3).mul(weights).sum(), [x], { createGraph: true });
    expect(numbers(first as Tensor)).toBeAllclose(numbers(kept.mul(weights).div(0.7)), { rtol: 1e-14 });
    const [second] = grad((first as Tensor).square().sum(), [weights]);
    expect(numbers(second as Tensor)).toBeAllclose(numbers(kept.mul(weights).mul(2 / 0.49)), { rtol: 1e-13 });
  });

  test('NaN and infinity in what is dropped do not leak, forward or backward', () => {
    const kept = keyed_mask([1, 2], 0.5, [1000]);
    const dropped = kept.rsub(1);
    const bad = ops.aten.masked_fill.Scalar(sine(1000), dropped.to('bool'), Number.NaN) as Tensor;
    const x = bad.requiresGrad_();
    const y = keyed_dropout(x, [1, 2], 0.5);
    expect(numbers(y).every(Number.isFinite)).toBe(true);
    const upstream = ops.aten.masked_fill.Scalar(sine(1000), dropped.to('bool'), Number.POSITIVE_INFINITY) as Tensor;
    const [gradient] = grad(y, [x], { gradOutputs: [upstream] });
    expect(numbers(gradient as Tensor).every(Number.isFinite)).toBe(true);
  });

  test('tensors in another order keep it, and drop the same elements', () => {
    const x = sine(2 * 3 * 4 * 5, 'float32', [2, 3, 4, 5]);
    const plain = keyed_dropout(x, [1, 2, 3, 4], 0.4);
    const last = keyed_dropout(x.contiguous({ memoryFormat: 'channels_last' }), [1, 2, 3, 4], 0.4);
    expect(last.isContiguous({ memoryFormat: 'channels_last' })).toBe(true);
    expect(last.equal(plain)).toBe(true);
    expect(
      keyed_dropout(x.transpose(0, 1), [1, 2], 0.4).equal(keyed_dropout(x.transpose(0, 1).contiguous(), [1, 2], 0.4)),
    ).toBe(true);
  });

  test('is one operator, and needs neither its input nor its result for the backward pass', () => {
    const leaf = sine(100).requiresGrad_();
    const x = leaf.mul(2);
    const { result: y, calls } = trace(() => keyed_dropout(x, [1, 2], 0.5));
    expect(calls.map(({ op }) => op)).toEqual(['shallows::keyed_dropout']);
    // Autograd would notice a change of what it kept.
    x.add_(1);
    y.add_(1);
    const [gradient] = grad(y.sum(), [leaf]);
    expect(numbers(gradient as Tensor)).toEqual(numbers(keyed_mask([1, 2], 0.5, [100])).map((kept) => 4 * kept));
  });
});

test.each([
  ['rate', () => keyed_mask([1, 2], 1, [4]), 'expected a rate from 0 to below 1, got 1'],
  ['NaN', () => keyed_mask([1, 2], Number.NaN, [4]), 'expected a rate from 0 to below 1, got nan'],
  ['half a key', () => keyed_mask([1], 0.5, [4]), "expected 'keys' to be pairs of 32 bits, got 1 numbers"],
  ['no key', () => keyed_mask([], 0.5, [4]), 'expected keys for equal rows of 4 elements, got 0'],
  ['uneven rows', () => keyed_mask([1, 2, 3, 4], 0.5, [5]), 'expected keys for equal rows of 5 elements, got 2'],
  ['33 bits', () => keyed_mask([2 ** 32, 0], 0.5, [4]), 'expected numbers of 32 bits'],
  ['negative', () => keyed_mask([0, -1], 0.5, [4]), 'expected numbers of 32 bits'],
  ['integers', () => keyed_mask([1, 2], 0.5, [4], { dtype: 'int64' }), 'expected a dtype of floating point'],
  ['integers', () => keyed_dropout(tensor([1n, 2n]), [1, 2], 0.5), 'expected a dense floating-point tensor of the CPU'],
])('refuses %s', (_, call, message) => {
  expect(call).toThrow(message);
});

test('other devices are refused', () => {
  const x = ops.aten.empty.memory_format([4], { device: 'meta' });
  expect(isTensor(x)).toBe(true);
  expect(() => keyed_dropout(x as Tensor, [1, 2], 0.5)).toThrow('expected a dense floating-point tensor of the CPU');
});
