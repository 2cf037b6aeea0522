import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { inParquet } from './parquet-file.js';

let folder: string;
let path: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shallows-parts-'));
  path = join(folder, 'six');
  await writeFile(path, Uint8Array.of(1, 2, 3, 4, 5, 6));
});
afterAll(() => rm(folder, { recursive: true }));

test('gives parts of a file', async () => {
  const parts = await inParquet(path, async ({ size, part }) => [size, await part(1, 4), await part(6, 6)]);
  expect(parts).toEqual([6, Uint8Array.of(2, 3, 4), new Uint8Array()]);
});

test('reads into a buffer that is large enough', async () => {
  const buffer = new ArrayBuffer(4);
  const [fits, larger] = await inParquet(path, async ({ part }) => [
    await part(2, 5, buffer),
    await part(0, 5, buffer),
  ]);
  expect([fits?.buffer === buffer, [...(fits ?? [])]]).toEqual([true, [3, 4, 5]]);
  expect([larger?.buffer === buffer, [...(larger ?? [])]]).toEqual([false, [1, 2, 3, 4, 5]]);
});

test.each([
  [-1, 3],
  [4, 3],
  [0, 7],
  [Number.NaN, 3],
  [0, Number.NaN],
  [0.5, 3],
  [0, 2 ** 52],
  [-(2 ** 52), 0],
])('from byte %s to %s is nothing that a file of 6 bytes has', async (start, end) => {
  await expect(inParquet(path, ({ part }) => part(start, end))).rejects.toThrow(
    `readParquet: expected an intact Parquet file at ${path}, got: a part from byte ${start} to ${end}, of 6 bytes`,
  );
});

test('what cannot be opened or read is named', async () => {
  await expect(inParquet(join(folder, 'none'), async () => 0)).rejects.toThrow('got nothing there - check the path');
  await expect(inParquet(folder, ({ part }) => part(0, 1))).rejects.toThrow(`expected to read ${folder}, got a folder`);
});
