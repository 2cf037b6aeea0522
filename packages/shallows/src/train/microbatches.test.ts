import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  expectClose,
  type Fitted,
  fitterOf,
  resnet,
  smallPictures,
  transformer,
} from '../../../../tests/support/fit.js';
import type { DataSplits } from '../data/index.js';
import type { PolicyOptions } from '../depth/index.js';
import { partRows } from './microbatches.js';

let data: DataSplits;
beforeAll(async () => {
  data = await smallPictures();
});
afterAll(() => data.dispose());
const fit = fitterOf(() => data);

describe('microbatches', () => {
  test.each([
    [10, 1, [10]],
    [10, 3, [4, 3, 3]],
    [7, 4, [2, 2, 2, 1]],
    [2, 4, [1, 1]],
  ])('of %d rows in %d parts', (rows, count, expected) => {
    const parts = partRows(rows, count);
    expect(parts.map((part) => part.rows)).toEqual(expected);
    expect(parts.map((part) => part.firstRow)).toEqual(
      expected.map((_, i) => expected.slice(0, i).reduce((a, b) => a + b, 0)),
    );
  });

  test('learn what the whole batch learns', async () => {
    using whole = await fit(transformer, null);
    // 5 does not divide 16.
    for (const count of [2, 4, 5]) {
      using split = await fit(transformer, null, { microbatches: count });
      expectClose(split, whole);
      expect(split.of('batch-end').map(({ loss }) => loss === null)).toEqual(
        whole.of('batch-end').map(({ loss }) => loss === null),
      );
      expect(split.of('batch-end')[0]?.loss).toBeCloseTo(whole.of('batch-end')[0]?.loss ?? 0, 5);
      expect(split.result.at).toMatchObject({ batch: whole.result.at.batch, sample: whole.result.at.sample });
    }
  });

  test('drop the same samples however a batch is split, where each sample decides', async () => {
    const depth: PolicyOptions = { drop: 0.5, unit: 'row', ranks: 'sample', time: { kind: 'warmup', length: '3ba' } };
    using whole = await fit(transformer, depth);
    for (const count of [2, 4]) {
      using split = await fit(transformer, depth, { microbatches: count });
      expectClose(split, whole);
      const dropped = ({ result }: Fitted): unknown =>
        result.depth?.sites.map(({ name, dropped: rows, opportunities }) => [name, rows, opportunities]);
      expect(dropped(split)).toEqual(dropped(whole));
      for (const [i, { active }] of split.of('batch-end').entries())
        expect(active).toBeCloseTo(whole.of('batch-end')[i]?.active ?? 0, 9);
    }
  });

  test('decide each for themselves where blocks are dropped', async () => {
    using split = await fit(resnet, { drop: 0.5, schedule: 'uniform' }, { microbatches: 2, duration: '10ep' });
    expect(split.result.depth?.sites.map(({ opportunities }) => opportunities)).toEqual([60, 60, 60]);
    // Half a block is one microbatch of two.
    expect(split.of('batch-end').some(({ active }) => active % 1 === 0.5)).toBe(true);
  });

  test.each([0, 1.5, Number.NaN])('of %d parts are an error', async (count) => {
    await expect(fit(transformer, null, { microbatches: count })).rejects.toThrow(
      'Trainer: expected a whole number of microbatches from 1',
    );
  });
});
