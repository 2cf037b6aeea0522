import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ShallowsError } from '../../errors.js';
import { rootKey, uniforms } from '../../random/index.js';
import { gunzip } from './gunzip.js';
import { readIdx, readIdxTable } from './idx.js';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shallows-idx-'));
});
afterAll(() => rm(folder, { recursive: true }));

function header(shape: readonly number[], type = 8): number[] {
  return [
    0,
    0,
    type,
    shape.length,
    ...shape.flatMap((size) => [size >>> 24, (size >>> 16) & 255, (size >>> 8) & 255, size & 255]),
  ];
}

function idx(shape: readonly number[], values?: readonly number[]): Uint8Array {
  const count = shape.reduce((all, size) => all * size, 1);
  return Uint8Array.from([...header(shape), ...(values ?? Array.from({ length: count }, (_, i) => (7 * i) % 256))]);
}

async function file(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}

describe('readIdx', () => {
  test('reads plain and gzip files alike, whatever their names', async () => {
    const bytes = idx([30, 9, 11]);
    const plain = await readIdx(await file('plain.gz', bytes));
    const packed = await readIdx(await file('packed', gzipSync(bytes)));
    expect(plain.shape).toEqual([30, 9, 11]);
    expect(plain.values.length).toBe(30 * 9 * 11);
    expect([...plain.values.subarray(0, 3)]).toEqual([0, 7, 14]);
    expect(packed.shape).toEqual(plain.shape);
    expect(Buffer.compare(packed.values, plain.values)).toBe(0);
  });

  test.each([
    ['an empty file', [], 'an IDX header of 4 bytes, more at byte 0 of FILE, got the end of the file'],
    [
      'another format',
      [0x89, 0x50, 0x4e, 0x47],
      'the IDX magic number (00 00 08 and the rank) at byte 0 of FILE, got 89 50 4e 47',
    ],
    ['floats', header([1], 0x0d), 'the element type uint8 (08) at byte 2 of FILE, got float32 (0d) - convert'],
    ['an unknown type', header([1], 0x0a), 'the IDX magic number'],
    ['no dimensions', [0, 0, 8, 0], 'at byte 3 of FILE, got rank 0'],
    [
      'sizes cut off',
      header([5, 4]).slice(0, 11),
      'the sizes of 2 dimensions at byte 11 of FILE, got the end of the file',
    ],
    [
      'values cut off',
      [...header([2, 3]), 1, 2, 3],
      '18 bytes for [2, 3], more at byte 15 of FILE, got the end of the file',
    ],
    ['values too many', [...header([2]), 1, 2, 3], 'the end of the array [2] at byte 10 of FILE, got more bytes'],
    ['a size of gigabytes', header([4294967295, 4294967295]), 'at byte 12 of FILE, got the end'],
  ])('%s', async (_, bytes, message) => {
    const path = await file('faulty', Uint8Array.from(bytes));
    await expect(readIdx(path)).rejects.toThrow(message.replace('FILE', path));
  });

  test('a gzip file cut off or damaged: the offset in the file', async () => {
    const noise = Array.from(uniforms(rootKey(1), 60_000), (u) => Math.floor(256 * u));
    const packed = gzipSync(idx([60_000], noise));
    const path = await file('cut.gz', packed.subarray(0, 30_000));
    await expect(readIdx(path)).rejects.toThrow(
      `expected intact gzip data at byte 30000 of ${path}, got the end of the file`,
    );
    const damaged = Uint8Array.from(packed);
    damaged.fill(255, 20_000, 20_100);
    await expect(readIdx(await file('damaged.gz', damaged))).rejects.toThrow(
      /expected intact gzip data at byte \d+ of /,
    );
  });

  test('a gzip file that holds more than its header says is not unpacked whole', async () => {
    const bomb = gzipSync(Buffer.concat([idx([4]), Buffer.alloc(20_000_000)]), { level: 1 });
    await expect(readIdx(await file('bomb.gz', bomb))).rejects.toThrow(
      'expected the end of the array [4] at byte 12 of ',
    );
    expect((await gunzip('fn', 'bomb.gz', bomb, () => 12)).length).toBeLessThan(200_000);
  });

  test('whatever bytes: an array, or an error that names file and offset', async () => {
    const bytes = idx([20, 5, 5]);
    const packed = Uint8Array.from(gzipSync(bytes));
    const mutant = fc.constantFrom(bytes, packed).chain((base) =>
      fc.oneof(
        fc.nat(base.length - 1).map((length) => base.subarray(0, length)),
        fc.tuple(fc.nat(base.length - 1), fc.nat(255)).map(([at, value]) => base.with(at, value)),
        fc.tuple(fc.nat(19), fc.nat(255)).map(([at, value]) => base.with(at, value)),
        fc.uint8Array({ maxLength: 40 }),
      ),
    );
    const path = join(folder, 'mutant');
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(mutant, async (content) => {
        await writeFile(path, content);
        const outcome = await readIdx(path).catch((error: unknown) => error);
        if (!(outcome instanceof Error)) return;
        refused++;
        expect(outcome).toBeInstanceOf(ShallowsError);
        expect(outcome.message).toMatch(/^readIdx: expected .* at byte \d+ of .*mutant( \(unpacked\))?, got /);
      }),
      { seed: 2, numRuns: 600 },
    );
    expect(refused).toBeGreaterThan(250);
  });
});

describe('readIdxTable', () => {
  test('images without channels have one; labels become numbers', async () => {
    const table = await readIdxTable(await file('i', idx([2, 3, 4])), await file('l', idx([2], [9, 250])));
    expect(table.shape).toEqual([1, 3, 4]);
    expect([...table.labels]).toEqual([9, 250]);
    const colour = await readIdxTable(await file('c', idx([2, 3, 4, 5])), await file('l', idx([2])));
    expect(colour.shape).toEqual([3, 4, 5]);
  });

  test.each([
    ['flat images', [2, 12], [2], 'expected images [N, H, W] or [N, C, H, W] at byte 3 of '],
    ['no images', [0, 3, 4], [0], 'expected at least one image at byte 4 of '],
    ['labels with columns', [2, 3, 4], [2, 1], 'expected labels [N] at byte 3 of '],
    ['another number of labels', [2, 3, 4], [3], 'expected as many labels as images (2 in '],
  ])('%s', async (_, images, labels, message) => {
    const paths = [await file('images', idx(images)), await file('labels', idx(labels))] as const;
    await expect(readIdxTable(...paths)).rejects.toThrow(message);
  });

  test('a file that is not there', async () => {
    await expect(readIdx(join(folder, 'none'))).rejects.toThrow(
      `expected to read ${join(folder, 'none')}, got nothing there`,
    );
    await expect(readIdx(folder)).rejects.toThrow('got a folder');
  });
});
