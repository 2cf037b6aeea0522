import { describe, expect, test } from 'vitest';
import { fromBytes, Operator, ops, randn } from './index.js';

const exists = new Operator('shallows::decode_jpeg').exists;
const read = (bytes: readonly number[] | Uint8Array, shorter?: number) =>
  ops.shallows.decode_jpeg(fromBytes(Uint8Array.from(bytes), 'uint8', [bytes.length]), shorter);

/** One grey pixel block of 8 × 8 with a brightness of 128: all coefficients are zero. */
function greyJpeg(width: number, height: number, components = 1): number[] {
  const segment = (marker: number, body: readonly number[]): number[] => [0xff, marker, 0, body.length + 2, ...body];
  const ids = Array.from({ length: components }, (_, i) => i + 1);
  const blocks = Math.ceil(width / 8) * Math.ceil(height / 8) * components;
  // The code of "nothing" is one bit 0, for the difference of the mean and for the rest of a block.
  const bits = '0'.repeat(2 * blocks);
  const data = bits.padEnd(Math.ceil(bits.length / 8) * 8, '1').match(/.{8}/g) ?? [];
  const code = (table: number): number[] => [table, 1, ...new Array(15).fill(0), 0];
  return [
    ...[0xff, 0xd8],
    ...segment(0xdb, [0, ...new Array(64).fill(1)]),
    ...segment(0xc0, [8, 0, height, 0, width, components, ...ids.flatMap((id) => [id, 0x11, 0])]),
    ...segment(0xc4, [...code(0x00), ...code(0x10)]),
    ...segment(0xda, [components, ...ids.flatMap((id) => [id, 0]), 0, 63, 0]),
    ...data.map((byte) => Number.parseInt(byte, 2)),
    ...[0xff, 0xd9],
  ];
}

// What real pictures decode to stands beside the reader of picture folders.
describe.runIf(exists)('decode_jpeg', () => {
  test('grey and colour give three values a pixel', () => {
    for (const components of [1, 3]) {
      const pixels = read(greyJpeg(19, 10, components));
      expect(pixels.shape).toEqual([10, 19, 3]);
      expect(pixels.dtype).toBe('uint8');
      expect(new Set(pixels.toBytes())).toEqual(new Set([128]));
    }
  });

  test('the smallest fraction that is large enough', () => {
    const shapes = [0, 33, 32, 16, 15, 8, 7, 1].map((shorter) => read(greyJpeg(64, 32), shorter).shape.slice(0, 2));
    const [whole, half, quarter, eighth] = [8, 4, 2, 1].map((n) => [4 * n, 8 * n]);
    expect(shapes).toEqual([whole, whole, whole, half, half, quarter, quarter, eighth]);
  });

  test.each<[string, readonly number[], RegExp]>([
    ['nothing', [], /expected a JPEG file, got one that says: Empty input file - replace the file/],
    ['something else', [1, 2, 3], /Not a JPEG file: starts with 0x01 0x02/],
    ['one that is cut', greyJpeg(64, 32).slice(0, -6), /Premature end of JPEG file/],
    ['four colours', greyJpeg(8, 8, 4), /Unsupported color conversion request/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => read(bytes)).toThrow(message);
  });

  test('refuses other tensors and sizes', () => {
    expect(() => ops.shallows.decode_jpeg(randn([3]))).toThrow(/expected 'bytes' to be uint8\[n\] on the CPU/);
    expect(() => read(greyJpeg(8, 8), -1)).toThrow(/expected 'shorter' of at least 0, got -1/);
  });
});
