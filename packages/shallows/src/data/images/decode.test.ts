import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ShallowsError } from '../../errors.js';
import { decode, type Pixels } from './decode.js';

interface Jpeg {
  readonly name: string;
  readonly file: string;
  readonly width: number;
  readonly height: number;
  readonly pixels: string;
}

// What fixtures/pictures.py wrote; bytes are in base64.
const pictures: { readonly jpegs: readonly Jpeg[] } = JSON.parse(
  readFileSync(new URL('./fixtures/pictures.json', import.meta.url), 'utf8'),
);
const unpacked = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64'));

test.each(pictures.jpegs)('$name: the pixels that PIL decodes', async (each) => {
  const { data, width, height } = await decode('test', unpacked(each.file), 'a.jpg');
  expect([width, height]).toEqual([each.width, each.height]);
  expect(unpacked(each.pixels)).toEqual(Uint8Array.from(data));
});

const whole = unpacked(pictures.jpegs[2]?.file ?? '');
const progressive = unpacked(pictures.jpegs[3]?.file ?? '');

test('a file cut anywhere is an error that names it, not a picture with a grey part', async () => {
  for (const bytes of [whole, progressive]) {
    for (let length = 0; length < bytes.length - 2; length += 37) {
      const cut = decode('test', bytes.subarray(0, length), 'cut.jpg');
      await expect(cut).rejects.toThrow(/^test: expected a picture in cut.jpg, got .+ - replace or remove the file$/s);
    }
  }
});

test('any damage is an error or leaves a whole picture', async () => {
  const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255));
  const property = fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
    const bytes = whole.slice();
    for (const [at, value] of changes) bytes[at] = value;
    let pixels: Pixels;
    try {
      pixels = await decode('test', bytes, 'a.jpg');
    } catch (error) {
      expect(error).toBeInstanceOf(ShallowsError);
      return;
    }
    expect(pixels.data.length).toBe(3 * pixels.width * pixels.height);
  });
  await fc.assert(property, { numRuns: 500 });
});
