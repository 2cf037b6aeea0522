import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ShallowsError } from '../../errors.js';
import { readCifar10, readCifar100 } from './cifar.js';

const record = 3073;
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shallows-cifar-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** Records whose pixel j of row i is (17 i + j) mod 251. */
function batch(labels: readonly (readonly number[])[]): Uint8Array {
  const rows = labels.map((own, i) => [...own, ...Array.from({ length: 3072 }, (_, j) => (17 * i + j) % 251)]);
  return Uint8Array.from(rows.flat());
}

const write = (name: string, content: Uint8Array | string): Promise<void> => writeFile(join(folder, name), content);
const names = (count: number): string => `${Array.from({ length: count }, (_, i) => `class ${i}`).join('\n')}\n\n`;

async function writeCifar10(): Promise<void> {
  await write('data_batch_1.bin', batch([[3], [9], [0]]));
  await write('data_batch_4.bin', batch([[7], [1]]));
  await write('test_batch.bin', batch([[5]]));
  await write('batches.meta.txt', names(10));
}

describe('readCifar10', () => {
  beforeEach(writeCifar10);

  test('joins the batches that are there and takes records apart', async () => {
    const { train, test: held, classes } = await readCifar10(folder);
    expect([...train.labels]).toEqual([3, 9, 0, 7, 1]);
    expect([...held.labels]).toEqual([5]);
    expect(classes).toEqual(Array.from({ length: 10 }, (_, i) => `class ${i}`));
    expect(train.shape).toEqual([3, 32, 32]);
    expect(train.pixels.length).toBe(5 * 3072);
    for (const [row, i] of [0, 1, 2, 0, 1].entries()) {
      for (const j of [0, 1, 3071]) expect(train.pixels[row * 3072 + j]).toBe((17 * i + j) % 251);
    }
  });

  test('a record cut off: its number, its offset and what is left of it', async () => {
    await write('data_batch_4.bin', batch([[1], [2]]).subarray(0, record + 100));
    await expect(readCifar10(folder)).rejects.toThrow(
      `readCifar10: expected record 1 of 3073 bytes at byte 3073 of ${join(folder, 'data_batch_4.bin')}, got 100 bytes - `,
    );
  });

  test('an empty file', async () => {
    await write('test_batch.bin', new Uint8Array());
    await expect(readCifar10(folder)).rejects.toThrow(
      /record 0 of 3073 bytes at byte 0 of .*test_batch\.bin, got the end/,
    );
  });

  test('a label out of range: its record and offset', async () => {
    await write('data_batch_1.bin', batch([[1], [2], [10]]));
    await expect(readCifar10(folder)).rejects.toThrow(
      `expected the label of record 2, from 0 to 9, at byte ${2 * record} of ${join(folder, 'data_batch_1.bin')}, got 10`,
    );
  });

  test('too few class names', async () => {
    await write('batches.meta.txt', names(9));
    await expect(readCifar10(folder)).rejects.toThrow(/expected 10 class names.*batches\.meta\.txt, got 9/);
  });

  test.each(['test_batch.bin', 'batches.meta.txt'])('without %s', async (name) => {
    await rm(join(folder, name));
    await expect(readCifar10(folder)).rejects.toThrow(
      `expected to read ${join(folder, name)}, got nothing there - unpack`,
    );
  });

  test('without a batch, or without the folder', async () => {
    await rm(join(folder, 'data_batch_1.bin'));
    await rm(join(folder, 'data_batch_4.bin'));
    await expect(readCifar10(folder)).rejects.toThrow(`expected data_batch_1.bin in ${folder}, got none`);
    await expect(readCifar10(join(folder, 'none'))).rejects.toThrow(
      `expected to read ${join(folder, 'none')}, got nothing`,
    );
    await expect(readCifar10(join(folder, 'test_batch.bin'))).rejects.toThrow('got a file where a folder should be');
  });

  test('whatever bytes a batch has: rows, or an error that names file and offset', async () => {
    const whole = batch([[1], [2]]);
    const mutation = fc.oneof(
      fc.nat(whole.length).map((length) => whole.subarray(0, length)),
      fc.uint8Array({ maxLength: 200 }).map((more) => Uint8Array.from([...whole, ...more])),
      fc
        .record({ at: fc.constantFrom(0, 1, record, whole.length - 1), value: fc.nat(255) })
        .map(({ at, value }) => whole.with(at, value)),
    );
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(mutation, async (bytes) => {
        await write('data_batch_1.bin', bytes);
        const valid =
          bytes.length > 0 && bytes.length % record === 0 && (bytes[0] ?? 0) < 10 && (bytes[record] ?? 0) < 10;
        const outcome = await readCifar10(folder).catch((error: unknown) => error);
        expect(outcome instanceof ShallowsError).toBe(!valid);
        if (!(outcome instanceof ShallowsError)) return;
        refused++;
        expect(outcome.message).toMatch(/at byte \d+ of .*data_batch_1\.bin, got/);
      }),
      { seed: 1, numRuns: 200 },
    );
    expect(refused).toBeGreaterThan(100);
  });
});

describe('readCifar100', () => {
  beforeEach(async () => {
    await write(
      'train.bin',
      batch([
        [19, 99],
        [0, 4],
      ]),
    );
    await write('test.bin', batch([[7, 50]]));
    await write('fine_label_names.txt', names(100));
    await write('coarse_label_names.txt', names(20));
  });

  test('reads fine labels, or coarse ones where told', async () => {
    const fine = await readCifar100(folder);
    expect([...fine.train.labels, ...fine.test.labels]).toEqual([99, 4, 50]);
    expect(fine.classes.length).toBe(100);
    expect([...fine.train.pixels.subarray(3072, 3075)]).toEqual([17, 18, 19]);
    const coarse = await readCifar100(folder, { labels: 'coarse' });
    expect([...coarse.train.labels, ...coarse.test.labels]).toEqual([19, 0, 7]);
    expect(coarse.classes.length).toBe(20);
  });

  test('a fine and a coarse label out of range, each at its own byte', async () => {
    await write(
      'train.bin',
      batch([
        [0, 0],
        [20, 100],
      ]),
    );
    await expect(readCifar100(folder)).rejects.toThrow(/record 1, from 0 to 99, at byte 3075 of .*train\.bin, got 100/);
    await expect(readCifar100(folder, { labels: 'coarse' })).rejects.toThrow(
      /from 0 to 19, at byte 3074 of .*, got 20/,
    );
  });
});
