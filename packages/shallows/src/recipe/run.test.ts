import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSafetensors, stats } from '@shallows/torch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { settledTensors } from '../../../../tests/support/settled-tensors.js';
import { presets } from '../depth/index.js';
import { readJournal, readRun } from '../track/index.js';
import { evaluateRun } from './evaluate-run.js';
import { parseRecipe } from './parse.js';
import { type RunResult, runRecipe } from './run.js';
import type { Recipe } from './schema.js';

const small = `name: small
model: { kind: cifar-resnet, depth: 14 }
data: { kind: textures, train: 48, validation: 20, size: 16, augment: { flip: true } }
depth: { kind: stochastic, drop: 0.5 }
optimizer: { kind: sgd, lr: 0.05, momentum: 0.9 }
train: { duration: 2ep, batchSize: 16, trainSubset: 20, threads: 1 }
`;

let root = '';
let count = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'shallows-run-'));
});
afterAll(async () => {
  await rm(root, { recursive: true });
});

const recipe = (...overrides: string[]): Recipe => parseRecipe(small, { overrides });

function run(of: Recipe, options: { signal?: AbortSignal } = {}): Promise<RunResult> {
  return runRecipe(of, {
    folder: join(root, `run-${String(count++)}`),
    command: ['shallows', 'train', 'small.yaml'],
    ...options,
  });
}

describe('a run', () => {
  test('writes its folder and says what came out', async () => {
    const result = await run(recipe());
    expect((await readdir(result.run)).sort()).toEqual([
      'checkpoints',
      'journal.jsonl',
      'model.safetensors',
      'report.html',
      'run.json',
    ]);
    const record = await readRun(result.run);
    expect(record).toMatchObject({
      name: 'small',
      status: 'done',
      seed: 0,
      command: ['shallows', 'train', 'small.yaml'],
      recipe: recipe(),
    });
    expect(result.metrics).toMatchObject(record.metrics ?? {});
    expect(record.depth).toEqual(result.depth);
    expect(record.data.sizes).toEqual({ train: 48, validation: 20 });
    expect(result).toMatchObject({ reason: 'done', blocks: 6, depth: { expectedActive: 4.25 } });
    expect(result.depth?.sites.map((site) => site.opportunities)).toEqual(Array.from({ length: 6 }, () => 6));
    const { lines } = await readJournal(join(result.run, 'journal.jsonl'));
    expect([lines[0]?.kind, lines.at(-1)?.kind]).toEqual(['fit-start', 'fit-end']);
    expect(lines.filter((line) => line.kind === 'epoch-end')).toHaveLength(2);
    expect(await readFile(join(result.run, 'report.html'), 'utf8')).toContain('<svg');
  });

  test('is the same for the same recipe, and another for another seed', async () => {
    const [first, again, other] = [await run(recipe()), await run(recipe()), await run(recipe('seed=5'))];
    expect(again.metrics).toEqual(first.metrics);
    expect(other.metrics).not.toEqual(first.metrics);
    const weights = ({ run: folder }: RunResult): Uint8Array[] =>
      Object.values(loadSafetensors(join(folder, 'model.safetensors')).tensors).map((tensor) => tensor.toBytes());
    expect(weights(again)).toEqual(weights(first));
    expect((await readRun(other.run)).data.digest).toBe((await readRun(first.run)).data.digest);
  });

  test('without a policy has no report on depth', async () => {
    const result = await run(recipe('depth.kind=none', 'train.duration=1ba'));
    expect(result).toMatchObject({ reason: 'done', depth: null, blocks: 6 });
  });

  test('is evaluated anew to the same numbers', async () => {
    for (const scale of ['inverted', 'paper']) {
      const result = await run(recipe(`depth.scale=${scale}`));
      expect(await evaluateRun(result.run, await readRun(result.run))).toEqual(result.metrics);
    }
  });

  test('counts branches in evaluation as the end of its schedule has them', async () => {
    const time = 'depth.time={kind: decay, to: 0.25}';
    const result = await run(recipe('depth.scale=paper', time));
    expect(result.factor).toBe(0.25);
    expect(await evaluateRun(result.run, await readRun(result.run))).toEqual(result.metrics);
    const record = await readRun(result.run);
    expect(await evaluateRun(result.run, { ...record, factor: 1 })).not.toEqual(result.metrics);
  });

  test('writes down its policy, its preset and how rates went over time', async () => {
    const depth = 'depth={kind: stochastic, preset: huang2016, warmup: 4ba}';
    const result = await run(recipe(depth));
    const policy = { preset: 'huang2016', ...presets.huang2016({ time: { kind: 'warmup', length: '4ba' } }) };
    expect(result.policy).toEqual(policy);
    const record = await readRun(result.run);
    expect(record.policy).toEqual(policy);
    expect(record.factor).toBe(1);
    expect(record.recipe.depth).toEqual({ kind: 'stochastic', preset: 'huang2016', warmup: '4ba' });
    expect(record.model.sites.map(({ kind, layer }) => [kind, layer])).toEqual(
      [0, 1, 2, 3, 4, 5].map((i) => ['basic', i]),
    );
    const { lines } = await readJournal(join(result.run, 'journal.jsonl'));
    const factors = lines.flatMap((line) => (line.kind === 'batches' ? [line.factor] : []));
    expect(factors.flat()).toEqual([0, 0.25, 0.5, 0.75, 1, 1]);
    // Six blocks are few, and half of the last one's steps are missing.
    expect(result.advice.map(({ code }) => code)).toContain('few-blocks');
    expect(lines.filter((line) => line.kind === 'warning').map(({ message }) => message)).toEqual(
      result.advice.flatMap(({ severity, message }) => (severity === 'warning' ? [message] : [])),
    );
    expect(await readFile(join(result.run, 'report.html'), 'utf8')).toContain('has little depth to spare');
  });

  test('drops rows of a transformer, in microbatches and with recomputation, and is the same without', async () => {
    const model = 'model={kind: vit, size: ti, dim: 12, heads: 2, depth: 3, patch: 8}';
    const depth = 'depth={kind: stochastic, drop: 0.5, unit: row, rows: window, kinds: {mlp: 0.2}}';
    const result = await run(recipe(model, depth, 'train.microbatches=2'));
    expect(result.blocks).toBe(6);
    expect(result.depth?.sites.map(({ name, requested }) => [name, requested])).toEqual(
      [0, 1, 2].flatMap((i) => [
        [`blocks.${String(i)}.attention`, 0.5 * ((i + 1) / 3)],
        [`blocks.${String(i)}.feedforward`, 0.2 * ((i + 1) / 3)],
      ]),
    );
    expect(result.depth?.sites.every(({ opportunities }) => opportunities === 2 * 48)).toBe(true);
    expect(result.depth?.workSaved).toBeGreaterThan(0.1);
    const again = await run(recipe(model, depth, 'train.microbatches=2', 'depth.checkpoint=true'));
    expect(again.metrics).toEqual(result.metrics);
    const page = await readFile(join(result.run, 'report.html'), 'utf8');
    expect(page).toContain('Survival of each branch');
    expect(page).toContain('% of samples');
  });

  test.each([
    '{kind: resnet, depth: 18, widths: [4, 4, 4, 8], stem: cifar}',
    '{kind: resnet, depth: 50, widths: [4, 4, 4, 8]}',
    '{kind: preact-resnet, depth: 18, widths: [4, 4, 4, 8]}',
    '{kind: swin, size: t, dim: 8, heads: [2, 2], depths: [1, 2], patch: 2, window: 4}',
    '{kind: convnext, size: tiny, widths: [4, 8], blocks: [2, 2], patch: 2}',
    '{kind: efficientnet, size: b0, widthFactor: 0.1}',
  ])('trains and evaluates %s', async (model) => {
    for (const unit of ['block', 'row']) {
      const result = await run(
        recipe(`model=${model}`, `depth={kind: stochastic, drop: 0.3, unit: ${unit}}`, 'train.duration=2ba'),
      );
      expect(result.reason).toBe('done');
      expect(await evaluateRun(result.run, await readRun(result.run))).toEqual(result.metrics);
    }
  });

  test('drops what a target means, and nothing else', async () => {
    const depth = 'depth={kind: stochastic, drop: 0.4, target: [layer2.*, layer3.1], scale: paper}';
    const result = await run(recipe(depth));
    expect(result.depth?.sites.map(({ requested }) => requested)).toEqual([0, 0, 0.4 / 3, 0.4 * (2 / 3), 0, 0.4]);
    expect(await evaluateRun(result.run, await readRun(result.run))).toEqual(result.metrics);
    expect(result.policy).toMatchObject({ preset: null, drop: 0.4, scale: 'paper' });
  });

  test('refuses a target that means nothing', async () => {
    const folder = join(root, 'nowhere');
    const before = await settledTensors();
    await expect(
      runRecipe(recipe('depth={kind: stochastic, drop: 0.4, target: layer4}'), { folder, command: [] }),
    ).rejects.toThrow('expected a block class, a kind or a path of the model, got "layer4"');
    await expect(readdir(folder)).rejects.toThrow('ENOENT');
    expect(stats().liveTensors).toBe(before);
  });

  test('stops before the first step where points of a schedule are in no order', async () => {
    const folder = join(root, 'unordered');
    const time = 'depth.time={kind: piecewise, points: [[1ep, 0], [2ba, 1]]}';
    await expect(runRecipe(recipe(time), { folder, command: [] })).rejects.toThrow(
      'expected points in the order of time',
    );
    await expect(readdir(folder)).rejects.toThrow('ENOENT');
  });

  test('is not evaluated on other data', async () => {
    const result = await run(recipe('train.duration=1ba'));
    const record = await readRun(result.run);
    const other = { ...record, recipe: { ...record.recipe, data: { ...recipe().data, train: 50 } } };
    await expect(evaluateRun(result.run, other)).rejects.toThrow('expected the data of the run');
  });

  test('that is interrupted is saved', async () => {
    const result = await run(recipe('train.duration=1000ep'), { signal: AbortSignal.timeout(1000) });
    expect(result.reason).toBe('interrupted');
    expect((await readRun(result.run)).status).toBe('interrupted');
    expect(await readdir(result.run)).toContain('model.safetensors');
  });

  test('that fails keeps its record with the reason', async () => {
    const folder = join(root, 'failed');
    const failing = runRecipe(recipe('optimizer.lr=1e6', 'train.duration=100ep', 'train.logEvery=1'), {
      folder,
      command: [],
    });
    await expect(failing).rejects.toThrow('expected a finite loss');
    expect(await readRun(folder)).toMatchObject({
      status: 'failed',
      failure: expect.stringContaining('finite loss') as string,
    });
  });

  test('refuses data that do not fit the model', async () => {
    const folder = join(root, 'misfit');
    const cifar = `data={kind: idx, images: ${root}/a, labels: ${root}/b, testImages: ${root}/c, testLabels: ${root}/d}`;
    await expect(runRecipe(recipe(cifar), { folder, command: [] })).rejects.toThrow(`${root}/a`);
    await expect(readdir(folder)).rejects.toThrow('ENOENT');
  });

  test('trains and evaluates on grey pictures', async () => {
    const [pictures, labels] = [join(root, 'pictures'), join(root, 'labels')];
    const header = (type: number, ...sizes: number[]): number[] => [
      0,
      0,
      type,
      sizes.length,
      ...sizes.flatMap((n) => [0, 0, 0, n]),
    ];
    await writeFile(
      pictures,
      Uint8Array.from([...header(8, 20, 8, 8), ...Array.from({ length: 20 * 64 }, (_, i) => i % 251)]),
    );
    await writeFile(labels, Uint8Array.from([...header(8, 20), ...Array.from({ length: 20 }, (_, i) => i % 10)]));
    const idx = `data={kind: idx, images: ${pictures}, labels: ${labels}, testImages: ${pictures}, testLabels: ${labels}}`;
    const folder = join(root, 'grey');
    const { metrics } = await runRecipe(recipe(idx, 'train.duration=1ba'), { folder, command: [] });
    expect(await evaluateRun(folder, await readRun(folder))).toEqual(metrics);
  });

  test('frees every tensor', async () => {
    await run(recipe('train.duration=1ba'));
    const before = await settledTensors();
    await run(recipe('train.duration=2ba'));
    // Tensors that earlier tests forgot may be collected meanwhile.
    expect(stats().liveTensors).toBe(before);
  });
});
