import { beforeAll, describe, expect, test } from 'vitest';
import { bringTortureUpToDate } from './support/built.js';
import type { RankOptions, RankResult } from './torture/rank.js';
import { resultsOf, tortureRanks, trainOnRanks } from './torture/ranks.js';

beforeAll(bringTortureUpToDate);

const small = { model: 'mlp', depth: null, steps: 20, batch: 64 } as const satisfies RankOptions;
const half = { drop: 0.5, schedule: 'uniform' } as const;

async function together(size: number, options: RankOptions): Promise<RankResult[]> {
  const results = resultsOf(await trainOnRanks(size, options));
  for (const { weights } of results) expect(weights).toBe(results[0]?.weights);
  return results;
}

function weightsOf({ weights }: RankResult, dtype: RankOptions['dtype'] = 'float32'): ArrayLike<number> {
  const bytes = Uint8Array.from(Buffer.from(weights, 'base64'));
  return dtype === 'float64' ? new Float64Array(bytes.buffer) : new Float32Array(bytes.buffer);
}

/** ‖a − b‖ / ‖b‖ over all weights. */
function distance(a: RankResult | undefined, b: RankResult | undefined, dtype?: RankOptions['dtype']): number {
  if (a === undefined || b === undefined) throw new Error('expected results');
  const [got, wanted] = [weightsOf(a, dtype), weightsOf(b, dtype)];
  let [difference, size] = [0, 0];
  for (let i = 0; i < wanted.length; i++) {
    difference += ((got[i] ?? 0) - (wanted[i] ?? 0)) ** 2;
    size += (wanted[i] ?? 0) ** 2;
  }
  return Math.sqrt(difference / size);
}

describe('two processes with 32 rows each learn what one learns with 64', () => {
  test.each<[string, Partial<RankOptions>]>([
    ['without depth, with rows left over and microbatches', { batch: 63, microbatches: 2 }],
    ['with blocks that all drop', { depth: half }],
    [
      'with samples that decide, in microbatches',
      { depth: { ...half, unit: 'row', ranks: 'sample' }, microbatches: 2 },
    ],
  ])('%s', async (_, given) => {
    const options = { ...small, ...given };
    const [[one], [two, second]] = await Promise.all([together(1, options), together(2, options)]);
    expect(distance(two, one)).toBeLessThan(1e-6);
    // One plan for all, or one a sample wherever its row is.
    if (options.depth?.ranks !== 'sample') {
      expect(two?.plans).toEqual(second?.plans);
      if (options.microbatches === undefined) expect(two?.plans).toEqual(one?.plans);
    }
    for (const [step, loss] of (two?.losses ?? []).entries()) expect(loss).toBeCloseTo(one?.losses[step] ?? 0, 5);
  });

  test('with synchronised batch norm, and not with one for each', async () => {
    // In double precision: a relu that is on here and off there by rounding would change more than all else.
    const options = { ...small, model: 'resnet-8', depth: half, dtype: 'float64' } as const;
    const [[one], [synchronised], [local]] = await Promise.all([
      together(1, options),
      together(2, { ...options, batchNorm: 'synchronised' }),
      together(2, options),
    ]);
    expect(distance(synchronised, one, 'float64')).toBeLessThan(1e-12);
    expect(distance(local, one, 'float64')).toBeGreaterThan(1e-4);
  });
});

test('ranks that each decide have plans of their own, and sum what some of them have', async () => {
  const results = await together(3, { ...small, depth: { ...half, ranks: 'independent' }, microbatches: 2 });
  expect(new Set(results.map(({ plans }) => plans.join())).size).toBe(3);
  expect(results.every(({ everLocal }) => everLocal)).toBe(true);
});

test('bytes that are sent fall by what the plans drop', async () => {
  const options = { ...small, model: 'resnet-20', depth: half, steps: 30, batch: 4 } as const;
  const [first] = await together(2, options);
  const sent = (first?.bytesReduced ?? 0) / ((first?.parameterBytes ?? 0) * options.steps);
  expect(1 - sent).toBeCloseTo(first?.absentShare ?? 0, 12);
  // Half of what blocks hold, which is nearly all.
  expect(first?.absentShare).toBeGreaterThan(0.4);
  expect(first?.absentShare).toBeLessThan(0.6);
});

test('ranks that are held up at random neither hang nor differ', async () => {
  const tally = await tortureRanks({ steps: 60, ranks: 3, model: 'mlp' }, () => undefined);
  expect(tally).toMatchObject({ equal: true, steps: 60 });
  expect(tally.notSent).toBeCloseTo(tally.dropped, 12);
});

test('a rank that is killed in a step is named by the others', async () => {
  const ends = await trainOnRanks(3, { ...small, steps: 10_000, timeoutMs: 6000, dies: { rank: 1, step: 10 } });
  expect(ends[1]?.signal).toBe('SIGKILL');
  for (const rank of [0, 2]) {
    expect(ends[rank]?.code).toBe(1);
    expect(ends[rank]?.stderr).toMatch(
      /TorchError: (backward|finishStep): expected all 3 ranks, got no sign of life from rank 1 for/,
    );
  }
});
