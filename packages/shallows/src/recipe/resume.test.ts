import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSafetensors } from '@shallows/torch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readJournal, readRun } from '../track/index.js';
import { parseRecipe } from './parse.js';
import { runRecipe } from './run.js';
import type { Recipe } from './schema.js';

const pictures = `name: pictures
model: { kind: cifar-resnet, depth: 14, headDrop: 0.2 }
data: { kind: textures, train: 48, validation: 20, size: 16, augment: { flip: true } }
depth: { kind: stochastic, drop: 0.5 }
optimizer: { kind: adamw, lr: 0.01, exempt: norms-and-biases }
schedule: { kind: cosine, warmup: 1ba }
algorithms: [{ kind: mixup }, { kind: ema, halflife: 3ba }, { kind: label-smoothing }, { kind: gradient-clipping, norm: 1 }]
train: { duration: 3ep, logEvery: 1, batchSize: 16, trainSubset: 20, threads: 1, microbatches: 2 }
checkpoint: { kind: local, every: 2ba }
`;

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'shallows-resume-'));
});
afterAll(async () => {
  await rm(root, { recursive: true });
});

const bytes = (folder: string): Uint8Array[] =>
  Object.values(loadSafetensors(join(folder, 'model.safetensors')).tensors).map((tensor) => tensor.toBytes());
const losses = async (folder: string) => {
  const { lines } = await readJournal(join(folder, 'journal.jsonl'));
  return lines.flatMap((line) => (line.kind === 'batches' ? line.losses : []));
};

async function interrupted(recipe: Recipe, folder: string, after: number): Promise<void> {
  const stop = new AbortController();
  const progress = { write: () => true, isTTY: false };
  let steps = 0;
  const watched: AbortSignal = stop.signal;
  Object.defineProperty(watched, 'aborted', { get: () => steps++ >= after });
  const { reason } = await runRecipe(recipe, { folder, command: ['test'], signal: watched, progress });
  expect(reason).toBe('interrupted');
}

describe('a run that is interrupted', () => {
  test.each([2, 4])('goes on as if it had not been, after %i looks at the signal', async (after) => {
    const recipe = parseRecipe(pictures);
    const [straight, broken] = [join(root, `straight-${after}`), join(root, `broken-${after}`)];
    await runRecipe(recipe, { folder: straight, command: ['test'] });
    await interrupted(recipe, broken, after);
    expect((await readRun(broken)).status).toBe('interrupted');
    const { reason } = await runRecipe(recipe, { folder: broken, command: ['test'], resume: 'auto' });
    expect(reason).toBe('done');
    expect(bytes(broken)).toEqual(bytes(straight));
    expect(await losses(broken)).toEqual(await losses(straight));
    const record = await readRun(broken);
    expect(record.resumptions).toHaveLength(1);
    expect(record.metrics).toEqual((await readRun(straight)).metrics);
  });

  test('starts from the beginning where there is nothing yet', async () => {
    const folder = join(root, 'fresh');
    const recipe = parseRecipe(pictures, { overrides: ['train.duration=2ba', 'checkpoint.kind=none'] });
    const { reason } = await runRecipe(recipe, { folder, command: ['test'], resume: 'auto' });
    expect(reason).toBe('done');
    expect(await readdir(folder)).not.toContain('checkpoints');
  });

  test('does not go on with another recipe', async () => {
    const folder = join(root, 'other');
    await runRecipe(parseRecipe(pictures, { overrides: ['train.duration=1ep'] }), { folder, command: ['test'] });
    const other = parseRecipe(pictures, { overrides: ['train.duration=1ep', 'optimizer.lr=0.5'] });
    await expect(runRecipe(other, { folder, command: ['test'], resume: 'auto' })).rejects.toThrow(/optimizer\.lr/);
  });
});

describe('data that are no pictures', () => {
  const table = `name: table
model: { kind: mlp, hidden: [16], hiddenDrop: 0.1 }
data: { kind: friedman, train: 96, validation: 40 }
optimizer: { kind: rmsprop, lr: 0.003 }
schedule: { kind: plateau, metric: rmse, patience: 0 }
train: { duration: 2ep, batchSize: 32, trainSubset: 20, threads: 1, precision: bfloat16 }
`;

  test('a table is learnt by a multi-layer perceptron', async () => {
    const folder = join(root, 'table');
    const { metrics } = await runRecipe(parseRecipe(table), { folder, command: ['test'] });
    expect(Object.keys(metrics?.validation ?? {})).toEqual(['loss', 'rmse', 'mae', 'r2']);
    expect((await readRun(folder)).primary).toEqual({ name: 'rmse', better: 'lower' });
  });

  test('a series is forecast by a recurrent network', async () => {
    const series = ['model={kind: lstm, hidden: 8}', 'data={kind: seasonal, steps: 200, input: 12, horizon: 3}'];
    const folder = join(root, 'series');
    const { metrics } = await runRecipe(parseRecipe(table, { overrides: series }), { folder, command: ['test'] });
    expect(metrics?.validation.rmse).toBeGreaterThan(0);
  });
});
