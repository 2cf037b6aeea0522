import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stats } from '@shallows/torch';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { settledTensors } from '../../../../../tests/support/settled-tensors.js';
import { ShallowsError } from '../../errors.js';
import { deriveKey, rootKey } from '../../random/index.js';
import type { Batch, BatchOptions, BatchSource, Dataset } from '../dataset.js';
import { loadData } from '../load.js';
import type { DataSplits } from '../splits.js';
import { Threads } from './threads.js';

const key = deriveKey(rootKey(5), 'workers');
const classes = ['cat', 'dog'];
const pictures = 60;
let folder: string;
let images: DataSplits;
let inMemory: DataSplits;
let table: DataSplits;

const pictureAt = (root: string, i: number): string => join(root, 'train', classes[i % 2] ?? '', `${i}.png`);

async function drawPictures(root: string): Promise<void> {
  for (const name of classes) {
    await mkdir(join(root, 'train', name), { recursive: true });
    await mkdir(join(root, 'validation', name), { recursive: true });
  }
  for (let i = 0; i < pictures + 10; i++) {
    const raw = Uint8Array.from({ length: 12 * 10 * 3 }, (_, at) => (at * (i + 3) + 17 * i) % 256);
    const path = i < pictures ? pictureAt(root, i) : pictureAt(root, i).replace('train', 'validation');
    await sharp(raw, { raw: { width: 12, height: 10, channels: 3 } })
      .png()
      .toFile(path);
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shallows-workers-'));
  await drawPictures(folder);
  images = await loadData({ kind: 'folder', path: folder, size: 8, stream: true });
  inMemory = await loadData({ kind: 'folder', path: folder, size: 8 });
  const rows = Array.from({ length: 18_000 }, (_, i) => `${i},${(i * 7919) % 1000},t${i % 3}\n`).join('');
  await writeFile(join(folder, 'rows.csv'), `a,b,t\n${rows}`);
  const config = { kind: 'csv', path: join(folder, 'rows.csv'), target: 't', task: 'classification' } as const;
  table = await loadData({ ...config, stream: true, window: 2 });
});
afterAll(async () => {
  for (const data of [images, inMemory, table]) data.dispose();
  await rm(folder, { recursive: true });
});

function digest({ inputs, targets, indices }: Batch): string {
  const hash = createHash('sha256').update(new Uint8Array(indices.buffer));
  for (const tensor of [inputs, targets]) {
    hash.update(JSON.stringify([tensor.shape, tensor.dtype])).update(tensor.toBytes());
    tensor.dispose();
  }
  return hash.digest('hex');
}

const ten = Array.from({ length: 10 }, (_, i) => i);

async function digests(source: BatchSource, wanted: readonly number[] = ten, prepared = true): Promise<string[]> {
  const found: string[] = [];
  for (const i of wanted) {
    if (prepared) await source.prepare?.(i);
    found.push(digest(source.at(i)));
  }
  await source.close?.();
  return found;
}

const augment = {
  randomResizedCrop: {},
  colourJitter: { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 },
  randAugment: {},
  flip: true,
  randomErasing: { value: 'noise' },
} as const;

describe.each([
  ['pictures', () => images.train, { batchSize: 6, augment }],
  ['a table', () => table.train, { batchSize: 300 }],
])('%s', (_, dataset: () => Dataset, own) => {
  const options: BatchOptions = { ...own, key, epoch: 3, shuffle: true };
  const source = (more: Partial<BatchOptions> = {}): BatchSource => dataset().batches({ ...options, ...more });

  test('the same ten batches for 0, 1 and 4 workers, prepared or not, from the start or from batch 5', async () => {
    const whole = await digests(source());
    expect(new Set(whole).size).toBe(10);
    for (const workers of [1, 4]) expect(await digests(source({ workers }))).toEqual(whole);
    for (const workers of [0, 4]) expect(await digests(source({ workers }), ten, false)).toEqual(whole);
    for (const workers of [0, 4]) expect(await digests(source({ workers }), ten.slice(5))).toEqual(whole.slice(5));
    const any = [7, 2, 2, 9, 0];
    expect(await digests(source({ workers: 1 }), any)).toEqual(any.map((i) => whole[i]));
    expect(await digests(source({ epoch: 4 }))).not.toEqual(whole);
  });

  test('an epoch holds each row once, and shards hold each row of a batch once', () => {
    const rowsAt = (from: BatchSource, i: number): number[] => {
      const { inputs, targets, indices } = from.at(i);
      inputs.dispose();
      targets.dispose();
      return [...indices];
    };
    const all = source({ augment: {} });
    const ranks = [0, 1, 2].map((rank) => source({ augment: {}, shard: { rank, size: 3 } }));
    const rows: number[] = [];
    for (let i = 0; i < all.length; i++) {
      const whole = rowsAt(all, i);
      expect(ranks.flatMap((rank) => rowsAt(rank, i))).toEqual(whole);
      rows.push(...whole);
    }
    expect(rows.sort((a, b) => a - b)).toEqual(Array.from({ length: dataset().size }, (_, i) => i));
  });

  test('at() after prepare() reads nothing, not even a file that is gone', async () => {
    const [last] = await digests(source(), [9]);
    const waiting = source({ workers: 2 });
    await waiting.prepare?.(9);
    await waiting.prepare?.(9);
    await rename(folder, `${folder}-away`);
    try {
      expect(digest(waiting.at(9))).toBe(last);
    } finally {
      await rename(`${folder}-away`, folder);
    }
    await waiting.close?.();
  });

  test('a batch owns two tensors', async () => {
    const own = source({ workers: 1 });
    await own.prepare?.(0);
    const before = await settledTensors();
    const { inputs, targets } = own.at(0);
    expect(stats().liveTensors).toBe(before + 2);
    inputs.dispose();
    targets.dispose();
    await own.close?.();
  });
});

test('pictures from disk are those in memory; only the digest is that of the files', async () => {
  const same = { batchSize: 60, normalise: { mean: [0, 0, 0], std: [1, 1, 1] } };
  const [a, b] = [images, inMemory].map((data) => data.train.batches(same).at(0));
  expect(a?.indices).toEqual(b?.indices);
  expect(a?.inputs).toBeAllclose(b?.inputs ?? []);
  expect(a?.targets).toBeAllclose(b?.targets ?? []);
  for (const batch of [a, b]) {
    batch?.inputs.dispose();
    batch?.targets.dispose();
  }
  expect(images.train).toMatchObject({
    size: 60,
    classes,
    classCounts: [30, 30],
    inputShape: [3, 8, 8],
    task: 'classification',
  });
  // 60 pictures are fewer than the sample: mean and deviation are those of all.
  expect(images.fitted.mean).toBeAllclose((inMemory.fitted.mean as number[]) ?? [], { rtol: 1e-12 });
  expect(images.fitted.std).toBeAllclose((inMemory.fitted.std as number[]) ?? [], { rtol: 1e-12 });
  const again = await loadData({ kind: 'folder', path: folder, size: 8, stream: true, limit: { train: 20 } });
  expect(again.validation.digest).toBe(images.validation.digest);
  expect([again.train.size, again.train.digest === images.train.digest]).toEqual([20, false]);
  again.dispose();
});

test('pictures are split by the content of their files, as in memory', async () => {
  const path = join(folder, 'train');
  const config = { kind: 'folder', path, size: 8, validationShare: 0.3 } as const;
  using streamed = await loadData({ ...config, stream: true });
  using held = await loadData(config);
  expect([streamed.train.size, streamed.validation.size]).toEqual([held.train.size, held.validation.size]);
  expect(streamed.validation.classCounts).toEqual(held.validation.classCounts);
});

describe('errors and ends', () => {
  const damaged = async (): Promise<{ data: DataSplits; file: string; root: string }> => {
    const root = await mkdtemp(join(tmpdir(), 'shallows-damaged-'));
    await drawPictures(root);
    const data = await loadData({ kind: 'folder', path: root, size: 8, stream: true });
    const file = pictureAt(root, 20);
    await writeFile(file, 'no picture');
    return { data, file, root };
  };

  test.each([0, 1, 4])('a picture that cannot be decoded is named, with %s workers', async (workers) => {
    const { data, file, root } = await damaged();
    const source = data.train.batches({ batchSize: 6, workers });
    const seen: unknown[] = [];
    for (let i = 0; i < source.length; i++) {
      const prepared: unknown = await source.prepare?.(i).catch((error: unknown) => error);
      if (prepared === undefined) digest(source.at(i));
      else {
        seen.push(prepared);
        expect(() => source.at(i)).toThrow(file);
      }
    }
    expect(seen.length).toBe(1);
    expect(seen[0]).toBeInstanceOf(ShallowsError);
    expect((seen[0] as ShallowsError).message).toContain(`readFolder: expected a picture in ${file}, got `);
    await source.close?.();
    data.dispose();
    await rm(root, { recursive: true });
  });

  test('without prepare the error comes from at()', async () => {
    const { data, file, root } = await damaged();
    const source = data.train.batches({ batchSize: 60 });
    expect(() => source.at(0)).toThrow(`expected a picture in ${file}`);
    data.dispose();
    await rm(root, { recursive: true });
  });

  test('threads start when needed, as many as allowed, and end with close', async () => {
    const threads = new Threads({ kind: 'pictures', size: 8 });
    threads.allow(2);
    expect(threads.running).toBe(0);
    const request = (number: number) => ({ number, files: [pictureAt(folder, number)] });
    const jobs = [0, 1, 2, 3].map((number) => threads.read(request(number)));
    expect(threads.running).toBe(2);
    await Promise.all(jobs.map((job) => job.settled));
    expect(jobs.map((job) => job.block.inputs.length)).toEqual([192, 192, 192, 192]);
    const late = threads.read(request(4));
    await threads.close();
    expect(threads.running).toBe(0);
    expect(() => late.block).toThrow(
      `expected a decoding thread to read ${pictureAt(folder, 4)}, got the set was closed`,
    );
  });

  test('an error that is none of ours comes with its cause, and threads start anew after close', async () => {
    const threads = new Threads({ kind: 'pictures', size: 1e9 });
    const job = threads.read({ number: 0, files: [pictureAt(folder, 0)] });
    await job.settled;
    expect(() => job.block).toThrow(/batches: expected a decoding thread to go on, got .* - report it with its cause/);
    await threads.close();
    const again = threads.read({ number: 1, files: [] });
    again.wait();
    expect(() => again.block).not.toThrow();
    await threads.close();
  });

  test('a process ends by itself while batches are read ahead', async () => {
    const built = new URL('../../../dist/data/index.js', import.meta.url).href;
    const program = `
      import { loadData } from ${JSON.stringify(built)};
      const data = await loadData({ kind: 'folder', path: ${JSON.stringify(folder)}, size: 8, stream: true });
      const source = data.train.batches({ batchSize: 6, workers: 2 });
      await source.prepare(0);
      console.log(source.at(0).size);
    `;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
      timeout: 60_000,
    });
    expect(stdout.trim()).toBe('6');
  });
});
