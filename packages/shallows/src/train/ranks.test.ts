import { setNumThreads } from '@shallows/torch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type FitOptions,
  type Fitted,
  fitterOf,
  resnet,
  runKey,
  smallPictures,
  transformer,
  weightsOf,
} from '../../../../tests/support/fit.js';
import { type LocalRank, localRanks } from '../../../../tests/support/local-ranks.js';
import type { DataSplits } from '../data/index.js';
import { findSites, type PolicyOptions } from '../depth/index.js';
import type { Module } from '../nn/index.js';
import type { Algorithm } from './algorithm.js';
import { Ranks } from './ranks.js';

let data: DataSplits;
beforeAll(async () => {
  data = await smallPictures();
  setNumThreads(1);
});
afterAll(() => data.dispose());
const fit = fitterOf(() => data);

interface Together extends Disposable {
  readonly fitted: readonly Fitted[];
  readonly ranks: readonly LocalRank[];
}

/** The same run on several ranks at once, each with its shard. */
async function together(
  size: number,
  make: () => Module,
  depth: PolicyOptions | null,
  options: FitOptions | ((rank: number) => FitOptions) = {},
  batchSize = 16,
): Promise<Together> {
  const ranks = localRanks(size);
  const fitted = await Promise.all(
    ranks.map((parallel, rank) =>
      fit(make, depth, {
        batchSize,
        source: (epoch) => data.train.batches({ batchSize, key: runKey, epoch, shuffle: true, shard: { rank, size } }),
        ...(typeof options === 'function' ? options(rank) : options),
        parallel,
      }),
    ),
  );
  return { fitted, ranks, [Symbol.dispose]: () => fitted.forEach((each) => each.model.dispose()) };
}

function expectSame(
  a: Pick<Fitted, 'model'>,
  b: Pick<Fitted, 'model'>,
  tolerance: { rtol: number; atol: number },
): void {
  const other = weightsOf(b);
  for (const [name, values] of Object.entries(weightsOf(a)))
    expect(values, name).toBeAllclose(other[name] ?? [], tolerance);
}

const exactly = { rtol: 0, atol: 0 };
const close = { rtol: 1e-5, atol: 1e-6 };

describe('ranks learn what one rank learns from the whole batch', () => {
  test.each<[string, PolicyOptions | null, FitOptions, number]>([
    ['without depth', null, {}, 16],
    ['with rows left over', null, {}, 20],
    ['with blocks that all ranks drop', { drop: 0.5, schedule: 'uniform' }, {}, 16],
    [
      'with samples that decide, and accumulation',
      { drop: 0.5, unit: 'row', ranks: 'sample' },
      { microbatches: 2 },
      20,
    ],
    ['with fewer rows than ranks at the end', null, {}, 47],
  ])('%s', async (_, depth, options, batchSize) => {
    const source = (epoch: number) => data.train.batches({ batchSize, key: runKey, epoch, shuffle: true });
    using one = await fit(transformer, depth, { batchSize, source, ...options, logEvery: 1 });
    for (const size of [2, 3]) {
      using many = await together(size, transformer, depth, { ...options, logEvery: 1 }, batchSize);
      for (const each of many.fitted) expectSame(each, many.fitted[0] as Fitted, exactly);
      expectSame(many.fitted[0] as Fitted, one, close);
      const losses = (events: Fitted): (number | null)[] => events.of('batch-end').map(({ loss }) => loss);
      expect(losses(many.fitted[0] as Fitted).map((each) => each?.toFixed(4))).toEqual(
        losses(one).map((each) => each?.toFixed(4)),
      );
      const [first] = many.fitted;
      expect(first?.result.at).toMatchObject({ sample: one.result.at.sample, batch: one.result.at.batch });
      expect(first?.result.metrics?.validation.accuracy).toBe(one.result.metrics?.validation.accuracy);
      expect(first?.result.metrics?.train.loss).toBeCloseTo(one.result.metrics?.train.loss ?? 0, 4);
    }
  });
});

describe('what is dropped', () => {
  test('on all ranks is neither sent nor waited for', async () => {
    using many = await together(2, resnet, { drop: 0.5, schedule: 'uniform' }, { duration: '4ep' });
    using all = await together(2, resnet, null, { duration: '4ep' });
    const [dropping, whole] = [many.ranks[0], all.ranks[0]];
    expect(dropping?.expected.some(({ absent }) => absent > 0)).toBe(true);
    expect(dropping?.expected.every(({ localAbsent }) => localAbsent === 0)).toBe(true);
    expect(dropping?.bytesReduced).toBeLessThan(whole?.bytesReduced ?? 0);
    expect(whole?.expected.every(({ absent, localAbsent }) => absent + localAbsent === 0)).toBe(true);
  });

  test.each(['frozen', 'zero'] as const)(
    'on some ranks counts as zeros there, with optimizer %s',
    async (optimizer) => {
      const depth = { drop: 0.5, schedule: 'uniform', ranks: 'independent', optimizer } as const;
      using many = await together(2, resnet, depth, { duration: '4ep', decay: 0.1 });
      expect(many.ranks[0]?.expected.some(({ localAbsent }) => localAbsent > 0)).toBe(true);
      expect(many.ranks[0]?.expected).not.toEqual(many.ranks[1]?.expected);
      expectSame(many.fitted[0] as Fitted, many.fitted[1] as Fitted, exactly);
    },
  );

  test('in masked branches, or in one microbatch of two, is known too', async () => {
    const depth = { drop: 0.5, schedule: 'uniform', ranks: 'independent' } as const;
    using masked = await together(2, resnet, { ...depth, execution: 'mask' });
    expect(masked.ranks[0]?.expected.every(({ absent, localAbsent }) => absent + localAbsent === 0)).toBe(true);
    using parts = await together(2, resnet, depth, { microbatches: 2, duration: '4ep' });
    expectSame(parts.fitted[0] as Fitted, parts.fitted[1] as Fitted, exactly);
  });

  test('is the same on all ranks where execution is measured', async () => {
    using many = await together(2, transformer, { drop: 0.5, unit: 'row', rows: 'window', execution: 'auto' });
    expectSame(many.fitted[0] as Fitted, many.fitted[1] as Fitted, exactly);
  });
});

test('ranks and microbatches draw numbers of their own, and share the key of the batch', async () => {
  const passes = new Set<string>();
  const batches = new Set<string>();
  const watcher: Algorithm = {
    name: 'watcher',
    onForwardStart: (_, step) => {
      passes.add(JSON.stringify(step.pass.key));
      batches.add(JSON.stringify(step.key));
    },
  };
  using _ = await together(2, resnet, null, { algorithms: [watcher], microbatches: 2, duration: '3ba' });
  expect([passes.size, batches.size]).toEqual([3 * 2 * 2, 3]);
});

describe('ranks agree', () => {
  test('only the first one tells its callbacks', async () => {
    using many = await together(2, resnet, null);
    expect(many.fitted.map(({ events }) => events.length > 0)).toEqual([true, false]);
    expect(many.fitted[0]?.of('fit-start')[0]?.worldSize).toBe(2);
    expect(many.fitted[1]?.result.at.batch).toBe(6);
  });

  test('a signal on one ends all after the same step', async () => {
    const controller = new AbortController();
    const abort: Algorithm = {
      name: 'abort',
      onBackwardEnd: (training, step) => {
        if (training.world.rank === 1 && step.batch === 3) controller.abort();
      },
    };
    using many = await together(2, resnet, null, (rank) => ({
      algorithms: [abort],
      ...(rank === 1 ? { signal: controller.signal } : {}),
    }));
    expect(many.fitted.map(({ result }) => [result.reason, result.at.batch])).toEqual([
      ['interrupted', 4],
      ['interrupted', 4],
    ]);
  });

  test('a run on the clock ends on all after the same step', async () => {
    using many = await together(3, resnet, null, { duration: '0.4sec' });
    const batches = many.fitted.map(({ result }) => result.at.batch);
    expect(new Set(batches).size).toBe(1);
    expect(many.fitted.map(({ result }) => result.reason)).toEqual(['done', 'done', 'done']);
  });

  test('a rank that is late to start neither ends before the first batch nor saves when others do not', async () => {
    const late: Algorithm = {
      name: 'late',
      onFitStart: async ({ world }) => {
        if (world.rank === 1) await new Promise((resolve) => setTimeout(resolve, 150));
      },
    };
    const moments: string[][] = [[], []];
    const watch: Algorithm = {
      name: 'watch',
      onFitStart: ({ world, progress }) => void moments[world.rank]?.push(`start ${progress.elapsedMs}`),
      onBatchEnd: ({ world, progress }) => void moments[world.rank]?.push(`batch ${progress.elapsedMs}`),
    };
    using many = await together(2, resnet, null, { algorithms: [late, watch], duration: '0.1sec' });
    const [one, other] = many.fitted.map(({ result }) => result.at.batch);
    expect(one).toBeGreaterThan(0);
    expect(other).toBe(one);
    expect(moments[1]).toEqual(moments[0]);
  });

  test('a batch that is not finite on one is left out on all', async () => {
    const poison: Algorithm = {
      name: 'poison',
      onBatchStart: (training, batch) => {
        if (training.world.rank === 1 && batch.batch === 1) batch.inputs = batch.inputs.mul(Number.NaN);
      },
    };
    using many = await together(2, resnet, null, { algorithms: [poison], onNonFinite: 'lower' });
    expectSame(many.fitted[0] as Fitted, many.fitted[1] as Fitted, exactly);
    expect(many.fitted[0]?.of('non-finite')).toHaveLength(1);
    expect(many.fitted[0]?.of('batch-end').at(-1)?.lr).toBeCloseTo(0.025, 12);
    await expect(together(2, resnet, null, { algorithms: [poison] })).rejects.toThrow('got NaN in batch 2');
  });

  test('buffers are those of the first rank', async () => {
    using many = await together(2, resnet, null, { duration: '1ep' });
    const [a = [], b = []] = many.fitted.map(({ model }) =>
      Array.from(model.namedBuffers(), ([, each]) => Array.from(each.toArray(), Number)),
    );
    expect(b).toEqual(a);
  });

  test('a checkpoint is taken by all and saved by the first', async () => {
    const saved: number[] = [];
    const saver = (): Algorithm => ({
      name: 'saver',
      onEpochEnd: (training) =>
        training.checkpoint('x', (snapshot) => {
          saved.push(training.world.rank, Object.keys(snapshot.tensors).length);
          return Promise.resolve({ path: 'x', bytes: 1 });
        }),
    });
    using many = await together(2, resnet, null, () => ({ algorithms: [saver()], duration: '1ep' }));
    expect(saved[0]).toBe(0);
    expect(saved).toHaveLength(2);
    expect(many.fitted[0]?.of('checkpoint')).toHaveLength(1);
  });

  test('the evaluation scale of branches follows', async () => {
    using many = await together(2, resnet, { drop: 0.8, schedule: 'uniform', scale: 'paper' }, { duration: '1ep' });
    for (const { model } of many.fitted) expect(findSites(model)[0]?.evaluationScale).toBeCloseTo(0.2, 12);
  });
});

test('a source without shards is an error', async () => {
  const source = (epoch: number) => data.train.batches({ batchSize: 16, key: runKey, epoch, shuffle: true });
  await expect(together(2, resnet, null, { source })).rejects.toThrow(
    'Trainer: expected 8 of the 16 rows of batch 0 on rank 0 of 2, got 16 - give a source over the whole training set, with this rank as its shard',
  );
});

test('rows of ranks', () => {
  const rows = (size: number, batch: number): readonly number[] =>
    new Ranks(localRanks(size)[0] as LocalRank).rowsOf(batch);
  expect(rows(2, 7)).toEqual([3, 4]);
  expect(rows(3, 1)).toEqual([0, 0, 1]);
  expect(new Ranks(null).rowsOf(5)).toEqual([5]);
});
