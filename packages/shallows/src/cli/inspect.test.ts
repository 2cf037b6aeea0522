import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseRecipe } from '../recipe/parse.js';
import { runRecipe } from '../recipe/run.js';
import { main } from './main.js';

const quickstart = fileURLToPath(new URL('../../../../recipes/quickstart.yaml', import.meta.url));
const small = `name: small
model: { kind: cifar-resnet, depth: 14, headDrop: 0.3 }
data: { kind: textures, train: 40, validation: 20, size: 16 }
depth: { kind: stochastic, drop: 0.5, unit: row }
optimizer: { kind: sgd, lr: 0.1 }
train: { duration: 1ba, batchSize: 20, trainSubset: 20, threads: 1 }
`;

let folder = '';
let run = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shallows-inspect-'));
  run = join(folder, 'run');
  await runRecipe(parseRecipe(small), { folder: run, command: [] });
});
afterAll(() => rm(folder, { recursive: true }));

async function inspect(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const code = await main(['inspect', ...argv], {
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
    env: {},
  });
  return { code, out, err };
}

describe('shallows inspect', () => {
  test('lists the places of a run, one a line', async () => {
    const { code, out, err } = await inspect(run);
    expect([code, err]).toEqual([0, '']);
    const lines = out.split('\n');
    expect(lines[0]).toMatch(/^place +kind +rate +covers +units +scaling +after +before$/);
    expect(lines[1]).toMatch(/^layer1\.0 +depth +0\.08333 +row +1 +inverted +relu +add$/);
    expect(lines[7]).toMatch(/^dropout +dropout +0\.3 +element +64 +inverted +\S+ +linear$/);
    expect(out).toContain('\n7 of 7 random places active\n');
    expect(out).toContain('advice  none');
  });

  test('--json has the inventory and the advice', async () => {
    const { out } = await inspect(run, '--json');
    const { inventory, advice, unmeasured, ...rest } = JSON.parse(out);
    expect(rest).toEqual({ run });
    expect(inventory.sites).toHaveLength(7);
    expect(inventory.sites[6]).toMatchObject({ name: 'dropout', rate: 0.3, reached: true });
    expect([inventory.hidden, advice, unmeasured]).toEqual([[], [], null]);
  });

  test('of a recipe, with overrides', async () => {
    const overrides = ['model.depth=14', 'data.size=8', 'model.headDrop=0.6', 'train.threads=1'];
    const { code, out } = await inspect(quickstart, ...overrides);
    expect(code).toBe(0);
    expect(out).toMatch(/^note high-rate: dropout drops up to 0\.6, more than half/m);
    const json = JSON.parse((await inspect(quickstart, ...overrides, '--json')).out);
    expect(json).toMatchObject({ recipe: quickstart, advice: [{ code: 'high-rate' }, { code: 'few-units' }] });
  });

  test('a plain network has nothing', async () => {
    const { out } = await inspect(quickstart, 'depth.kind=none', 'model.depth=8', 'model.headDrop=0');
    expect(out).toContain('0 of 4 random places active');
  });

  test('what it cannot do is wrong usage', async () => {
    const broken = join(folder, 'broken.yaml');
    await writeFile(broken, 'model: { kind: nothing }\n');
    for (const [argv, message] of [
      [[run, 'seed=2'], 'inspect: expected no overrides beside a run, got seed=2'],
      [[join(folder, 'none.yaml')], 'expected a recipe file, got none'],
      [[folder], 'readRun: expected the folder of a run, got one without run.json'],
      [[broken], 'broken.yaml'],
    ] as const) {
      const { code, out, err } = await inspect(...argv);
      expect(err).toContain(message);
      expect([code, out]).toEqual([2, '']);
    }
  });

  test('a run that has not ended has no weights', async () => {
    const record = JSON.parse(await readFile(join(run, 'run.json'), 'utf8'));
    await writeFile(join(run, 'run.json'), JSON.stringify({ ...record, status: 'running' }));
    const { code, err } = await inspect(run);
    await writeFile(join(run, 'run.json'), JSON.stringify(record));
    expect(err).toContain('inspect: expected a run that has ended with its weights saved, got one that is running');
    expect(code).toBe(2);
  });
});
