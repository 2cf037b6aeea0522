import { readFileSync } from 'node:fs';
import { Operator, type Tensor } from '@shallows/torch';
import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { ShallowsError } from '../../errors.js';
import { decode } from './decode.js';

interface Jpeg {
  readonly file: string;
  readonly width: number;
  readonly height: number;
  readonly pixels: string;
}

// What fixtures/pictures.py wrote; bytes are in base64.
const pictures: {
  readonly jpegs: readonly (Jpeg & { readonly name: string })[];
  readonly drafts: readonly (Jpeg & { readonly scale: number })[];
} = JSON.parse(readFileSync(new URL('./fixtures/pictures.json', import.meta.url), 'utf8'));
const unpacked = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64'));
const hasTurbo = new Operator('shallows::decode_jpeg').exists;

test.each(pictures.jpegs)('$name: the pixels that PIL decodes', async ({ file, width, height, pixels }) => {
  using found = await decode('test', unpacked(file), 'a.jpg', 100);
  expect(found.shape).toEqual([height, width, 3]);
  expect(unpacked(pixels)).toEqual(Uint8Array.from(found.toBytes()));
});

describe('a picture of more than four times the size', () => {
  test.runIf(hasTurbo).each(pictures.drafts)(
    'is decoded at 1/$scale as by PIL',
    async ({ scale, file, width, height, pixels }) => {
      // The shorter side has 130 pixels.
      const size = Math.floor(130 / scale / 4);
      using found = await decode('test', unpacked(file), 'a.jpg', size);
      expect(found.shape).toEqual([height, width, 3]);
      expect(unpacked(pixels)).toEqual(Uint8Array.from(found.toBytes()));
      using whole = await decode('test', unpacked(file), 'a.jpg', 40);
      expect(whole.shape).toEqual([130, 193, 3]);
    },
  );

  test('of other formats is brought near it', async () => {
    const png = await sharp({ create: { width: 193, height: 130, channels: 3, background: '#102030' } })
      .png()
      .toBuffer();
    using small = await decode('test', png, 'a.png', 8);
    expect(small.shape).toEqual([32, 48, 3]);
    using whole = await decode('test', png, 'a.png', 33);
    expect(whole.shape).toEqual([130, 193, 3]);
  });
});

const whole = unpacked(pictures.jpegs[2]?.file ?? '');
const progressive = unpacked(pictures.jpegs[3]?.file ?? '');

test('a file cut anywhere is an error that names it, not a picture with a grey part', async () => {
  for (const bytes of [whole, progressive]) {
    for (let length = 0; length < bytes.length - 2; length += 37) {
      const cut = decode('test', bytes.subarray(0, length), 'cut.jpg', 100);
      await expect(cut).rejects.toThrow(/^test: expected a picture in cut.jpg, got .+ - replace or remove the file$/s);
    }
  }
});

test('any damage is an error or leaves a whole picture', async () => {
  const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255));
  const property = fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
    const bytes = whole.slice();
    for (const [at, value] of changes) bytes[at] = value;
    let pixels: Tensor;
    try {
      pixels = await decode('test', bytes, 'a.jpg', 100);
    } catch (error) {
      expect(error).toBeInstanceOf(ShallowsError);
      return;
    }
    const [height = 0, width = 0] = pixels.shape;
    expect(pixels.toBytes().length).toBe(3 * height * width);
    pixels.dispose();
  });
  await fc.assert(property, { numRuns: 500 });
});
