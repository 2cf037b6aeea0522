import { describe, expect, test } from 'vitest';
import {
  type DType,
  fromBytes,
  fromTypedArray,
  full,
  ops,
  type Tensor,
  TorchError,
  type TypedArray,
  tensor,
} from './index.js';

describe('typed arrays come back as they went in', () => {
  test.each<[DType, TypedArray]>([
    ['float32', new Float32Array([1.5, -0, Number.NaN, Number.POSITIVE_INFINITY, 1e-45])],
    ['float64', new Float64Array([Math.PI, -0, Number.MIN_VALUE, Number.MAX_VALUE])],
    ['int8', new Int8Array([-128, 127])],
    ['int16', new Int16Array([-32768, 32767])],
    ['int32', new Int32Array([-(2 ** 31), 2 ** 31 - 1])],
    ['int64', new BigInt64Array([-(2n ** 63n), 2n ** 63n - 1n, 2n ** 53n + 1n])],
    ['uint8', new Uint8Array([0, 255])],
    ['uint8', new Uint8ClampedArray([0, 255])],
  ])('%s', (dtype, array) => {
    const x = fromTypedArray(array);
    expect(x.dtype).toBe(dtype);
    expect(x.shape).toEqual([array.length]);
    expect([...x.toArray()]).toEqual([...array]);
  });

  test('a copy is taken, also from the middle of a buffer', () => {
    const buffer = new Float32Array([1, 2, 3, 4]);
    const x = fromTypedArray(buffer.subarray(1, 3));
    buffer.fill(9);
    expect([...x.toArray()]).toEqual([2, 3]);
  });

  test.each([new Uint16Array(1), new Uint32Array(1), new BigUint64Array(1), new DataView(new ArrayBuffer(4))])(
    'a kind that no dtype has is an error',
    (array) => {
      expect(() => fromTypedArray(array as unknown as TypedArray)).toThrow(/expected a typed array that a dtype has/);
    },
  );
});

describe('half precision', () => {
  test.each<[DType, number[], number[]]>([
    [
      'float16',
      [1, 0.1, 65504, 65520, 6e-8, -2.5],
      [1, 0.0999755859375, 65504, Number.POSITIVE_INFINITY, 2 ** -24, -2.5],
    ],
    ['bfloat16', [1, 0.1, 3e38, -2.5], [1, 0.10009765625, 3.0040553e38, -2.5]],
  ])('%s rounds as it should and reads as float32', (dtype, given, expected) => {
    const read = tensor(given, { dtype }).toArray();
    expect(read).toBeInstanceOf(Float32Array);
    expect([...read].map((each) => Math.fround(Number(each)))).toEqual(expected.map(Math.fround));
  });

  test('raw bytes are little-endian', () => {
    expect([...tensor([1], { dtype: 'float16' }).toBytes()]).toEqual([0x00, 0x3c]);
    expect([...tensor([1], { dtype: 'bfloat16' }).toBytes()]).toEqual([0x80, 0x3f]);
    expect([...fromBytes(new Uint8Array([0x00, 0xc0]), 'float16', [1]).toArray()]).toEqual([-2]);
  });
});

describe('what numbers, bigints and booleans become', () => {
  test.each<[unknown, DType, number[]]>([
    [1.5, 'float32', []],
    [3n, 'int64', []],
    [true, 'bool', []],
    [[], 'float32', [0]],
    [[[], []], 'float32', [2, 0]],
    [
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
      'float32',
      [2, 3],
    ],
    [[[true], [false]], 'bool', [2, 1]],
    [[1n, 2n], 'int64', [2]],
  ])('%s becomes %s', (data, dtype, shape) => {
    const x = tensor(data as number);
    expect([x.dtype, x.shape]).toEqual([dtype, shape]);
  });

  test('a dtype that is asked for wins', () => {
    expect([...tensor([1.9, -1.9], { dtype: 'int32' }).toArray()]).toEqual([1, -1]);
    expect([...tensor([0, 2], { dtype: 'bool' }).toArray()]).toEqual([0, 1]);
    expect(tensor([2n ** 40n], { dtype: 'float64' }).item()).toBe(2 ** 40);
  });

  test.each<[unknown, RegExp]>([
    [[[1, 2], [3]], /rows of one shape, got \[2\] and \[1\]/],
    [[1, 'x'], /got string at \[1\]/],
    [[1, 2n], /a number and a bigint/],
    [[1, [2]], /rows of one shape/],
  ])('%s is an error', (data, message) => {
    expect(() => tensor(data as number)).toThrow(TorchError);
    expect(() => tensor(data as number)).toThrow(message);
  });
});

describe('item', () => {
  test('gives numbers, and refuses what a number cannot hold', () => {
    expect(tensor(2.5).item()).toBe(2.5);
    expect(tensor(true).item()).toBe(1);
    expect(tensor([[7n]]).item()).toBe(7);
    expect(() => tensor(2n ** 60n).item()).toThrow(/use toArray/);
    expect(() => tensor([1, 2]).item()).toThrow(TorchError);
  });
});

test('complex tensors can be read as pairs', () => {
  const z = ops.aten.complex(tensor([1, 2]), tensor([3, -4])) as Tensor;
  expect([z.dtype, [...z.toArray()]]).toEqual(['complex64', [1, 3, 2, -4]]);
});

test('conversions between all dtypes keep small whole numbers', () => {
  const dtypes: DType[] = ['float32', 'float64', 'float16', 'bfloat16', 'int8', 'int16', 'int32', 'int64', 'uint8'];
  for (const from of dtypes) {
    for (const to of dtypes) {
      expect(Array.from(full([2], 3, { dtype: from }).to(to).toArray(), Number), `${from} → ${to}`).toEqual([3, 3]);
    }
  }
});
