import { snappyCompress, snappyUncompress } from 'hysnappy';
import { describe, expect, test } from 'vitest';
import { PageMemory } from './page-memory.js';
import { unpackSnappy } from './parquet-snappy.js';

const unpack = (packed: Uint8Array, size: number): Uint8Array => unpackSnappy(packed, size, new PageMemory());

/** Numbers from 0 to 1, always the same. */
function noise(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Bytes that hardly pack, but for some that are there again. */
function hardlyPacked(length: number): Uint8Array {
  const next = noise();
  const bytes = Uint8Array.from({ length }, () => 256 * next());
  for (let at = 100; at + 60 < length; at += 1500) bytes.copyWithin(at + 30, at, at + 12);
  return bytes;
}

describe('unpackSnappy', () => {
  test.each([
    ['nothing', new Uint8Array()],
    ['one byte', Uint8Array.of(7)],
    ['what packs well', Uint8Array.from({ length: 100_000 }, (_, i) => (i % 97) + (i % 5))],
    ['one byte again and again', new Uint8Array(70_000).fill(9)],
    ['what hardly packs', hardlyPacked(200_000)],
    ['a little that hardly packs', hardlyPacked(50)],
  ])('what was packed: %s', (_what, page) => {
    expect(unpack(snappyCompress(page), page.length)).toEqual(page);
  });

  // A length and an offset of each kind, behind 250 bytes that are there as they are.
  const start = hardlyPacked(250);
  const literal = (bytes: Uint8Array, ...tag: number[]): number[] => [...tag, ...bytes];
  const behind = (...tail: number[]) => {
    return Uint8Array.of(0xfe, 0x01, ...literal(start, 60 << 2, 249), ...tail);
  };
  const again = (from: number) => Uint8Array.of(...start, ...start.subarray(from, from + 4));
  test.each([
    ['an offset of a byte and three bits', [1 | (0 << 2), 10], 240],
    ['an offset of two bytes', [2 | (3 << 2), 200, 0], 50],
    ['an offset of four bytes', [3 | (3 << 2), 250, 0, 0, 0], 0],
  ])('%s', (_what, tail, from) => {
    expect(unpack(behind(...tail), 254)).toEqual(again(from));
  });

  test('what is copied may overlap what it is copied to', () => {
    expect([...unpack(behind(1, 1), 254).subarray(250)]).toEqual(Array(4).fill(start[249]));
  });

  test.each([61, 62, 63])('a length of %s', (kind) => {
    const bytes = [255, 0, 0, 0].slice(0, kind - 59);
    const packed = Uint8Array.of(0x80, 0x02, ...literal(hardlyPacked(256), kind << 2, ...bytes));
    expect(unpack(packed, 256)).toEqual(hardlyPacked(256));
  });

  test.each([
    ['another size', behind(1, 10), 255, '254 bytes in a page packed with Snappy that says 255'],
    ['a size that never ends', new Uint8Array(9).fill(0xff), 254, 'a size of more than five bytes'],
    ['more than the bytes can stand for', Uint8Array.of(0x80, 0x80, 0x80, 1, 0), 2 ** 21, 'packed with Snappy in 5'],
    ['no offset', behind(1, 0), 254, 'damaged'],
    ['an offset before the start', behind(2 | (3 << 2), 251, 0), 254, 'damaged'],
    ['a copy behind the end', behind(1 | (1 << 2), 10), 254, 'damaged'],
    ['an offset that is cut off', behind(2 | (3 << 2), 10), 254, 'damaged'],
    ['bytes that are missing', behind(), 254, 'damaged'],
    ['a literal behind the end', behind(4 << 2, 1, 2, 3, 4, 5), 254, 'damaged'],
    ['a literal that is cut off', behind(3 << 2, 1, 2, 3), 254, 'damaged'],
    ['a literal of 4 GiB', behind(63 << 2, 255, 255, 255, 255), 254, 'damaged'],
    ['nothing', new Uint8Array(), 254, '0 bytes in a page'],
  ])('%s: an error', (_what, packed, size, message) => {
    expect(() => unpack(packed, size)).toThrow(message);
  });

  test.each([
    ['hardly packed', hardlyPacked(300)],
    ['packed well', Uint8Array.from({ length: 300 }, (_, i) => (i * i) % 7)],
  ])('damaged bytes are an error, or bytes of the right length, as for the library: %s', (_what, page) => {
    const whole = snappyCompress(page);
    const next = noise();
    let refused = 0;
    for (let i = 0; i < 3000; i++) {
      const packed = whole.slice(0, next() < 0.2 ? 2 + Math.floor(next() * (whole.length - 2)) : undefined);
      packed[2 + Math.floor(next() * (packed.length - 2))] = Math.floor(256 * next());
      const [ours, theirs] = [() => unpack(packed, 300), () => snappyUncompress(packed, 300)].map((pageOf) => {
        try {
          return Buffer.from(pageOf()).toString('hex');
        } catch {
          return 'refused';
        }
      });
      if (ours === 'refused') refused++;
      expect(ours).toBe(theirs);
    }
    expect(refused).toBeGreaterThan(100);
  });
});
