import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { main } from './main.js';

const recipes = fileURLToPath(new URL('../../../../recipes/', import.meta.url));
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shallows-cli-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function shallows(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const code = await main(argv, {
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
    env: {},
  });
  return { code, out, err };
}

describe('help', () => {
  test.each([[[]], [['--help']], [['-h']]])('of %j lists every command', async (argv) => {
    const { code, out, err } = await shallows(...argv);
    expect([code, err]).toEqual([0, '']);
    for (const name of ['train', 'plan', 'evaluate', 'env', 'setup', 'quickstart'])
      expect(out).toMatch(new RegExp(`^  ${name} +\\S`, 'm'));
    expect(out).toContain('shallows quickstart ');
  });

  test.each(['train', 'plan', 'evaluate', 'env', 'setup', 'quickstart'])('of %s shows examples', async (name) => {
    const { code, out, err } = await shallows(name, '--help');
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(new RegExp(`^  (LIBTORCH=\\S+ )?shallows ${name}`, 'm'));
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(130);
  });

  test('has the version', async () => {
    expect(await shallows('--version')).toEqual({
      code: 0,
      out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string,
      err: '',
    });
  });
});

describe('wrong usage exits with 2', () => {
  test.each<[string[], string]>([
    [['tran'], 'No command registered for `tran`, did you mean `train`?'],
    [['train'], 'RECIPE'],
    [['train', 'r.yaml', '--jsn'], 'No flag registered for --jsn, did you mean --json?'],
    [['train', 'r.yaml', '--run-dri', 'x'], 'did you mean --run-dir?'],
    [['plan', 'r.yaml', '--run-dir', 'x'], 'No flag registered for --run-dir'],
    [
      ['train', 'no-such.yaml'],
      'no-such.yaml: expected a recipe file, got none - write the path of a YAML file, relative to the current folder',
    ],
    [['evaluate'], 'RUN'],
    [['evaluate', 'a', 'b'], 'Too many arguments'],
    [['env', 'x'], 'Too many arguments'],
    [
      ['plan', join(recipes, 'quickstart.yaml'), 'depth.drop=2', 'optimizer.momentun=0'],
      'override "depth.drop=2": depth.drop: expected a number from 0 to 1, got 2',
    ],
    [['plan', join(recipes, 'quickstart.yaml'), 'depth.drop=2', 'optimizer.momentun=0'], "did you mean 'momentum'?"],
    [
      ['train', join(recipes, 'quickstart.yaml'), 'duration'],
      'override "duration": expected path.to.key=value, got no =',
    ],
  ])('%j', async (argv, message) => {
    const { code, out, err } = await shallows(...argv);
    expect(err).toContain(message);
    expect(err).not.toContain('    at ');
    expect([code, out]).toEqual([2, '']);
  });

  test('a run folder that is in use', async () => {
    await writeFile(join(folder, 'run.json'), '{}');
    const { code, err } = await shallows('train', join(recipes, 'quickstart.yaml'), '--run-dir', folder);
    expect(err).toBe(
      `--run-dir: expected a new or empty folder, got one that holds a run (${folder}) - give another folder with --run-dir, or move that one away\n`,
    );
    expect(code).toBe(2);
  });
});
