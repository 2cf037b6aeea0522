import { readFileSync } from 'node:fs';
import { fromBytes, stats } from '@shallows/torch';
import { expect, test } from 'vitest';
import { toSquare } from './square.js';

interface Square {
  readonly width: number;
  readonly height: number;
  readonly size: number;
  readonly square: string;
}

// What fixtures/pictures.py wrote; bytes are in base64.
const pictures: { readonly squares: readonly Square[] } = JSON.parse(
  readFileSync(new URL('./fixtures/pictures.json', import.meta.url), 'utf8'),
);
const unpacked = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64'));

/** The formula of fixtures/pictures.py. */
function pattern(width: number, height: number): Uint8Array {
  const data = new Uint8Array(3 * width * height);
  for (let i = 0; i < data.length; i++) {
    const [c, x, y] = [i % 3, Math.floor(i / 3) % width, Math.floor(i / (3 * width))];
    data[i] = x * (15 + 5 * c) + y * (21 - 3 * c) + ((x * y) % 17) * 9;
  }
  return data;
}

function squareOf(data: Uint8Array, width: number, height: number, size: number): Uint8Array {
  using pixels = fromBytes(data, 'uint8', [height, width, 3]);
  return toSquare(pixels, size);
}

test.each(pictures.squares)(
  '$width × $height to $size: the bytes that torchvision makes',
  ({ width, height, size, square }) => {
    expect(squareOf(pattern(width, height), width, height, size)).toEqual(unpacked(square));
  },
);

test('of a picture that is longer than sixteen times its width the middle is taken', () => {
  const middle = pattern(3, 100).slice(9 * 26, 9 * 74);
  expect(squareOf(pattern(3, 100), 3, 100, 6)).toEqual(squareOf(middle, 3, 48, 6));
  const wide = squareOf(pattern(100_000, 1), 100_000, 1, 16);
  const part = pattern(100_000, 1).slice(3 * 49_992, 3 * 50_008);
  expect(wide).toEqual(squareOf(part, 16, 1, 16));
});

test('no tensor stays', () => {
  const before = stats().liveTensors;
  squareOf(pattern(20, 30), 20, 30, 8);
  expect(stats().liveTensors).toBe(before);
});
