import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Point, RunEvidence, RunOptions } from './rank-run.js';
import { resultsOf, startRanks } from './ranks.js';

/** How hard to try. */
export interface RanksResumeOptions {
  /** Batches of each run. */
  readonly batches: number;
  readonly ranks: number;
  /** Goes on from the checkpoints whose names match. */
  readonly places?: RegExp;
}

/** What came of runs on several ranks that went on from checkpoints. */
export interface RanksResumeTally {
  readonly batches: number;
  readonly ranks: number;
  readonly seconds: number;
  /** Runs that went on, by where their checkpoint was taken. */
  readonly places: Readonly<Record<string, number>>;
  readonly problems: readonly string[];
}

type Setup = Pick<RunOptions, 'depth' | 'batchNorm' | 'precision'>;

const setups: Readonly<Record<string, Setup>> = {
  'each rank drops its own blocks, local batch norm, bfloat16': {
    depth: { drop: 0.4, schedule: 'uniform', ranks: 'independent' },
    batchNorm: 'local',
    precision: 'bfloat16',
  },
  'all ranks drop the same blocks, synchronised batch norm': {
    depth: { drop: 0.4, schedule: 'uniform', ranks: 'shared' },
    batchNorm: 'synchronised',
    precision: 'float32',
  },
};

/**
 * Runs a trainer on several ranks, with accumulation, uneven batches, MixUp, an average of weights and clipping, and saves before
 * every optimizer step, after every batch and every epoch. Other processes go on from each of these checkpoints, with 0 and 2
 * data workers in turn; what comes of each must be what came of the unbroken run, bit for bit.
 */
export async function tortureRanksResume(
  { batches, ranks, places = /./ }: RanksResumeOptions,
  say: (line: string) => void,
): Promise<RanksResumeTally> {
  const start = performance.now();
  const counts: Record<string, number> = {};
  const problems: string[] = [];
  const home = mkdtempSync(join(tmpdir(), 'shallows-torture-'));
  try {
    for (const [title, setup] of Object.entries(setups)) {
      const options = { ...setup, folder: join(home, setup.batchNorm), batches };
      const [unbroken] = await evidenceOf(ranks, { ...options, from: null });
      const points = (unbroken?.[0]?.points ?? []).filter(({ name }) => places.test(name));
      say(`${title}: ${batches} batches, ${points.length} checkpoints`);
      const from = points.map(({ path }, i) => ({ path, workers: i % 2 === 0 ? 0 : 2 }));
      const resumed = await evidenceOf(ranks, { ...options, from });
      for (const [i, point] of points.entries()) {
        const found = differences(resumed[i] ?? [], unbroken ?? [], point);
        problems.push(...found.map((problem) => `${title}, from ${point.name}: ${problem}`));
        const place = point.name.replace(/-\d+$/, '');
        counts[place] = (counts[place] ?? 0) + 1;
      }
    }
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
  return { batches, ranks, seconds: (performance.now() - start) / 1000, places: counts, problems };
}

/** The tally as text. */
export function ranksResumeReport({ batches, ranks, seconds, places, problems }: RanksResumeTally): string {
  const counts = Object.entries(places);
  const total = counts.reduce((sum, [, count]) => sum + count, 0);
  return [
    '',
    `${total} runs of ${batches} batches on ${ranks} ranks went on from checkpoints, ${Math.round(seconds)} s`,
    ...counts.map(([place, count]) => `  ${place.padEnd(12)} ${count}`),
    problems.length === 0
      ? 'weights, optimizer, average of weights, running means and all that was told equal to the unbroken run bit for bit: all'
      : `with problems: ${problems.length}`,
    ...problems.map((problem) => `PROBLEM ${problem}`),
    '',
  ].join('\n');
}

/** `[run][rank]` */
async function evidenceOf(size: number, options: RunOptions): Promise<readonly (readonly RunEvidence[])[]> {
  const byRank = resultsOf<readonly RunEvidence[]>(await startRanks(size, 'rank-run', options));
  const [first = []] = byRank;
  return first.map((_, run) => byRank.flatMap((runs) => runs[run] ?? []));
}

function differences(resumed: readonly RunEvidence[], unbroken: readonly RunEvidence[], point: Point): string[] {
  const found: string[] = [];
  for (const [rank, { weights, state }] of resumed.entries()) {
    if (weights !== unbroken[rank]?.weights) found.push(`weights of rank ${rank} differ`);
    if (weights !== resumed[0]?.weights) found.push(`ranks 0 and ${rank} ended with different weights`);
    if (state !== unbroken[rank]?.state) found.push(`optimizer or average of rank ${rank} differ`);
  }
  if (resumed[0]?.buffers !== unbroken[0]?.buffers) found.push('running means differ');
  const expected = unbroken[0]?.events.slice(point.told) ?? [];
  const told = resumed[0]?.events ?? [];
  const at = expected.findIndex((event, i) => event !== told[i]);
  if (at >= 0 || told.length !== expected.length) {
    const i = at < 0 ? expected.length : at;
    found.push(`event ${point.told + i}: expected ${expected[i] ?? 'none'}, got ${told[i] ?? 'none'}`);
  }
  return found;
}
