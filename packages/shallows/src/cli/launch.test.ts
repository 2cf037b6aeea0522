import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runAttempt } from './launch-attempt.js';
import { launchPlan, rankArguments, rankEnvironment } from './launch-plan.js';
import { main } from './main.js';
import { prefixedLines } from './rank-lines.js';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'shallows-launch-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function script(name: string, source: string): string {
  const path = join(folder, name);
  writeFileSync(path, source);
  return path;
}

async function launch(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const code = await main(['launch', ...argv], {
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
    env: { PATH: process.env.PATH },
  });
  return { code, out, err };
}

describe('a launch', () => {
  test('tells each process its rank, and keeps what they say apart', async () => {
    const path = script(
      'say.mjs',
      `const { RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR, MASTER_PORT, OMP_NUM_THREADS, SHALLOWS_RANK_TIMEOUT_MS } = process.env;
       const known = [RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR, Number(MASTER_PORT) > 0, OMP_NUM_THREADS, SHALLOWS_RANK_TIMEOUT_MS];
       process.stdout.write(JSON.stringify(known) + '\\n');
       process.stderr.write('one\\ntwo, ' + process.argv[2]);`,
    );
    const { code, out, err } = await launch(
      '--processes',
      '2',
      '--threads',
      '3',
      '--timeout',
      '9',
      '--',
      path,
      '--flag',
    );
    expect(code).toBe(0);
    expect(out).toBe('["0","2","0","2","127.0.0.1",true,"3","9000"]\n');
    expect(err.trimEnd().split('\n').toSorted()).toEqual([
      '[rank 0] one',
      '[rank 0] two, --flag',
      '[rank 1] ["1","2","1","2","127.0.0.1",true,"3","9000"]',
      '[rank 1] one',
      '[rank 1] two, --flag',
    ]);
  });

  test('fails with the rank that failed first', async () => {
    const path = script('fail.mjs', `process.exitCode = process.env.RANK === '1' ? 7 : 0;`);
    expect(await launch('--processes', '2', '--', path)).toEqual({
      code: 1,
      out: '',
      err: 'launch: rank 1 failed with exit code 7\n',
    });
    const usage = script('usage.mjs', 'process.exitCode = 2;');
    expect(await launch('--processes', '2', '--max-restarts', '3', '--', usage)).toEqual({ code: 2, out: '', err: '' });
  });

  test('starts again as often as told, without processes that were killed down to the least', async () => {
    const path = script(
      'mortal.mjs',
      `const { RANK, WORLD_SIZE, TORCHELASTIC_RESTART_COUNT: attempt } = process.env;
       console.log(attempt, WORLD_SIZE);
       if (attempt < 2 && RANK === '1') process.kill(process.pid, 'SIGKILL');`,
    );
    const given = ['--processes', '3', '--max-restarts', '2'];
    const { code, out, err } = await launch(...given, '--min-processes', '2', '--', path);
    expect([code, out]).toEqual([0, '0 3\n1 2\n2 2\n']);
    expect(err).toContain('launch: rank 1 was ended by SIGKILL - starting again with 2 processes (1 of 2)\n');
    expect(err).toContain('launch: rank 1 was ended by SIGKILL - starting again with 2 processes (2 of 2)\n');
    const whole = await launch(...given.with(3, '1'), '--', path);
    expect([whole.code, whole.out]).toEqual([1, '0 3\n1 3\n']);
  });

  test('runs commands of shallows', async () => {
    const missing = await launch('--processes', '2', '--', 'train', 'no-such.yaml');
    expect([missing.code, missing.out]).toEqual([2, '']);
    expect(missing.err).toContain('[rank 1] no-such.yaml: expected a recipe file, got none');
  });
});

describe('one start', () => {
  const quiet = { write: () => undefined };
  const ranks = (source: string, count = 2) => {
    const path = script(`${Math.random()}.mjs`, source);
    return Array.from({ length: count }, (_, rank) => ({
      rank,
      command: process.execPath,
      args: [path],
      env: { RANK: String(rank) },
    }));
  };

  test('ends the others when one fails: they may see it, are asked, and then made to', async () => {
    const stubborn = `if (process.env.RANK === '0') process.exit(1); else { process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); }`;
    const { ends } = await runAttempt(ranks(stubborn), { stdout: quiet, stderr: quiet }, { noticeMs: 300, endMs: 300 });
    expect(ends).toEqual([
      { rank: 0, code: 1, signal: null, ended: false },
      { rank: 1, code: null, signal: 'SIGKILL', ended: true },
    ]);
    const sees = `setTimeout(() => process.exit(1), process.env.RANK === '0' ? 0 : 200);`;
    const noticed = await runAttempt(ranks(sees), { stdout: quiet, stderr: quiet });
    expect(noticed.ends.map(({ code, ended }) => [code, ended])).toEqual([
      [1, false],
      [1, false],
    ]);
  });

  test('passes signals on, once', async () => {
    const listeners = new Map<string, () => void>();
    const source = {
      on: (name: string, listener: () => void) => listeners.set(name, listener),
      off: (name: string) => listeners.delete(name),
      exit: () => undefined,
    };
    let said = '';
    const stderr = {
      write: (text: string) => {
        said += text;
        if ((said.match(/ready/g) ?? []).length === 2) {
          said = '';
          listeners.get('SIGINT')?.();
        }
      },
    };
    const { ends, stopped } = await runAttempt(
      ranks(`process.on('SIGINT', () => process.exit(130)); setInterval(() => {}, 1000); console.error('ready');`),
      { stdout: quiet, stderr },
      undefined,
      source,
    );
    expect(stopped).toBe(true);
    expect(ends.map(({ code }) => code)).toEqual([130, 130]);
    expect(listeners.size).toBe(0);
  });
});

describe('the plan', () => {
  const given = { 'max-restarts': 0 } as const;

  test('divides cores among processes, unless told', () => {
    expect(launchPlan({ ...given, processes: 3 }, {}, 8)).toEqual({
      processes: 3,
      nodes: 1,
      nodeRank: 0,
      master: null,
      threads: 2,
      timeoutMs: null,
      maxRestarts: 0,
      minProcesses: 3,
    });
    expect(launchPlan({ ...given, processes: 3 }, {}, 2).threads).toBe(1);
    expect(launchPlan({ ...given, processes: 3 }, { OMP_NUM_THREADS: '4' }, 8).threads).toBeNull();
  });

  test('numbers ranks over machines', () => {
    const plan = launchPlan({ ...given, processes: 2, nodes: 3, 'node-rank': 2, master: '[fe80::1]:29500' }, {});
    expect(plan.master).toEqual({ host: 'fe80::1', port: 29500 });
    expect(rankEnvironment(plan, { host: 'node-0', port: 1 }, 1, 0)).toMatchObject({
      RANK: '5',
      WORLD_SIZE: '6',
      LOCAL_RANK: '1',
      GROUP_RANK: '2',
      MASTER_ADDR: 'node-0',
    });
  });

  test('takes what is open from Kubeflow Trainer', () => {
    const env = { PET_NNODES: '2', PET_NPROC_PER_NODE: '4', PET_NODE_RANK: '1', PET_MASTER_ADDR: 'job-0' };
    expect(launchPlan(given, env)).toMatchObject({
      processes: 4,
      nodes: 2,
      nodeRank: 1,
      master: { host: 'job-0', port: 29500 },
    });
    expect(launchPlan({ ...given, processes: 1 }, env)).toMatchObject({ processes: 1, nodes: 2 });
  });

  test.each([
    [{}, 'launch: expected --processes, got none'],
    [{ processes: 2, nodes: 2 }, 'launch: expected --master with several nodes, got none'],
    [{ processes: 2, 'node-rank': 1 }, 'launch: --node-rank: expected a number below --nodes 1, got 1'],
    [{ processes: 2, nodes: 2, master: 'host' }, 'launch: --master: expected HOST:PORT, got "host"'],
    [{ processes: 2, 'min-processes': 3 }, 'launch: --min-processes: expected at most --processes 2, got 3'],
    [{ processes: 2, 'min-processes': 1, nodes: 2, master: 'a:1' }, 'launch: --min-processes: expected one machine'],
  ])('%o is wrong', (flags, message) => {
    expect(() => launchPlan({ ...given, ...flags }, {})).toThrow(message);
  });

  test('a restart makes a training go on where it was', () => {
    const words = ['train', 'r.yaml', '--run-dir', 'runs/x'];
    expect(rankArguments(words, 0, 'bin')).toEqual(['bin', ...words]);
    expect(rankArguments(words, 1, 'bin')).toEqual(['bin', ...words, '--resume', 'auto']);
    expect(rankArguments([...words, '--resume=auto'], 1, 'bin')).toEqual(['bin', ...words, '--resume=auto']);
    expect(rankArguments(['evaluate', 'runs/x'], 1, 'bin')).toEqual(['bin', 'evaluate', 'runs/x']);
    expect(rankArguments(['mine.mjs', 'train'], 1, 'bin')).toEqual(['mine.mjs', 'train']);
  });

  test('wrong usage exits with 2', async () => {
    expect(await launch('--processes', '0', '--', 'train')).toMatchObject({ code: 2 });
    expect(await launch('--processes', '2')).toMatchObject({ code: 2 });
    const { code, err } = await launch('--processes', '2', '--max-restarts', '1', '--', 'train', 'recipe.yaml');
    expect([code, err.split(',')[0]]).toEqual([2, 'launch: expected --run-dir after train with --max-restarts']);
  });
});

test('lines keep their characters however they arrive', () => {
  let text = '';
  const lines = prefixedLines('> ', { write: (piece: string) => (text += piece) });
  for (const byte of Buffer.from('Größe\r\nzwei\nohne Ende')) lines.write(Buffer.from([byte]));
  expect(text).toBe('> Größe\n> zwei\n');
  lines.end();
  expect(text).toBe('> Größe\n> zwei\n> ohne Ende\n');
});
