import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  at,
  batchEnd,
  checkpointed,
  epochEnd,
  evaluation,
  fitEnd,
  fitStart,
  measured,
} from '../../../../tests/support/journal-events.js';
import { runStart } from '../../../../tests/support/run-start.js';
import { Policy } from '../depth/index.js';
import { writeAtomically } from '../files/index.js';
import { createRun } from './create-run.js';
import { readJournal } from './journal/index.js';
import { journalKeeper } from './journal-keeper.js';
import { readRun } from './read-run.js';
import { resumeRun } from './resume-run.js';
import type { Run } from './run.js';
import { loadRun } from './run-data.js';
import { verifyRun } from './verify-run.js';

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'shallows-run-'));
});
afterAll(async () => {
  await rm(root, { recursive: true });
});

describe('createRun', () => {
  test('writes a record at the start and at the end', async () => {
    const folder = join(root, 'a/b');
    const run = await createRun(folder, runStart);
    const first = await readRun(folder);
    expect(first).toEqual(run.record);
    expect(first).toMatchObject({
      schema: 2,
      name: 'net',
      status: 'running',
      finishedAt: null,
      metrics: null,
      parent: null,
      worldSize: 1,
      batchSize: null,
      seed: 3,
      primary: { name: 'accuracy', better: 'higher' },
      optimizer: { name: 'sgd', options: { lr: 0.1 } },
      schedule: null,
      stochasticity: [],
      gpus: [],
      journal: null,
    });
    expect(first.versions).toMatchObject({
      shallows: expect.stringMatching(/^\d+\.\d+/),
      node: process.version,
      cuda: null,
      driver: null,
    });
    expect(first.host.cores).toBeGreaterThan(0);
    expect(first.host.memoryBytes).toBeGreaterThan(1e6);
    expect(first.recipeDigest).toMatch(/^[0-9a-f]{64}$/);
    expect(first.data).toMatchObject({ sizes: { train: 4, validation: 4 }, classCounts: { train: [3, 1] } });

    await run.onEvent(fitStart());
    expect(await readRun(folder)).toMatchObject({
      batchSize: 8,
      microbatches: 1,
      algorithms: [{ name: 'mixup', options: { alpha: 0.2 } }],
      optimizer: { name: 'sgd', options: { lr: 0.1 } },
      model: { name: 'net' },
    });
    await run.onEvent(batchEnd(1, { loss: 3 }));
    const lost = { ...measured, train: { loss: Number.NaN, accuracy: 0.5 } };
    const last = await run.finish({ status: 'interrupted', metrics: lost });
    expect(await readRun(folder)).toEqual(last);
    expect(last).toMatchObject({ id: first.id, status: 'interrupted', metrics: lost, depth: null });
    expect(last).toMatchObject({
      efficiency: { steps: 1, samples: 8 },
      stability: { readings: 1 },
      journal: { lines: 2 },
    });
    expect(Date.parse(last.finishedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(first.startedAt));
    expect((await readJournal(run.file('journal'))).lines).toHaveLength(2);
    expect((await readdir(folder)).sort()).toEqual(['journal.jsonl', 'run.json']);
  });

  test('takes from the events what it was not told', async () => {
    const goal = { metric: 'accuracy', better: 'higher', value: 0.2, stays: 1 } as const;
    const run = await createRun(join(root, 'told'), { ...runStart, goal });
    for (const event of [fitStart({ worldSize: 2 }), evaluation(2), fitEnd(2, { why: 'enough', factor: 0.5 })])
      await run.onEvent(event);
    const record = await run.finish({ status: 'stopped' });
    expect(await readRun(run.folder)).toEqual(record);
    expect(record).toMatchObject({
      status: 'stopped',
      stopReason: 'enough',
      metrics: measured,
      factor: 0.5,
      peakMemoryBytes: 123,
      worldSize: 2,
      efficiency: { devices: 2, deviceHours: expect.closeTo(40 / 3_600_000, 12) as number },
      target: { reached: { batch: 2 } },
      // On two training rows and four of validation: one evaluation is not enough to tell.
      gap: { gap: 0.25, error: Math.hypot(Math.sqrt(0.25 / 2), Math.sqrt(0.1875 / 4)), verdict: 'unknown' },
    });
  });

  test('keeps the policy and the random places, with every default filled in', async () => {
    const folder = join(root, 'policy');
    const time = {
      kind: 'piecewise',
      points: [
        ['0ba', 0],
        [{ value: 1, unit: 'ep' }, 1],
      ],
    } as const;
    const site = { path: 'a.drop', kind: 'dropout', rate: 0.5, granularity: 'element', scaling: 'inverted' };
    for (const options of [
      { drop: 0.3, time },
      { schedule: 'list', rates: [0.1, 0.2], time: { kind: 'decay' } },
      { drop: 0.5, kinds: { mlp: 0.2 }, unit: 'row', rows: 'window', time: { kind: 'early', length: '1ep' } },
    ] as const) {
      const policy = { preset: 'timm', ...Policy(options) };
      const start = { ...runStart, policy, stochasticity: [site] };
      const run = await createRun(join(folder, String(Object.keys(options))), start);
      await run.finish({ status: 'done', factor: 0.25 });
      expect(await readRun(run.folder)).toMatchObject({ policy, factor: 0.25, stochasticity: [site] });
    }
  });

  test('keeps the message of a failure, and what was measured before it', async () => {
    const run = await createRun(join(root, 'failed'), runStart);
    await run.onEvent(evaluation(1));
    expect(await run.finish({ status: 'failed', failure: 'no disk' })).toMatchObject({
      status: 'failed',
      failure: 'no disk',
      metrics: measured,
    });
  });

  test('leaves the status running where it was not finished', async () => {
    const folder = join(root, 'killed');
    {
      using run = await createRun(folder, runStart);
      expect(existsSync(run.file('lock'))).toBe(true);
    }
    expect(await readRun(folder)).toMatchObject({ status: 'running' });
    expect(existsSync(join(folder, 'writer.lock'))).toBe(false);
  });

  test('touches nothing in a folder that is not empty', async () => {
    const used = join(root, 'used');
    await (await createRun(used, runStart)).finish({ status: 'done' });
    const before = await readFile(join(used, 'run.json'));
    await expect(createRun(used, runStart)).rejects.toThrow('got one that holds a run');
    expect(await readFile(join(used, 'run.json'))).toEqual(before);

    const foreign = join(root, 'foreign');
    await mkdir(foreign);
    await writeFile(join(foreign, 'thesis.txt'), 'mine');
    await expect(createRun(foreign, runStart)).rejects.toThrow('got one that holds thesis.txt');
    expect(await readdir(foreign)).toEqual(['thesis.txt']);
    await expect(createRun(join(foreign, 'thesis.txt'), runStart)).rejects.toThrow(
      'createRun: expected a folder that can be made',
    );
  });

  test('lets one of many win a folder', async () => {
    const folder = join(root, 'race');
    const runs = await Promise.allSettled(Array.from({ length: 8 }, () => createRun(folder, runStart)));
    const won = runs.filter(({ status }) => status === 'fulfilled');
    const lost = runs.flatMap((run) => (run.status === 'rejected' ? [String(run.reason)] : []));
    expect(won).toHaveLength(1);
    for (const message of lost) expect(message).toContain(`process ${String(process.pid)} on ${hostname()}`);
    expect(await readRun(folder)).toMatchObject({ status: 'running' });
    for (const run of runs) if (run.status === 'fulfilled') run.value[Symbol.dispose]();
  });
});

describe('resumeRun', () => {
  const resume = { batch: 2, command: ['shallows', 'train', '--resume'], versions: runStart.versions };

  async function killedAt(name: string, batches: number): Promise<string> {
    const folder = join(root, name);
    using run = await createRun(folder, runStart);
    await run.onEvent(fitStart());
    for (let batch = 1; batch <= batches; batch++) await run.onEvent(batchEnd(batch, { loss: batch }));
    await run.onEvent(evaluation(batches));
    return folder;
  }

  test('goes on in the same record and journal, and counts what is done again apart', async () => {
    const folder = await killedAt('again', 4);
    const before = await readRun(folder);
    const { run, repaired } = await resumeRun(folder, { ...resume, worldSize: 2, recipe: runStart.recipe });
    expect(repaired).toBeNull();
    expect(await readRun(folder)).toMatchObject({
      id: before.id,
      status: 'running',
      metrics: null,
      worldSize: 2,
      resumptions: [{ batch: 2, command: resume.command, worldSize: 2, versions: { node: process.version } }],
    });
    await expect(resumeRun(folder, resume)).rejects.toThrow('expected a run folder that nobody writes to');
    await run.onEvent(fitStart({ at: at(2), worldSize: 2 }));
    for (const batch of [3, 4, 5]) await run.onEvent(batchEnd(batch, { loss: 10 * batch }));
    await run.onEvent(epochEnd(5));
    await run.onEvent(fitEnd(5));
    const record = await run.finish({ status: 'done' });
    expect(record).toMatchObject({
      status: 'done',
      startedAt: before.startedAt,
      // Two steps of 1.235 + 0.25 ms and an evaluation of 5 ms were done again.
      efficiency: {
        devices: 2,
        steps: 5,
        samples: 40,
        retriedMs: expect.closeTo(7.97, 6) as number,
        elapsedMs: 57.97,
        // Twenty milliseconds of one process, and what it did in vain; thirty of two.
        deviceHours: expect.closeTo((20 + 7.97 + 2 * 30) / 3_600_000, 12) as number,
      },
      stability: { readings: 5 },
    });
    const { journal } = await loadRun(folder);
    const losses = journal.lines.flatMap((line) => (line.kind === 'batches' ? line.losses : []));
    expect(losses).toEqual([
      [1, 1],
      [2, 2],
      [3, 30],
      [4, 40],
      [5, 50],
    ]);
    expect(journal.superseded).toHaveLength(2);
    expect((await verifyRun(folder)).problems).toEqual([]);
  });

  test('after an interrupt, with metrics of the evaluation that still counts', async () => {
    const folder = join(root, 'interrupted');
    const first = await createRun(folder, runStart);
    await first.onEvent(evaluation(2));
    await first.finish({ status: 'interrupted' });
    const { run } = await resumeRun(folder, resume);
    expect(await run.finish({ status: 'failed', failure: 'no disk' })).toMatchObject({ metrics: measured });
    const again = await resumeRun(folder, { ...resume, batch: 0 });
    expect(await again.run.finish({ status: 'failed', failure: 'no disk' })).toMatchObject({ metrics: null });
  });

  test('repairs the end of a journal and says so', async () => {
    const folder = await killedAt('torn', 4);
    const path = join(folder, 'journal.jsonl');
    const bytes = await readFile(path);
    await writeFile(path, bytes.subarray(0, -10));
    const { run, repaired } = await resumeRun(folder, resume);
    run[Symbol.dispose]();
    expect(repaired).toMatchObject({ line: 3, aside: 'journal.torn-3.bin', why: 'its last line was cut off' });
    expect((await loadRun(folder)).journal.lines.map(({ kind }) => kind)).toEqual([
      'fit-start',
      'batches',
      'repaired',
      'rewind',
    ]);
  });

  test('refuses another recipe, a folder without a run, and leaves it free', async () => {
    const folder = await killedAt('other', 1);
    const recipe = { ...runStart.recipe, train: { duration: '9ep' }, more: 1 };
    await expect(resumeRun(folder, { ...resume, recipe })).rejects.toThrow(
      "resumeRun: expected the recipe that the run began with, got one that differs in train.duration, train.trainSubset, more - resume with the run's own recipe",
    );
    await expect(resumeRun(root, resume)).rejects.toThrow('got one without run.json');
    await rm(join(folder, 'journal.jsonl'));
    await mkdir(join(folder, 'journal.jsonl'));
    await expect(resumeRun(folder, resume)).rejects.toThrow('openJournal: expected to read it');
    expect(existsSync(join(folder, 'writer.lock'))).toBe(false);
  });
});

describe('verifyRun', () => {
  async function finished(name: string): Promise<Run> {
    const run = await createRun(join(root, name), runStart);
    await run.onEvent(fitStart());
    await run.onEvent(evaluation(1));
    await run.onEvent(fitEnd(1));
    await run.finish({ status: 'done' });
    return run;
  }

  test('finds lines that are gone, changes of the record, and the journal of another run', async () => {
    const run = await finished('sealed');
    const [journal, record] = [run.file('journal'), run.file('record')];
    const [lines, text] = [await readFile(journal, 'utf8'), await readFile(record, 'utf8')];
    expect(await verifyRun(run.folder)).toMatchObject({ sealed: true, problems: [] });

    await writeFile(journal, lines.slice(0, lines.lastIndexOf('\n', lines.length - 2) + 1));
    expect((await verifyRun(run.folder)).problems).toEqual(['journal.jsonl: 2 lines, where the record says 3']);
    await writeFile(journal, `${lines}{"seq"`);
    expect((await verifyRun(run.folder)).problems).toEqual([
      'journal.jsonl, line 4: 6 bytes of a line that was cut off',
    ]);
    await writeFile(journal, lines.replace('"accuracy":0.25', '"accuracy":0.95'));
    expect((await verifyRun(run.folder)).problems).toEqual([
      expect.stringMatching(/^journal\.jsonl, line 2: expected the content of digest/) as string,
    ]);
    await writeFile(journal, lines);

    await writeFile(record, text.replace('"lr": 0.1', '"lr": 0.2'));
    expect((await verifyRun(run.folder)).problems).toEqual([
      expect.stringMatching(/^run\.json: the recipe is not the one of its digest/) as string,
    ]);
    await writeFile(record, text.replace('"seed": 3', '"seed": 4'));
    expect((await verifyRun(run.folder)).problems[0]).toMatch(
      /^journal\.jsonl, line 1: expected the first line of this run/,
    );
    await writeFile(record, text);
    const other = await finished('sealed-too');
    await writeFile(journal, await readFile(other.file('journal')));
    expect((await verifyRun(run.folder)).problems[0]).toMatch(
      /^journal\.jsonl, line 1: expected the first line of this run/,
    );
  });

  test('a run under way is not sealed, and may be in the middle of a line', async () => {
    using run = await createRun(join(root, 'under-way'), runStart);
    await run.onEvent(evaluation(1));
    await writeFile(run.file('journal'), '{"se', { flag: 'a' });
    expect(await verifyRun(run.folder)).toMatchObject({ sealed: false, problems: [], journal: { torn: { bytes: 4 } } });
    expect((await loadRun(run.folder)).journal.lines).toHaveLength(1);
  });
});

test('journalKeeper writes what is held back before a snapshot is taken', async () => {
  using run = await createRun(join(root, 'keeper'), runStart);
  await run.onEvent(batchEnd(1));
  expect((await loadRun(run.folder)).journal.lines).toEqual([]);
  const training = { progress: at(1) } as never;
  await journalKeeper(run).onCheckpointStart?.(training);
  expect((await loadRun(run.folder)).journal.lines).toMatchObject([{ kind: 'batches', first: 1 }]);
  await journalKeeper(null).onCheckpointStart?.(training);
  await run.onEvent(checkpointed(1));
});

describe('readRun', () => {
  test('names every field that is wrong', async () => {
    const folder = join(root, 'wrong');
    await (await createRun(folder, runStart)).finish({ status: 'done' });
    const text = await readFile(join(folder, 'run.json'), 'utf8');
    await writeFile(join(folder, 'run.json'), text.replace('"seed": 3', '"seed": "x"').replace('"done"', '"finished"'));
    await expect(readRun(folder)).rejects.toThrow(/status: .*; seed: expected a whole number - restore/);
    await writeFile(join(folder, 'run.json'), text.slice(0, 50));
    await expect(readRun(folder)).rejects.toThrow('readRun: expected JSON, got a broken file');
    await expect(readRun(root)).rejects.toThrow('got one without run.json');
    await writeFile(join(folder, 'run.json'), text.replace('"schema": 2', '"schema": 1'));
    await expect(readRun(folder)).rejects.toThrow('schema: expected schema 2');
  });
});

describe('writeAtomically', () => {
  test('replaces whole files and leaves nothing behind', async () => {
    const folder = await mkdtemp(join(root, 'atomic-'));
    const path = join(folder, 'file');
    await writeAtomically(path, 'one');
    await writeAtomically(path, Uint8Array.of(0, 255));
    expect([...(await readFile(path))]).toEqual([0, 255]);
    await writeAtomically(path, 'two');
    expect(await readFile(path, 'utf8')).toBe('two');
    await mkdir(join(folder, 'taken/full'), { recursive: true });
    await expect(writeAtomically(join(folder, 'taken'), 'x')).rejects.toThrow('writeAtomically: expected to write');
    await expect(writeAtomically(join(folder, 'none/file'), 'x')).rejects.toThrow('ENOENT');
    expect((await readdir(folder)).sort()).toEqual(['file', 'taken']);
  });
});
