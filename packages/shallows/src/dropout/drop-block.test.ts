import { ones, randn, scope, setNumThreads, type Tensor } from '@shallows/torch';
import { beforeAll, expect, test } from 'vitest';
import { ShallowsError } from '../errors.js';
import { rowKeysSlot, trainingPass } from '../nn/index.js';
import { deriveKey, rootKey } from '../random/index.js';
import { drawBlocks } from './drop-block.js';
import { DropBlock2d, dropBlock2d } from './index.js';
import { drawMask } from './mask.js';

const key = rootKey(15);
const numbers = (x: Tensor): number[] => Array.from(x.toArray(), Number);

beforeAll(() => setNumThreads(1));

test.each([
  [3, 7, 9],
  [4, 8, 6],
  [1, 5, 5],
  [9, 4, 6],
])(
  'what is dropped are the squares of side %i that begin at the drawn places, in maps of %i × %i',
  (block, height, width) => {
    scope(() => {
      const side = Math.min(block, height, width);
      const x = ones([5, 8, height, width]);
      const rate = 0.25;
      const draws = { key, rowKeys: null };
      const kept = drawBlocks(draws, rate, block, x)
        .unbind(0)
        .flatMap((row) => row.unbind(0).map(numbers));
      const [down, across] = [height - side + 1, width - side + 1];
      const gamma = (rate * height * width) / (side ** 2 * down * across);
      const begins = drawMask(draws, gamma, { shape: [5, 8, down, across], dtype: 'float32', device: 'cpu' });
      const maps = begins.unbind(0).flatMap((row) => row.unbind(0).map(numbers));
      let squares = 0;
      for (const [map, keep] of kept.entries()) {
        const wanted = new Array<number>(height * width).fill(1);
        for (const [place, keeps] of (maps[map] ?? []).entries()) {
          if (keeps === 1) continue;
          squares++;
          const [top, left] = [Math.floor(place / across), place % across];
          for (let y = 0; y < side; y++) for (let z = 0; z < side; z++) wanted[(top + y) * width + left + z] = 0;
        }
        expect(keep).toEqual(wanted);
      }
      expect(squares).toBeGreaterThan(3);
    });
  },
);

test('divides by the share that is left: of the batch, and of each row where rows have keys', () => {
  scope(() => {
    const x = ones([6, 4, 8, 8]);
    const y = dropBlock2d(x, 0.3, trainingPass({ key }), { name: 'a', blockSize: 3 });
    expect(y.mean().item()).toBeCloseTo(1, 5);
    expect(numbers(y.mean([1, 2, 3])).every((mean) => Math.abs(mean - 1) < 1e-5)).toBe(false);
    const keys = Array.from({ length: 6 }, (_, i) => deriveKey(key, i));
    const byRow = dropBlock2d(x, 0.3, trainingPass({ key }).with(rowKeysSlot, keys), { name: 'a', blockSize: 3 });
    for (const mean of numbers(byRow.mean([1, 2, 3]))) expect(mean).toBeCloseTo(1, 5);
  });
});

test('a batch of which nothing is left is 0, and finite', () => {
  scope(() => {
    const y = dropBlock2d(randn([1, 1, 3, 3]), 0.9999, trainingPass({ key }), { name: 'a', blockSize: 3 });
    expect(numbers(y)).toEqual(new Array(9).fill(0));
  });
});

test('wrong arguments', () => {
  expect(() => new DropBlock2d(0.1, { blockSize: 0 })).toThrow(ShallowsError);
  expect(() => new DropBlock2d(0.1, { blockSize: 2.5 })).toThrow(
    'DropBlock2d: blockSize: expected a whole number from 1, got 2.5 - write new DropBlock2d(0.1, { blockSize: 7 })',
  );
  using x = ones([2, 3, 4]);
  expect(() => dropBlock2d(x, 0.1, trainingPass({ key }), { name: 'a' })).toThrow(
    'dropBlock2d: expected [B, C, H, W], got [2, 3, 4] - add the batch and its maps as dimensions',
  );
});
