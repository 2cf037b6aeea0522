import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ImageTable } from '../table.js';
import { readFolder } from './folder.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shallows-folder-'));
});
afterEach(() => rm(folder, { recursive: true }));

type Rgb = { r: number; g: number; b: number; alpha?: number };
const grey = (level: number): Rgb => ({ r: level, g: level, b: level });

async function write(path: string, bytes: Uint8Array | string): Promise<string> {
  const file = join(folder, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, bytes);
  return file;
}

async function picture(path: string, background: Rgb, width = 10, height = 10): Promise<string> {
  const channels = background.alpha === undefined ? 3 : 4;
  const bytes = await sharp({ create: { width, height, channels, background } }).png().toBuffer();
  return write(path, bytes);
}

/** Label and the three values of the first pixel of each row, in order of the values. */
function rows({ pixels, labels, shape: [, height, width] }: ImageTable): number[][] {
  const plane = height * width;
  const found = [...labels].map((label, i) => [label, ...[0, 1, 2].map((c) => pixels[(3 * i + c) * plane] ?? -1)]);
  return found.sort((a, b) => a.join().localeCompare(b.join()));
}

test('classes are the sorted sub-folders of train; validation may lack some', async () => {
  await picture('train/zebra/1.png', { r: 10, g: 20, b: 30 });
  await picture('train/Ant/1.PNG', { r: 200, g: 0, b: 0 });
  await picture('train/Ant/2.png', { r: 201, g: 0, b: 0 });
  await write('train/Ant/notes.txt', 'not a picture');
  await write('train/.hidden/1.png', 'not looked at');
  await picture('val/zebra/9.png', { r: 1, g: 2, b: 3 });
  const { train, validation, classes } = await readFolder(folder, { size: 8 });
  expect(classes).toEqual(['Ant', 'zebra']);
  expect(train.shape).toEqual([3, 8, 8]);
  expect(rows(train)).toEqual([
    [0, 200, 0, 0],
    [0, 201, 0, 0],
    [1, 10, 20, 30],
  ]);
  expect(rows(validation)).toEqual([[1, 1, 2, 3]]);
});

test('grey, transparent, wide and turned pictures become upright square colour', async () => {
  const plain = { width: 4, height: 4, channels: 3, background: grey(77) } as const;
  await write(
    'train/a/grey.jpg',
    await sharp({ create: plain }).toColourspace('b-w').jpeg({ quality: 100 }).toBuffer(),
  );
  await picture('train/a/clear.png', { r: 0, g: 0, b: 0, alpha: 0 });
  // Red with a blue left quarter: cropping the centre square of 40 x 10 leaves red alone.
  const left = await sharp({ create: { width: 10, height: 10, channels: 3, background: { r: 0, g: 0, b: 250 } } })
    .png()
    .toBuffer();
  const wide = sharp({ create: { width: 40, height: 10, channels: 3, background: { r: 250, g: 0, b: 0 } } });
  await write(
    'train/a/wide.png',
    await wide
      .composite([{ input: left, left: 0, top: 0 }])
      .png()
      .toBuffer(),
  );
  await picture('validation/a/1.png', grey(1));
  const { train } = await readFolder(folder, { size: 8 });
  expect(rows(train)).toEqual([
    [0, 250, 0, 0],
    [0, 255, 255, 255],
    [0, 77, 77, 77],
  ]);
  const upper = await sharp({ create: { width: 16, height: 8, channels: 3, background: grey(255) } })
    .png()
    .toBuffer();
  const page = sharp({ create: { width: 16, height: 16, channels: 3, background: grey(0) } });
  // EXIF orientation 3: the camera was upside down, so the white half belongs at the bottom.
  const turned = page.composite([{ input: upper, left: 0, top: 0 }]).withMetadata({ orientation: 3 });
  await rm(join(folder, 'train/a'), { recursive: true });
  await write('train/a/turned.jpg', await turned.jpeg({ quality: 100 }).toBuffer());
  const upright = (await readFolder(folder, { size: 16 })).train;
  expect(upright.pixels[0]).toBeLessThan(20);
  expect(upright.pixels[255]).toBeGreaterThan(235);
});

test('rows mix the classes, so that the first ones are a sample of all', async () => {
  for (let i = 0; i < 12; i++) for (const name of ['a', 'b', 'c']) await picture(`train/${name}/${i}.png`, grey(i));
  await picture('test/a/1.png', grey(1));
  const { train } = await readFolder(folder, { size: 8 });
  expect(new Set(train.labels.subarray(0, 12)).size).toBe(3);
  expect([...train.labels].sort()).not.toEqual([...train.labels]);
});

test('without train/ the content decides: other names change nothing, copies stay together', async () => {
  for (let i = 0; i < 40; i++) {
    await picture(`one/${i}.png`, grey(i));
    await picture(`two/${i}.png`, { r: i, g: 255, b: 0 });
    await picture(`two/copy-${i}.png`, { r: i, g: 255, b: 0 });
  }
  const { train, validation, classes } = await readFolder(folder, { size: 8, validationShare: 0.3 });
  expect(classes).toEqual(['one', 'two']);
  expect(train.labels.length + validation.labels.length).toBe(120);
  // 80 distinct pictures at 0.3: outside 12 to 36 a fair split falls once in 10,000 times.
  const held = new Set(rows(validation).map(String));
  expect(held.size).toBeGreaterThanOrEqual(12);
  expect(held.size).toBeLessThanOrEqual(36);
  expect(rows(train).filter((row) => held.has(String(row)))).toEqual([]);
  for (const row of held)
    expect(rows(validation).filter((each) => String(each) === row).length).toBe(row.startsWith('1') ? 2 : 1);
});

test('a picture that cannot be decoded is named', async () => {
  await picture('train/a/1.png', grey(1));
  await picture('validation/a/1.png', grey(1));
  const whole = await sharp({
    create: {
      width: 64,
      height: 64,
      channels: 3,
      background: grey(9),
      noise: { type: 'gaussian', mean: 128, sigma: 30 },
    },
  })
    .jpeg()
    .toBuffer();
  for (const bytes of [Buffer.from('no picture'), Buffer.alloc(0), whole.subarray(0, whole.length / 2)]) {
    const file = await write('train/a/2.jpg', bytes);
    await expect(readFolder(folder)).rejects.toThrow(`readFolder: expected a picture in ${file}, got `);
  }
});

test('folders that are missing, empty or of no use are named', async () => {
  const at = (path: string): string => join(folder, path);
  await expect(readFolder(at('none'))).rejects.toThrow(`expected to read ${at('none')}, got nothing there`);
  await expect(readFolder(folder)).rejects.toThrow(`expected sub-folders in ${folder}, got none`);
  await mkdir(at('train/a'), { recursive: true });
  await expect(readFolder(folder)).rejects.toThrow(
    `expected validation/, val/ or test/ beside ${at('train')}, got none`,
  );
  await picture('validation/b/1.png', grey(1));
  await expect(readFolder(folder)).rejects.toThrow(
    `expected the classes of ${at('train')}, got ${at('validation/b')} too`,
  );
  await rm(at('validation'), { recursive: true });
  await picture('validation/a/1.png', grey(1));
  await expect(readFolder(folder)).rejects.toThrow(`in ${at('train/a')}, got none`);
});

test('a split by content with nothing on one side', async () => {
  await picture('a/1.png', grey(1));
  await expect(readFolder(folder, { validationShare: 0.5 })).rejects.toThrow(/got none for (training|validation) of 1/);
  await expect(readFolder(folder, { validationShare: 1 })).rejects.toThrow(
    'expected a validationShare between 0 and 1',
  );
});

test.skipIf(process.getuid?.() === 0)('a picture without permission is named', async () => {
  const file = await picture('a/1.png', grey(1));
  await chmod(file, 0);
  await expect(readFolder(folder)).rejects.toThrow(`expected to read ${file}, got no permission`);
});
