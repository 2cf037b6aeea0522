import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';

const bin = fileURLToPath(new URL('../packages/shallows/bin/shallows.js', import.meta.url));
const recipes = fileURLToPath(new URL('../recipes/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'shallows-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

const tiny = [
  'model.depth=14',
  'data.train=40',
  'data.validation=20',
  'data.size=16',
  'train.duration=2ep',
  'train.batchSize=20',
  'train.trainSubset=20',
  'train.threads=1',
];
const quickstart = join(recipes, 'quickstart.yaml');

function shallows(...argv: string[]): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin, ...argv], { encoding: 'utf8', cwd: folder });
  return { code: status, out: stdout, err: stderr };
}

function json(out: string): unknown {
  expect(out.endsWith('\n')).toBe(true);
  expect(out.trimEnd().split('\n')).toHaveLength(1);
  return JSON.parse(out);
}

interface Sites {
  readonly sites: readonly { readonly name: string; readonly requested: number; readonly realised?: number }[];
}

describe('the command, end to end (needs npm run build)', () => {
  test('plan: the 54 sites of the paper, without training', () => {
    const { code, out } = shallows('plan', join(recipes, 'resnet110-cifar10.yaml'), '--json');
    expect(code).toBe(0);
    const plan = json(out) as Sites;
    expect(plan).toMatchObject({ name: 'resnet110-cifar10', expectedActive: 40.25 });
    expect(plan.sites).toHaveLength(54);
    expect(plan.sites.at(-1)).toMatchObject({ name: 'layer3.17', requested: 0.5 });
    const text = shallows('plan', join(recipes, 'resnet110-cifar10.yaml')).out;
    expect(text).toContain('40.25');
    expect(text).toMatch(/^layer1\.0 +0\.0093 /m);
  });

  test('train: one JSON object on stdout, progress on stderr, the sites of plan', () => {
    const run = join(folder, 'run');
    const { code, out, err } = shallows('train', quickstart, ...tiny, '--run-dir', run, '--json');
    expect(code).toBe(0);
    expect(err).toContain('epoch');
    const result = json(out) as { readonly depth: Sites };
    expect(result).toMatchObject({
      run,
      reason: 'done',
      metrics: {
        train: { loss: expect.any(Number) as number },
        validation: { accuracy: expect.any(Number) as number },
        gap: { accuracy: expect.any(Number) as number },
      },
      depth: {
        expectedActive: 5.3,
        realisedActive: expect.any(Number) as number,
        workSaved: expect.any(Number) as number,
        workSavedIdeal: expect.any(Number) as number,
      },
      timing: { medianStepMs: expect.any(Number) as number },
    });
    const plan = json(shallows('plan', quickstart, ...tiny, '--json').out) as Sites;
    const rates = ({ sites }: Sites): unknown => sites.map(({ name, requested }) => ({ name, requested }));
    expect(rates(result.depth)).toEqual(rates(plan));

    expect(shallows('train', quickstart, ...tiny, '--run-dir', run)).toMatchObject({ code: 2, out: '' });
    const evaluated = shallows('evaluate', run, '--json');
    expect(json(evaluated.out)).toEqual({ run, metrics: (JSON.parse(out) as { metrics: unknown }).metrics });
  });

  test('train: a run of its own under runs by default, and a summary', () => {
    const { code, out } = shallows('train', quickstart, ...tiny, 'depth.kind=none', 'name=by-default');
    expect(code).toBe(0);
    expect(out).toMatch(/^validation +\d/m);
    expect(readdirSync(join(folder, 'runs'))).toEqual([expect.stringMatching(/^by-default-\d{8}-\d{6}$/)]);
  });

  test.skipIf(process.platform === 'win32')('train: Ctrl-C saves and exits with 130', async () => {
    const run = join(folder, 'interrupted');
    const child = spawn(
      process.execPath,
      [bin, 'train', quickstart, ...tiny, 'train.duration=100000ep', '--run-dir', run, '--json'],
      { cwd: folder },
    );
    let [out, err, asked] = ['', '', false];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
      if (!asked && err.includes('epoch')) asked = child.kill('SIGINT');
    });
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect(err).toContain('interrupt again to end at once');
    expect(code).toBe(130);
    expect(json(out)).toMatchObject({ reason: 'interrupted', run });
    expect(JSON.parse(readFileSync(join(run, 'run.json'), 'utf8'))).toMatchObject({ status: 'interrupted' });
    expect(readdirSync(run)).toEqual(
      expect.arrayContaining(['model.safetensors', 'report.html', 'journal.jsonl']) as string[],
    );
  });

  test('train: a failure is one paragraph and exits with 1', () => {
    const { code, out, err } = shallows('train', quickstart, ...tiny, 'data={kind: cifar10, path: no/such/folder}');
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain('no/such/folder');
    expect(err.trimEnd().split('\n')).toHaveLength(1);
    expect(readdirSync(join(folder, 'runs')).filter((name) => name.startsWith('quickstart-'))).toEqual([]);
  });

  test('evaluate: refuses what is no run with 2', () => {
    expect(shallows('evaluate', folder)).toMatchObject({
      code: 2,
      out: '',
      err: expect.stringContaining('run.json') as string,
    });
  });

  test('env: versions and where libtorch comes from', () => {
    const { code, out } = shallows('env', '--json');
    expect(code).toBe(0);
    expect(json(out)).toMatchObject({
      versions: {
        shallows: expect.stringMatching(/^\d/) as string,
        torch: expect.stringMatching(/^\d/) as string,
        libtorch: expect.stringMatching(/^\d/) as string,
        node: process.version,
      },
      libtorch: { source: expect.any(String) as string, root: expect.any(String) as string },
      threads: expect.any(Number) as number,
      devices: { cpu: true },
      memoryBytes: expect.any(Number) as number,
    });
    expect(shallows('env').out).toMatch(/^versions\.node +v/m);
  });

  test('quickstart: a table, a report, and a second time in its place', () => {
    for (let time = 0; time < 2; time++) {
      const { code, out } = shallows('quickstart', ...tiny);
      expect(code).toBe(0);
      expect(out).toMatch(/^plain +.* of 6$/m);
      expect(out).toMatch(/^stochastic depth +.* of 6$/m);
      expect(out).toContain('report.html');
      expect(readdirSync(join(folder, 'runs/quickstart')).sort()).toEqual([
        'plain',
        'quickstart.json',
        'report.html',
        'stochastic-depth',
      ]);
    }
  });
});
