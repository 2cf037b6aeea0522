import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bringBuiltUpToDate } from './support/built.js';

const bin = fileURLToPath(new URL('../packages/shallows/bin/shallows.js', import.meta.url));
const recipe = `name: tiny
model: { kind: cifar-resnet, depth: 8 }
depth: { kind: stochastic, drop: 0.5 }
optimizer: { kind: sgd, lr: 0.05 }
data: { kind: textures, train: 80, validation: 20, size: 8 }
train: { duration: 30ep, batchSize: 10 }
`;

let folder = '';
beforeAll(() => {
  bringBuiltUpToDate();
  folder = mkdtempSync(join(tmpdir(), 'shallows-launch-'));
  writeFileSync(join(folder, 'tiny.yaml'), recipe);
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `shallows launch …`; `onText` sees all that it has said so far. */
function launch(
  argv: readonly string[],
  onText: (stderr: string, pid: number) => void = () => undefined,
): Promise<Ended> {
  const env = { ...process.env, OMP_NUM_THREADS: '1' };
  const child = spawn(process.execPath, [bin, 'launch', ...argv], { cwd: folder, env });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    onText(stderr, child.pid ?? 0);
  });
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, stdout, stderr })));
}

const recordOf = (run: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(folder, run, 'run.json'), 'utf8')) as Record<string, unknown>;

test('a recipe trains on two processes, of which one writes', async () => {
  const { code, stdout, stderr } = await launch([
    ...['--processes', '2', '--', 'train', 'tiny.yaml', 'train.duration=2ep', '--json'],
  ]);
  expect(code, stderr).toBe(0);
  const { run, reason } = JSON.parse(stdout) as { run: string; reason: string };
  expect(reason).toBe('done');
  expect(readdirSync(join(folder, 'runs'))).toHaveLength(1);
  expect(recordOf(run)).toMatchObject({ status: 'done', worldSize: 2 });
  expect(stderr).toContain('[rank 0] epoch 2/2');
  expect(stderr).not.toContain('[rank 1]');
});

test('what one rank cannot do is told by all, and nobody waits', async () => {
  writeFileSync(join(folder, 'taken'), '');
  const { code, stderr } = await launch(['--processes', '2', '--', 'train', 'tiny.yaml', '--run-dir', 'taken']);
  expect(code).toBe(2);
  expect(stderr).toMatch(/\[rank 0\] run folder: expected a folder that can be made/);
  expect(stderr).toMatch(
    /\[rank 1\] allReduce: expected all ranks to go on, got an error on rank 0 - run folder: expected/,
  );
});

test('a rank that is killed is named, and the job goes on with the other from the last checkpoint', async () => {
  let killed = false;
  const { code, stdout, stderr } = await launch(
    [
      ...['--processes', '2', '--max-restarts', '1', '--min-processes', '1', '--timeout', '20'],
      ...['--', 'train', 'tiny.yaml', '--run-dir', 'mortal', '--json'],
    ],
    (said, pid) => {
      if (killed || !said.includes('epoch 3/30: validation')) return;
      killed = true;
      const processes = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' });
      const children = [...processes.matchAll(/(\d+)\s+(\d+)/g)].filter(([, , parent]) => Number(parent) === pid);
      process.kill(Number(children.at(-1)?.[1]), 'SIGKILL');
    },
  );
  expect(code, stderr).toBe(0);
  expect(stderr).toMatch(
    /\[rank (\d)\] .*(backward|finishStep|allReduce): expected all 2 ranks, got (no sign of life from|the connection to) rank (?!\1)\d/,
  );
  expect(stderr).toMatch(/launch: rank \d was ended by SIGKILL - starting again with 1 process \(1 of 1\)/);
  expect(stderr).toMatch(/\[rank 0\] resumed at batch \d+ from mortal/);
  expect(JSON.parse(stdout)).toMatchObject({ run: 'mortal', reason: 'done' });
  expect(recordOf('mortal')).toMatchObject({ status: 'done' });
});
