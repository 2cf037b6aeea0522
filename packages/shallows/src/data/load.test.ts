import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stats } from '@shallows/torch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { settledTensors } from '../../../../tests/support/settled-tensors.js';
import { rootKey } from '../random/index.js';
import { loadData } from './load.js';

let folder: string;
const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shallows-load-'));
  const rows = (count: number): Uint8Array =>
    Uint8Array.from({ length: 3073 * count }, (_, i) =>
      i % 3073 === 0 ? Math.floor(i / 3073) % 10 : Math.floor(i / 3073),
    );
  await writeFile(at('data_batch_1.bin'), rows(12));
  await writeFile(at('test_batch.bin'), rows(4));
  await writeFile(at('batches.meta.txt'), Array.from({ length: 10 }, (_, i) => `c${i}\n`).join(''));
  const idx = (shape: number[], values: number[]): Uint8Array =>
    Uint8Array.from([0, 0, 8, shape.length, ...shape.flatMap((size) => [0, 0, 0, size]), ...values]);
  await writeFile(at('images'), idx([3, 2, 2], [0, 51, 102, 153, 0, 51, 102, 153, 0, 51, 102, 153]));
  await writeFile(at('labels'), idx([3], [4, 0, 1]));
  await writeFile(at('small'), idx([3, 2, 1], [1, 2, 3, 4, 5, 6]));
});
afterAll(() => rm(folder, { recursive: true }));

const cifar = { kind: 'cifar10' } as const;

describe('loadData', () => {
  test('evaluates on the test batch, or on the last training rows', async () => {
    for (const validation of ['test', 0, undefined] as const) {
      using data = await loadData({ ...cifar, path: folder, ...(validation === undefined ? {} : { validation }) });
      expect([data.train.size, data.validation.size]).toEqual([12, 4]);
      expect(data.train.name).toBe('cifar10/train');
    }
    using data = await loadData({ ...cifar, path: folder, validation: 5 });
    expect([data.train.size, data.validation.size]).toEqual([7, 5]);
    expect(Number(data.validation.labels.toArray()[0])).toBe(7);
    expect(data.validation.classCounts).toEqual([1, 1, 0, 0, 0, 0, 0, 1, 1, 1]);
  });

  test('keeps the first rows of each set where limited', async () => {
    const limit = { train: 3, validation: 100 };
    using data = await loadData({ ...cifar, path: folder, validation: 5, limit });
    expect([data.train.size, data.validation.size]).toEqual([3, 5]);
    expect(data.train.classCounts.slice(0, 4)).toEqual([1, 1, 1, 0]);
    // Pixels of rows 0, 1, 2 are 0, 1, 2: the statistics are those of the rows kept.
    expect(data.mean[0]).toBeCloseTo(1 / 255, 12);
    expect(data.std[2]).toBeCloseTo(Math.sqrt(2 / 3) / 255, 12);
  });

  test('the digest is that of the content, not of the place', async () => {
    const other = await mkdtemp(join(tmpdir(), 'shallows-load-'));
    const { copyFile } = await import('node:fs/promises');
    for (const name of ['data_batch_1.bin', 'test_batch.bin', 'batches.meta.txt'])
      await copyFile(at(name), join(other, name));
    using a = await loadData({ ...cifar, path: folder });
    using b = await loadData({ ...cifar, path: other });
    await rm(other, { recursive: true });
    expect(b.train.digest).toBe(a.train.digest);
    expect(b.train.digest).not.toBe(a.validation.digest);
  });

  test('IDX: a class for each number up to the largest label', async () => {
    const config = {
      kind: 'idx',
      images: at('images'),
      labels: at('labels'),
      testImages: at('images'),
      testLabels: at('labels'),
    } as const;
    using data = await loadData(config);
    expect(data.train.shape).toEqual([1, 2, 2]);
    expect(data.train.classes).toEqual(['0', '1', '2', '3', '4']);
    expect(data.mean).toBeAllclose([0.3], { rtol: 1e-12 });
    await expect(loadData({ ...config, testImages: at('small') })).rejects.toThrow(
      'expected training and validation pictures of one shape, got [1, 2, 2] and [1, 2, 1]',
    );
  });

  test('textures: the same unless told otherwise, wrong labels in training alone', async () => {
    const config = { kind: 'textures', train: 200, validation: 100, noise: 0.5, size: 16 } as const;
    using a = await loadData(config);
    using b = await loadData(config);
    using c = await loadData(config, { key: rootKey(1) });
    expect(a.train.shape).toEqual([3, 16, 16]);
    expect(b.train.digest).toBe(a.train.digest);
    expect(c.train.digest).not.toBe(a.train.digest);
    expect(a.validation.classCounts).toEqual(Array.from({ length: 10 }, () => 10));
    expect(a.train.classCounts).not.toEqual(Array.from({ length: 10 }, () => 20));
  });

  test('dispose frees everything', async () => {
    const before = await settledTensors();
    const { bytes } = stats();
    const data = await loadData({ ...cifar, path: folder });
    data.dispose();
    expect(stats().liveTensors).toBe(before);
    expect(stats().bytes).toBe(bytes);
  });

  test.each([12, 13, -1, 1.5, Number.NaN])('refuses %s validation rows of 12', async (validation) => {
    await expect(loadData({ ...cifar, path: folder, validation })).rejects.toThrow(
      "expected 'test' or fewer than the 12 training rows",
    );
  });

  test.each([0, -1, 1.5])('refuses a limit of %s', async (train) => {
    await expect(loadData({ ...cifar, path: folder, limit: { train } })).rejects.toThrow('from 1 as limit.train, got');
  });
});
