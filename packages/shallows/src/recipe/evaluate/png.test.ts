import sharp from 'sharp';
import { expect, test } from 'vitest';
import { encodePng } from './png.js';

test.each([1, 3] as const)('a picture of %i channels comes back from another decoder as it was', async (channels) => {
  const [height, width] = [5, 7];
  const planes = Uint8Array.from({ length: channels * height * width }, (_, i) => (i * 37) % 256);
  const { data, info } = await sharp(encodePng(planes, [channels, height, width]))
    .toColourspace(channels === 1 ? 'b-w' : 'srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  expect([info.width, info.height, info.channels]).toEqual([width, height, channels]);
  const area = height * width;
  const back = Array.from(planes, (_, i) => data[(i % area) * channels + Math.floor(i / area)]);
  expect(back).toEqual([...planes]);
});
