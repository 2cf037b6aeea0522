import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { evaluation, fitStart } from '../../../../tests/support/journal-events.js';
import { runStart } from '../../../../tests/support/run-start.js';
import { syntheticFolder } from '../../../../tests/support/synthetic-run.js';
import { createRun, type Run } from '../track/index.js';
import { main } from './main.js';

const home = process.cwd();
let root = '';
let live: Run;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'shallows-runs-'));
  process.chdir(root);
  const small = { epochs: 4, perEpoch: 8, sites: 3 };
  await syntheticFolder('runs/pair/plain', { ...small, drop: 0, seed: 2, name: 'plain', accuracy: 0.6 });
  await syntheticFolder('runs/pair/deep', { ...small, name: 'deep', accuracy: 0.72, goal: 0.4 });
  await syntheticFolder('runs/numbers', { ...small, name: 'numbers', task: 'regression', sites: 0, drop: 0 });
  await syntheticFolder('runs/killed', { ...small, name: 'killed', status: 'running', stopsAt: 2.5 });
  await mkdir('runs/broken');
  await writeFile('runs/broken/run.json', '{"schema": 2');
  await mkdir('runs/headless');
  await writeFile('runs/headless/journal.jsonl', '');
  await mkdir('runs/.hidden/run', { recursive: true });
  await writeFile('runs/.hidden/run/run.json', '{}');
  await mkdir('runs/empty');
  live = await createRun('runs/live', { ...runStart, name: 'live' });
  await live.onEvent(fitStart());
  await live.onEvent(evaluation(7));
});
afterAll(async () => {
  live[Symbol.dispose]();
  process.chdir(home);
  await rm(root, { recursive: true });
});

interface Answer {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function runs(argv: readonly string[], answer?: string): Promise<Answer> {
  let [out, err] = ['', ''];
  const stdin = Object.assign(new PassThrough(), { isTTY: answer !== undefined });
  if (answer !== undefined) stdin.end(answer);
  const code = await main(['runs', ...argv], {
    stdin,
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
    env: {},
  });
  return { code, out, err };
}

async function json(...argv: string[]): Promise<unknown> {
  const { code, out, err } = await runs([...argv, '--json']);
  expect([code, err]).toEqual([0, '']);
  expect(out.trimEnd().split('\n')).toHaveLength(1);
  return JSON.parse(out);
}

describe('runs list', () => {
  test('newest first, with what is wrong of those that are broken', async () => {
    const { code, out, err } = await runs(['list']);
    expect([code, err]).toEqual([0, '']);
    const lines = out.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^run +name +started +status +validation +batches +time$/);
    expect(lines.slice(1, 6).map((line) => line.split(/ {2,}/)[0])).toEqual([
      'runs/live',
      'runs/killed',
      'runs/numbers',
      'runs/pair/deep',
      'runs/pair/plain',
    ]);
    expect(lines[1]).toMatch(/live {2}\d{4}-\d\d-\d\d \d\d:\d\d +running +accuracy 25\.0 % +0 /);
    expect(lines[2]).toMatch(/killed +accuracy \d+\.\d % +20 /);
    expect(lines[3]).toMatch(/done +RMSE \d\.\d{3,} +32 /);
    expect(lines[6]).toMatch(/^broken: runs\/broken: readRun: expected JSON, got a broken file/);
    expect(lines[7]).toMatch(
      /^broken: runs\/headless: readRun: expected the folder of a run, got one without run\.json/,
    );
    expect(lines).toHaveLength(8);
    expect((await runs([])).out).toMatch(/^run +name +started +status/);
  });

  test('as JSON, and of folders that are named', async () => {
    expect(await json('list', 'runs/pair')).toMatchObject({
      runs: [
        { folder: 'runs/pair/deep', status: 'done', batches: 32, metric: { name: 'accuracy' }, parent: null },
        { folder: 'runs/pair/plain', durationMs: expect.any(Number) as number },
      ],
      broken: [],
    });
    expect(await json('list', 'runs/broken', 'runs/broken')).toMatchObject({
      runs: [],
      broken: [{ folder: 'runs/broken', problem: expect.stringContaining('broken file') as string }],
    });
  });

  test('of nothing, and of what is not there', async () => {
    expect(await runs(['list', 'runs/empty'])).toMatchObject({
      code: 0,
      out: expect.stringContaining('No runs under runs/empty') as string,
    });
    const missing = await runs(['list', 'nowhere']);
    expect([missing.code, missing.out]).toEqual([2, '']);
    expect(missing.err).toContain('runs list: expected a folder, got ENOENT');
    expect((await runs(['lst'])).code).toBe(2);
  });
});

describe('runs show', () => {
  test('what it was, what came out, and that its journal is whole', async () => {
    const { code, out } = await runs(['show', 'pair/deep']);
    expect(code).toBe(0);
    expect(out).toMatch(/^deep \(runs\/pair\/deep\), done\nValidation \d\d\.\d % after 4 epochs, training/);
    expect(out).toMatch(/^ +loss +accuracy\ntrain +\d/m);
    expect(out).toMatch(/^gap +[+−]\d\.\d+ +[+−]\d+\.\d pts$/m);
    expect(out).toMatch(/^blocks +\d\.\d\d of 3 blocks active/m);
    expect(out).toMatch(/^loss +0 spikes in \d readings/m);
    expect(out).toMatch(/^target +accuracy ≥ 40\.0 %: /m);
    expect(out).toMatch(/^time +[\d.]+ ms a step, .* device-hours, \d+ samples a second, .* % waiting for data/m);
    expect(out).toMatch(/\njournal: \d+ lines, the chain holds and ends where the record says \([0-9a-f]{12}\)\n$/);
  });

  test('as JSON, with another target', async () => {
    expect(await json('show', 'runs/pair/deep', '--target', '0.99')).toMatchObject({
      run: 'runs/pair/deep',
      live: false,
      record: { name: 'deep', status: 'done' },
      target: { value: 0.99, reached: null },
      stability: { spikes: 0 },
      efficiency: { steps: 32 },
      checkpoints: [],
      check: { sealed: true, problems: [] },
    });
  });

  test('a run under way, one that was killed, and one of numbers', async () => {
    expect((await runs(['show', 'live'])).out).toMatch(
      /^live \(runs\/live\), running\n[\s\S]*the chain holds, not sealed yet/,
    );
    const killed = await runs(['show', 'runs/killed']);
    expect(killed.code).toBe(0);
    expect(killed.out).toMatch(
      /^killed \(runs\/killed\), killed: it says it is running, and nobody writes to it\nUnder way/,
    );
    const numbers = (await runs(['show', 'numbers'])).out;
    expect(numbers).toMatch(/^ +loss +RMSE +MAE +R²$/m);
    expect(numbers).not.toContain('blocks ');
  });

  test('exits with 1 where the journal was changed', async () => {
    await syntheticFolder('other/bad', { epochs: 1, sites: 0, drop: 0 });
    const path = 'other/bad/journal.jsonl';
    await writeFile(path, (await readFile(path, 'utf8')).replace('"samples":64', '"samples":65'));
    const { code, out } = await runs(['show', 'other/bad']);
    expect(code).toBe(1);
    expect(out).toMatch(/\nPROBLEM: journal\.jsonl, line 2: expected the content of digest/);
    expect(out).toMatch(/^validation +\d/m);
    await rm(path);
    expect((await runs(['show', 'other/bad'])).out).toContain('PROBLEM: verifyJournal: expected a journal');
    const broken = await runs(['show', 'broken']);
    expect([broken.code, broken.out]).toEqual([1, '']);
    expect(broken.err).toContain('readRun: expected JSON, got a broken file');
  });

  test.each([
    ['nowhere', 'runs show: expected the folder of a run, got no such folder (nowhere)'],
    ['dee', "(dee), did you mean 'deep'? - see shallows runs list"],
    ['runs/empty', 'got one without run.json (runs/empty)'],
    ['runs/pair', 'got a folder with 2 runs in it (runs/pair) - name one, such as runs/pair/deep'],
  ])('%s exits with 2', async (named, message) => {
    const { code, out, err } = await runs(['show', named]);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(message);
  });
});

describe('runs compare', () => {
  test('metrics, time, work, chance and recipes', async () => {
    const { code, out } = await runs(['compare', 'pair/plain', 'pair/deep', '--target', '0.5']);
    expect(code).toBe(0);
    expect(out).toMatch(/^ +plain +deep\nstatus +done +done\n/);
    expect(out).toMatch(/^validation accuracy +\d\d\.\d % ± 3\.\d pts +\d\d\.\d % ± 2\.\d pts$/m);
    expect(out).toMatch(/^time to accuracy ≥ 50\.0 % +\S/m);
    expect(out).toMatch(/^work skipped +0\.0 % +\d\d\.\d %$/m);
    expect(out).toMatch(
      /^deep against plain: accuracy \+\d+\.\d pts \(\+\d+\.\d pts to \+\d+\.\d pts at 95 %\): more than chance explains; a step took 0\.\d\d × the time; 0\.\d\d × in all$/m,
    );
    expect(out).toMatch(/^plain is no better than deep, which took no more device-hours$/m);
    expect(out).toMatch(/^recipe +plain +deep$/m);
    expect(out).toMatch(/^depth\.kind +none +stochastic$/m);
    expect(out).not.toMatch(/^optimizer\.lr/m);
  });

  test('as JSON, and as a page', async () => {
    const report = join(root, 'compare.html');
    expect(await json('compare', 'runs/pair/plain', 'runs/pair/deep', 'runs/killed', '--report', report)).toMatchObject(
      {
        folders: ['runs/pair/plain', 'runs/pair/deep', 'runs/killed'],
        runs: [{ label: 'plain', dominatedBy: 'deep' }, { label: 'deep', dominatedBy: null }, { status: 'running' }],
        contrasts: [
          { label: 'deep', against: 'plain', beyondNoise: true, interval: [expect.any(Number), expect.any(Number)] },
          { label: 'killed', against: 'plain' },
        ],
        recipe: expect.arrayContaining([{ path: 'name', values: ['plain', 'deep', 'killed'] }]) as unknown[],
        sameData: true,
        report,
      },
    );
    expect(await readFile(report, 'utf8')).toContain('<!doctype html>');
    const { out } = await runs(['compare', 'runs/pair/plain', 'runs/pair/deep', '--report', report]);
    expect(out.trimEnd().endsWith('compare.html')).toBe(true);
  });

  test('runs of other tasks do not compare', async () => {
    const { out } = await runs(['compare', 'pair/plain', 'numbers']);
    expect(out).toMatch(/^numbers against plain: validation metrics do not compare; a step took/m);
    expect(out).toMatch(/^validation RMSE +- +\d/m);
  });

  test.each([
    [['pair/plain'], 'Expected at least 2 argument(s)'],
    [['pair/plain', 'runs/pair/plain'], 'expected different runs, got one of them twice'],
    [
      ['pair/plain', 'pair/deep', '--report', 'x.pdf'],
      'expected a file that ends with .html after --report, got x.pdf',
    ],
    [['pair/plain', 'pair/deep', '--target', 'high'], 'expected a number, got "high"'],
    [['pair/plain', 'nowhere'], 'no such folder (nowhere)'],
  ])('%j exits with 2', async (argv, message) => {
    const { code, out, err } = await runs(['compare', ...argv]);
    expect(err).toContain(message);
    expect([code, out]).toEqual([2, '']);
  });
});

describe('runs rm', () => {
  beforeEach(async () => {
    await rm('trash', { recursive: true, force: true });
    for (const name of ['trash/a', 'trash/b'])
      await syntheticFolder(name, { epochs: 1, perEpoch: 4, sites: 0, drop: 0 });
  });

  test('asks, and deletes what a run wrote', async () => {
    await mkdir('trash/a/checkpoints/last', { recursive: true });
    await writeFile('trash/a/checkpoints/last/model', 'x'.repeat(2048));
    await writeFile('trash/a/journal.torn-3.bin', 'x');
    const { code, out, err } = await runs(['rm', 'trash/a', 'trash/b'], 'y\n');
    expect(err).toMatch(/^trash\/a, [\d.]+ KiB\ntrash\/b, [\d.]+ KiB\nDelete these 2 runs\? \[y\/N\] $/);
    expect([code, out]).toEqual([0, 'deleted trash/a\ndeleted trash/b\n']);
    expect(await readdir('trash')).toEqual([]);
  });

  test.each(['n\n', '\n', '', 'yesterday\n'])('deletes nothing after the answer %j', async (answer) => {
    const { code, out, err } = await runs(['rm', 'trash/a'], answer);
    expect([code, out]).toEqual([1, '']);
    expect(err).toMatch(/Delete this run\? \[y\/N\] Nothing was deleted\.\n$/);
    expect(existsSync('trash/a/run.json')).toBe(true);
  });

  test('keeps what no run wrote', async () => {
    await writeFile('trash/a/thesis.txt', 'mine');
    const { code, out } = await runs(['rm', 'trash/a', '--yes']);
    expect([code, out]).toEqual([0, 'deleted trash/a, but for thesis.txt, which no run wrote\n']);
    expect(await readdir('trash/a')).toEqual(['thesis.txt']);
  });

  test('refuses a run under way, a link, what is no run, and to guess: nothing is deleted then', async () => {
    await symlink('a', 'trash/link');
    for (const [argv, message] of [
      [['trash/a', 'runs/live', '--yes'], 'expected a run that nobody writes to, got one under way (runs/live)'],
      [['trash/a', 'trash/link', '--yes'], 'expected the folder of a run, got a link to one (trash/link)'],
      [['trash/a', 'trash', '--yes'], 'got a folder with 2 runs in it (trash)'],
      [['trash/a', 'nowhere', '--yes'], 'no such folder (nowhere)'],
      [['trash/a'], 'runs rm: expected --yes where nobody can be asked'],
      [[], 'RUN'],
    ] as const) {
      const { code, out, err } = await runs(['rm', ...argv]);
      expect([code, out]).toEqual([2, '']);
      expect(err).toContain(message);
    }
    expect(await readdir('trash/a')).toEqual(['journal.jsonl', 'run.json']);
    expect(existsSync('runs/live/run.json')).toBe(true);
  });

  test('deletes a broken run too', async () => {
    await writeFile('trash/a/run.json', '{');
    expect(await runs(['rm', 'trash/a', '--yes'])).toMatchObject({ code: 0, out: 'deleted trash/a\n' });
    expect(existsSync('trash/a')).toBe(false);
  });
});

describe('help', () => {
  test.each(['list', 'show', 'compare', 'rm'])('of runs %s shows examples', async (name) => {
    const { code, out } = await runs([name, '--help']);
    expect(code).toBe(0);
    expect(out).toMatch(new RegExp(`^  shallows runs ${name}`, 'm'));
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(130);
  });
});
