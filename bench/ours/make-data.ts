// Writes what the data benchmark reads: `pictures/train/CLASS/N.jpg` and `table.csv`. Arguments: folder, pictures, rows.
import { mkdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { deriveKey, randints, rootKey, uniforms } from 'shallows/random';
import sharp from 'sharp';

const [folder = '', pictures, rows] = process.argv.slice(2);
const key = rootKey(1);
const [WIDTH, HEIGHT, CLASSES] = [500, 375, 4];

/** Coarse noise that is enlarged, with a little fine noise: it packs about as well as a photograph. */
async function picture(i: number): Promise<Buffer> {
  const own = deriveKey(key, 'picture', i);
  const coarse = Uint8Array.from(randints(deriveKey(own, 'coarse'), 256, 25 * 19 * 3));
  const smooth = await sharp(coarse, { raw: { width: 25, height: 19, channels: 3 } })
    .resize(WIDTH, HEIGHT, { fit: 'fill', kernel: 'cubic' })
    .raw()
    .toBuffer();
  const fine = randints(deriveKey(own, 'fine'), 17, smooth.length);
  const pixels = smooth.map((each, j) => Math.min(255, Math.max(0, each + (fine[j] ?? 8) - 8)));
  return sharp(pixels, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
    .jpeg({ quality: 90 })
    .toBuffer();
}

for (const part of ['train', 'validation']) {
  const count = part === 'train' ? Number(pictures) : CLASSES;
  for (let c = 0; c < CLASSES; c++) mkdirSync(join(folder, 'pictures', part, `class${c}`), { recursive: true });
  for (let i = 0; i < count; i++) {
    const path = join(folder, 'pictures', part, `class${i % CLASSES}`, `${i}.jpg`);
    await sharp(await picture(part === 'train' ? i : Number(pictures) + i))
      .jpeg({ quality: 90 })
      .toFile(path);
  }
}

const NUMBERS = 10;
const file = await open(join(folder, 'table.csv'), 'w');
await file.write(`${Array.from({ length: NUMBERS }, (_, i) => `x${i}`).join(',')},kind,y\n`);
const BLOCK = 10_000;
for (let start = 0; start < Number(rows); start += BLOCK) {
  const count = Math.min(BLOCK, Number(rows) - start);
  const values = uniforms(deriveKey(key, 'table', start), count * (NUMBERS + 1));
  const kinds = randints(deriveKey(key, 'kinds', start), 5, count);
  const lines = Array.from({ length: count }, (_, row) => {
    const own = Array.from(values.subarray(row * (NUMBERS + 1), (row + 1) * (NUMBERS + 1)), (each) => each.toFixed(6));
    return `${own.slice(0, NUMBERS).join(',')},kind${kinds[row]},${own[NUMBERS]}\n`;
  });
  await file.write(lines.join(''));
}
await file.close();
console.log('{}');
