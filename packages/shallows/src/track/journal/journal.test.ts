import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  batchEnd,
  checkpointed,
  epochEnd,
  evaluation,
  fitEnd,
  fitStart,
  nonFinite,
  resumed,
  warning,
} from '../../../../../tests/support/journal-events.js';
import type { TrainEvent } from '../../train/events.js';
import { createJournal, type OpenJournalOptions } from './open.js';
import { readJournal } from './reader.js';

let root = '';
let files = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'shallows-journal-'));
});
afterAll(async () => {
  await rm(root, { recursive: true });
});

const newPath = (): string => join(root, `${String(files++)}.jsonl`);

async function written(events: readonly TrainEvent[], options: OpenJournalOptions = {}): Promise<string> {
  const path = newPath();
  const journal = createJournal(path, options);
  for (const event of events) journal.record(event);
  journal.close();
  return path;
}

const textOf = async (path: string): Promise<string[]> => (await readFile(path, 'utf8')).split('\n').slice(0, -1);

describe('a journal', () => {
  test('gives back what was written, in order and numbered', async () => {
    const events = [
      fitStart(),
      resumed,
      warning('algorithm', 'mind'),
      nonFinite,
      epochEnd(2),
      evaluation(2),
      checkpointed(2),
      fitEnd(2, { reason: 'stopped', why: 'no gain', metrics: null }),
    ];
    const { lines, torn, superseded, unknown, head } = await readJournal(await written(events));
    expect([torn, superseded, unknown]).toEqual([null, [], 0]);
    expect(lines.map(({ seq }) => seq)).toEqual([...events.keys()]);
    for (const [i, event] of events.entries()) expect(lines[i]).toMatchObject(event);
    expect(head).toEqual({ lines: events.length, digest: expect.stringMatching(/^[0-9a-f]{64}$/) as string });
    expect(Date.parse(lines[0]?.time ?? '')).toBeGreaterThan(Date.now() - 60_000);
  });

  test('stores batches as columns', async () => {
    const { lines } = await readJournal(
      await written([
        batchEnd(1, { loss: 2.5, gradNorm: 3, dataWaitMs: 0.5 }),
        batchEnd(2, { active: 1, samples: 4 }),
        batchEnd(3, { active: 3 + 1 / 3 }),
        evaluation(3),
        batchEnd(4, { lr: 0.2, factor: 1 / 3 }),
        batchEnd(5),
        batchEnd(9),
      ]),
    );
    expect(lines[0]).toMatchObject({
      kind: 'batches',
      first: 1,
      durationMs: [1.235, 1.235, 1.235],
      dataWaitMs: [0.5, 0.25, 0.25],
      samples: [8, 4, 8],
      active: [3, 1, 3.333333],
      sites: 4,
      factor: 1,
      lr: 0.1,
      losses: [[1, 2.5]],
      gradNorms: [[1, 3]],
    });
    expect(lines[2]).toMatchObject({ first: 4, lr: [0.2, 0.1], factor: [1 / 3, 1], dataWaitMs: 0.25, samples: 8 });
    expect(lines[3]).toMatchObject({ first: 9, active: [3], losses: [], gradNorms: [] });
  });

  test('keeps 100,000 steps under 4.5 MB and reads them back', async () => {
    const path = newPath();
    const journal = createJournal(path, { now: () => new Date(0) });
    for (let batch = 1; batch <= 100_000; batch++) {
      journal.record(
        batchEnd(batch, {
          lr: 0.1 * Math.cos(batch / 1e5),
          durationMs: 40 + Math.sin(batch),
          dataWaitMs: 0.1 + 0.05 * Math.sin(batch),
          loss: batch % 10 === 0 ? Math.sqrt(batch) : null,
        }),
      );
    }
    journal.close();
    expect((await readFile(path)).length).toBeLessThan(4.5e6);
    const { lines } = await readJournal(path);
    expect(lines.reduce((sum, line) => sum + (line.kind === 'batches' ? line.active.length : 0), 0)).toBe(100_000);
  });

  test('keeps numbers that JSON lacks, and texts that look like them', async () => {
    const lost = evaluation(1, {
      train: { loss: Number.NaN, accuracy: -0 },
      validation: { loss: Number.POSITIVE_INFINITY, accuracy: 0 },
      gap: { loss: Number.NEGATIVE_INFINITY, accuracy: 0 },
    });
    const path = await written([
      fitStart(),
      batchEnd(1, { loss: Number.NaN, lr: Number.NaN }),
      batchEnd(2, { lr: Number.NaN }),
      lost,
    ]);
    expect((await textOf(path))[1]).toContain('"lr":"NaN","losses":[[1,"NaN"]]');
    const { lines } = await readJournal(path);
    expect(lines[0]).toMatchObject({ model: { sites: [{ name: 'NaN' }] } });
    expect(lines[1]).toMatchObject({ lr: Number.NaN, losses: [[1, Number.NaN]] });
    expect(lines[2]).toMatchObject(lost);
  });

  test('keeps metrics of any name', async () => {
    const sides = { loss: 0.5, rmse: 0.7, r2: -1 };
    const path = await written([evaluation(1, { train: sides, validation: sides, gap: { loss: 0, rmse: 0, r2: 0 } })]);
    expect((await readJournal(path)).lines[0]).toMatchObject({ validation: sides });
  });

  test('holds batches back for a bounded time, and never past another event', async () => {
    let time = 0;
    const path = newPath();
    const journal = createJournal(path, { flushMs: 1000, batchesPerLine: 3, now: () => new Date(time) });
    journal.record(batchEnd(1));
    time = 999;
    journal.record(batchEnd(2));
    expect(await textOf(path)).toHaveLength(0);
    time = 1000;
    journal.record(batchEnd(3));
    expect(await textOf(path)).toHaveLength(1);
    for (const batch of [4, 5, 6]) journal.record(batchEnd(batch));
    expect(await textOf(path)).toHaveLength(2);
    time = 1999;
    journal.record(batchEnd(7));
    expect(await textOf(path)).toHaveLength(2);
    journal.sync();
    expect(await textOf(path)).toHaveLength(3);
    journal.record(batchEnd(8));
    journal.record(evaluation(8));
    expect(await textOf(path)).toHaveLength(5);
    journal.record(batchEnd(9));
    journal.close();
    journal.close();
    expect(await textOf(path)).toHaveLength(6);
    expect(() => journal.record(evaluation(8))).toThrow('got a closed journal');
  });

  test('is never begun twice', async () => {
    const path = await written([fitStart()]);
    expect(() => createJournal(path)).toThrow('openJournal: expected a new journal');
    expect(() => createJournal(join(root, 'missing', 'x'))).toThrow('ENOENT');
  });

  test('can be read while it is written', async () => {
    const path = newPath();
    const journal = createJournal(path, { batchesPerLine: 2 });
    for (let batch = 1; batch <= 50; batch++) {
      journal.record(batchEnd(batch));
      const { lines, torn } = await readJournal(path);
      expect(lines.reduce((sum, line) => sum + (line.kind === 'batches' ? line.active.length : 0), 0)).toBe(
        batch - (batch % 2),
      );
      expect(torn).toBeNull();
    }
    journal.close();
  });

  test('tells a torn last line, at every length of it', async () => {
    const path = await written([fitStart(), evaluation(1)]);
    const whole = await readFile(path);
    const first = whole.indexOf(10) + 1;
    for (let length = first; length < whole.length; length++) {
      await writeFile(path, whole.subarray(0, length));
      const { lines, torn } = await readJournal(path);
      expect(lines).toHaveLength(1);
      expect(torn).toEqual(length === first ? null : { line: 2, bytes: length - first });
    }
    await writeFile(path, '');
    expect(await readJournal(path)).toMatchObject({ lines: [], torn: null, head: { lines: 0 } });
    await expect(readJournal(join(root, 'none'))).rejects.toThrow('got no such file');
  });
});

describe('what a resumed run did again', () => {
  /** Batches and events as `kind batch`, a line of batches as `first-last`. */
  async function told(path: string, of: 'lines' | 'superseded' = 'lines'): Promise<string[]> {
    return (await readJournal(path))[of].map((line) =>
      line.kind === 'batches'
        ? `${String(line.first)}-${String(line.first + line.durationMs.length - 1)}`
        : 'at' in line
          ? `${line.kind} ${String(line.at.batch)}`
          : line.kind,
    );
  }

  test('counts once, cut in the middle of a line', async () => {
    const path = newPath();
    const journal = createJournal(path);
    journal.record(fitStart());
    for (let batch = 1; batch <= 6; batch++)
      journal.record(batchEnd(batch, { loss: batch, gradNorm: 2 * batch, lr: batch, samples: batch }));
    journal.record(evaluation(6));
    journal.record(fitEnd(6, { reason: 'interrupted' }));
    journal.note({ kind: 'rewind', batch: 4 });
    journal.record(resumed);
    journal.record(batchEnd(5, { loss: 50 }));
    journal.record(evaluation(5));
    journal.close();
    expect(await told(path)).toEqual(['fit-start 0', '1-4', 'rewind', 'resumed 3', '5-5', 'evaluation 5']);
    expect(await told(path, 'superseded')).toEqual(['5-6', 'evaluation 6', 'fit-end 6']);
    const { lines, superseded } = await readJournal(path);
    expect(lines[1]).toMatchObject({
      first: 1,
      lr: [1, 2, 3, 4],
      samples: [1, 2, 3, 4],
      dataWaitMs: 0.25,
      losses: [1, 2, 3, 4].map((batch) => [batch, batch]),
      gradNorms: [1, 2, 3, 4].map((batch) => [batch, 2 * batch]),
    });
    expect(superseded[0]).toMatchObject({
      first: 5,
      lr: [5, 6],
      losses: [
        [5, 5],
        [6, 6],
      ],
      active: [3, 3],
    });
  });

  test('takes what comes twice at the very batch once, the later one', async () => {
    const path = newPath();
    const journal = createJournal(path);
    for (const batch of [1, 2]) journal.record(batchEnd(batch));
    journal.record(epochEnd(2));
    journal.record(evaluation(2, { durationMs: 1 }));
    journal.record(checkpointed(2));
    journal.record(warning('drop-rates', 'odd', 2));
    journal.note({ kind: 'rewind', batch: 2 });
    journal.record(evaluation(2, { durationMs: 2 }));
    journal.record(epochEnd(2));
    journal.record(batchEnd(3));
    journal.record(evaluation(3));
    journal.record(evaluation(3));
    journal.close();
    expect(await told(path)).toEqual([
      '1-2',
      'checkpoint 2',
      'rewind',
      'evaluation 2',
      'epoch-end 2',
      '3-3',
      'evaluation 3',
      'evaluation 3',
    ]);
    const { lines } = await readJournal(path);
    expect(lines[3]).toMatchObject({ durationMs: 2 });
  });

  test('goes back more than once, and to the start', async () => {
    const path = newPath();
    const journal = createJournal(path);
    const run = (from: number, to: number): void => {
      for (let batch = from; batch <= to; batch++) journal.record(batchEnd(batch));
      journal.flush();
    };
    run(1, 9);
    journal.note({ kind: 'rewind', batch: 7 });
    run(8, 12);
    journal.note({ kind: 'rewind', batch: 4 });
    run(5, 6);
    journal.flush();
    expect(await told(path)).toEqual(['1-4', 'rewind', 'rewind', '5-6']);
    expect(await told(path, 'superseded')).toEqual(['8-9', '5-7', '8-12']);
    journal.note({ kind: 'rewind', batch: 0 });
    journal.close();
    expect(await told(path)).toEqual(['rewind', 'rewind', 'rewind']);
  });

  test('takes batches once that come again, because a snapshot was taken before their end', async () => {
    const path = newPath();
    const journal = createJournal(path);
    for (let batch = 1; batch <= 6; batch++) journal.record(batchEnd(batch, { loss: batch }));
    journal.record(evaluation(6));
    journal.note({ kind: 'rewind', batch: 5 });
    for (let batch = 4; batch <= 6; batch++) journal.record(batchEnd(batch, { loss: 10 * batch }));
    journal.record(evaluation(6));
    journal.close();
    expect(await told(path)).toEqual(['1-3', 'rewind', '4-6', 'evaluation 6']);
    expect(await told(path, 'superseded')).toEqual(['6-6', 'evaluation 6', '4-5']);
    const { lines } = await readJournal(path);
    const losses = lines.flatMap((line) => (line.kind === 'batches' ? line.losses.map(([, loss]) => loss) : []));
    expect(losses).toEqual([1, 2, 3, 40, 50, 60]);
  });

  test('a skipped batch is told once', async () => {
    const path = newPath();
    const journal = createJournal(path);
    journal.record(nonFinite);
    journal.record({ ...nonFinite, batch: 3 } as TrainEvent);
    journal.note({ kind: 'rewind', batch: 4 });
    journal.record(nonFinite);
    journal.close();
    const { lines } = await readJournal(path);
    expect(lines.map((line) => (line.kind === 'non-finite' ? line.batch : line.kind))).toEqual([3, 'rewind', 4]);
  });
});
