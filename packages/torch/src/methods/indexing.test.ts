import { describe, expect, test } from 'vitest';
import { arange, type Index, type Tensor, TorchError, tensor, zeros } from '../index.js';

const long = (values: number[]): Tensor => tensor(values, { dtype: 'int64' });
const cube = (): Tensor => arange(24).reshape([2, 3, 4]);

// What NumPy and PyTorch give for arange(24).reshape(2, 3, 4)[...].
const cases: readonly (readonly [string, readonly Index[], readonly number[], readonly number[]])[] = [
  ['[1]', [1], [3, 4], [12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23]],
  ['[-1, 0]', [-1, 0], [4], [12, 13, 14, 15]],
  ['[0, 1, 2]', [0, 1, 2], [], [6]],
  ['[:, 1]', [[], 1], [2, 4], [4, 5, 6, 7, 16, 17, 18, 19]],
  ['[0, 1:, ::2]', [0, [1], [null, null, 2]], [2, 2], [4, 6, 8, 10]],
  ['[..., -1]', ['...', -1], [2, 3], [3, 7, 11, 15, 19, 23]],
  ['[1, ..., :2]', [1, '...', [0, 2]], [3, 2], [12, 13, 16, 17, 20, 21]],
  ['[0, None, 0]', [0, null, 0], [1, 4], [0, 1, 2, 3]],
  ['[0, 0, None, :2, None]', [0, 0, null, [0, 2], null], [1, 2, 1], [0, 1]],
  ['[:, [2, 0], 1]', [[], long([2, 0]), 1], [2, 2], [9, 1, 21, 13]],
  ['[[1, 0], [0, 2]]', [long([1, 0]), long([0, 2])], [2, 4], [12, 13, 14, 15, 8, 9, 10, 11]],
  ['[[1, 0], :, [0, 3]]', [long([1, 0]), [], long([0, 3])], [2, 3], [12, 16, 20, 3, 7, 11]],
  ['[tensor(1), 0, :2]', [tensor(1n), 0, [0, 2]], [2], [12, 13]],
  ['[0, [True, False, True], 0]', [0, tensor([true, false, true]), 0], [2], [0, 8]],
  [
    '[[[True, False, False], [False, True, False]]]',
    [
      tensor([
        [true, false, false],
        [false, true, false],
      ]),
    ],
    [2, 4],
    [0, 1, 2, 3, 16, 17, 18, 19],
  ],
  ['[0, 5:2]', [0, [5, 2]], [0, 4], []],
];

describe('index', () => {
  test.each(cases)('x%s', (_, indices, shape, values) => {
    const picked = cube().index(...indices);
    expect(picked.shape).toEqual(shape);
    expect(Array.from(picked.toArray(), Number)).toEqual(values);
  });

  test('numbers and slices give views', () => {
    const x = zeros([2, 3]);
    x.at(1, [0, 2]).fill_(7);
    expect(Array.from(x.toArray(), Number)).toEqual([0, 0, 0, 7, 7, 0]);
  });

  test('without indices it is the tensor itself, as another object', () => {
    const x = tensor([1]);
    const same = x.index();
    expect(same).not.toBe(x);
    same.fill_(5);
    expect(x.item()).toBe(5);
  });

  test.each([
    [[0, 0, 0, 0], /at most 3 indices for 3 dimensions, got 4/],
    [['...', '...'], /at most one '...'/],
    [[2], /index 2 out of range/],
    [[[0, 1, 2, 3]], /make lists of indices a tensor/],
    [['x'], /got a string/],
    [[long([5])], /out of bounds/],
  ])('%j is an error', (indices, message) => {
    expect(() => cube().index(...(indices as Index[]))).toThrow(message);
    expect(() => cube().index(...(indices as Index[]))).toThrow(TorchError);
  });
});

describe('indexPut_', () => {
  test.each<[string, readonly Index[], number | number[], readonly number[]]>([
    ['x[1] = 9', [1], 9, [0, 1, 2, 9, 9, 9]],
    ['x[:, 0] = [7, 8]', [[], 0], [7, 8], [7, 1, 2, 8, 4, 5]],
    ['x[[0, 1], [2, 0]] = 9', [long([0, 1]), long([2, 0])], 9, [0, 1, 9, 9, 4, 5]],
    ['x[0, [0, 2]] = [5, 6]', [0, long([0, 2])], [5, 6], [5, 1, 6, 3, 4, 5]],
    [
      'x[x > 3 mask] = 0',
      [
        tensor([
          [false, true, true],
          [false, false, true],
        ]),
      ],
      0,
      [0, 0, 0, 3, 4, 0],
    ],
  ])('%s', (_, indices, values, expected) => {
    const x = arange(6).reshape([2, 3]);
    const given = typeof values === 'number' ? values : tensor(values);
    expect(x.indexPut_(indices, given)).toBe(x);
    expect(Array.from(x.toArray(), Number)).toEqual(expected);
  });

  test('accumulate adds where an element is named twice', () => {
    const x = zeros([3]);
    x.indexPut_([long([1, 1, 2])], tensor([1, 2, 4]), { accumulate: true });
    x.indexPut_([0], 8, { accumulate: true });
    expect([...x.toArray()]).toEqual([8, 3, 4]);
  });
});
