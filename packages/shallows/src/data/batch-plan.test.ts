import { describe, expect, test } from 'vitest';
import { deriveKey, rootKey } from '../random/index.js';
import { batchPlan, rowPicker } from './batch-plan.js';

const key = deriveKey(rootKey(2), 'plan');

describe('shards', () => {
  const parts = (rows: number, batchSize: number, size: number, shuffle = false): number[][][] => {
    const pickers = Array.from({ length: size }, (_, rank) =>
      rowPicker(batchPlan(rows, { batchSize, key, shuffle, shard: { rank, size } })),
    );
    const { length } = batchPlan(rows, { batchSize });
    return Array.from({ length }, (_, i) => pickers.map((pick) => [...pick(i)]));
  };

  test('ranks take neighbouring parts of each batch, together the whole of it', () => {
    expect(parts(10, 4, 2)).toEqual([
      [
        [0, 1],
        [2, 3],
      ],
      [
        [4, 5],
        [6, 7],
      ],
      [[8], [9]],
    ]);
    expect(parts(11, 8, 3)).toEqual([
      [
        [0, 1],
        [2, 3, 4],
        [5, 6, 7],
      ],
      [[8], [9], [10]],
    ]);
  });

  test.each([
    [23, 5, 3],
    [23, 7, 4],
    [100, 16, 5],
    [9, 9, 9],
  ])(
    '%s rows in batches of %s on %s ranks: each row once, in the order of the whole; none without rows but in small batches',
    (rows, batchSize, size) => {
      const whole = rowPicker(batchPlan(rows, { batchSize, key, shuffle: true }));
      for (const [i, ranks] of parts(rows, batchSize, size, true).entries()) {
        const batch = [...whole(i)];
        expect(ranks.flat()).toEqual(batch);
        const lengths = ranks.map((part) => part.length);
        expect(Math.max(...lengths) - Math.min(...lengths)).toBeLessThanOrEqual(1);
        if (batch.length >= size) expect(Math.min(...lengths)).toBeGreaterThan(0);
      }
    },
  );

  test('a batch smaller than there are ranks leaves some without rows', () => {
    expect(parts(2, 8, 3)).toEqual([[[], [0], [1]]]);
  });
});

test('length, dropLast and rows count batches of all ranks', () => {
  expect(batchPlan(10, { batchSize: 4, shard: { rank: 1, size: 2 } }).length).toBe(3);
  expect(batchPlan(10, { batchSize: 4, dropLast: true }).length).toBe(2);
  expect(batchPlan(10, { batchSize: 4, rows: 3 }).length).toBe(1);
});

test.each([
  [{ shard: { rank: 2, size: 2 } }, 'expected a whole number from 0 to 1 as shard.rank, got 2'],
  [{ shard: { rank: 0, size: 0 } }, 'expected a whole number from 1 as shard.size, got 0'],
  [{ workers: -1 }, 'expected a whole number from 0 to 64 as workers, got -1'],
  [{ workers: 1000 }, 'as workers, got 1000'],
  [{ shuffle: true }, 'expected a key for shuffle or augment, got none'],
])('refuses %j', (options, message) => {
  expect(() => batchPlan(10, { batchSize: 2, ...options })).toThrow(message);
});
