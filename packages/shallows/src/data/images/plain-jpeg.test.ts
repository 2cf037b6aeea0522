import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isPlainJpeg } from './plain-jpeg.js';

// What fixtures/pictures.py wrote; bytes are in base64.
const { jpegs }: { readonly jpegs: readonly { readonly name: string; readonly file: string }[] } = JSON.parse(
  readFileSync(new URL('./fixtures/pictures.json', import.meta.url), 'utf8'),
);

const ascii = (text: string): number[] => [...Buffer.from(text, 'latin1')];
const segment = (marker: number, body: readonly number[]): number[] => {
  const length = body.length + 2;
  return [0xff, marker, length >> 8, length & 255, ...body];
};
const start = [0xff, 0xd8];
const scan = segment(0xda, [1, 1, 0, 0, 63, 0]);
/** Precision, height 20, width 258, three components with these samplings. */
const colour = (samplings: readonly number[], ids: readonly number[] = [1, 2, 3], precision = 8): number[] => [
  ...[precision, 0, 20, 1, 2, 3],
  ...samplings.flatMap((sampling, i) => [ids[i] ?? 0, sampling, 0]),
];
const usual = segment(0xc0, colour([0x22, 0x11, 0x11]));
const steps = (each: number, count = 64): number[] => Array.from({ length: count }, () => each);
const file = (...segments: readonly number[][]): Uint8Array => Uint8Array.from([...start, ...segments.flat()]);
const plain = (...segments: readonly number[][]) => isPlainJpeg(file(...segments, usual, scan));

const exif = (entry: readonly number[], order = 'MM'): number[] => {
  const header = order === 'MM' ? [0, 42, 0, 0, 0, 8, 0, 1] : [42, 0, 8, 0, 0, 0, 1, 0];
  return segment(0xe1, [...ascii('Exif\0\0'), ...ascii(order), ...header, ...entry, 0, 0, 0, 0]);
};
const orientation = (value: number): number[] => [1, 0x12, 0, 3, 0, 0, 0, 1, 0, value, 0, 0];
const littleOrientation = (value: number): number[] => [0x12, 1, 3, 0, 1, 0, 0, 0, value, 0, 0, 0];

test.each(jpegs)('$name: plain but for one that is turned', ({ name, file: text }) => {
  expect(isPlainJpeg(Uint8Array.from(Buffer.from(text, 'base64')))).toBe(!name.includes('turned'));
});

test('plain: what stands before the scan says nothing else', () => {
  expect(plain()).toBe(true);
  expect(plain(segment(0xfe, ascii('said')), segment(0xdb, [0, ...steps(2), 1, ...steps(9)]))).toBe(true);
  expect(plain(segment(0xe0, ascii('JFIF\0')), segment(0xe2, ascii('MPF\0')), [0xff, 0xff])).toBe(true);
  expect(plain(segment(0xee, [...ascii('Adobe'), 0, 100, 0, 0, 0, 0, 1]))).toBe(true);
  expect(plain(exif(orientation(1)), exif(littleOrientation(1), 'II'), exif(steps(7, 12)))).toBe(true);
  for (const marker of [0xc1, 0xc2])
    expect(isPlainJpeg(file(segment(marker, colour([0x11, 0x11, 0x11])), scan))).toBe(true);
  expect(isPlainJpeg(file(segment(0xc0, [8, 0, 20, 1, 2, 1, 1, 0x22, 0]), scan))).toBe(true);
});

test.each([
  ['nothing', new Uint8Array(0)],
  ['no JPEG', Uint8Array.from([0x89, ...ascii('PNG')])],
  ['no frame', file(scan)],
  ['two frames', file(usual, usual, scan)],
  ['no scan', file(usual)],
  ['an end before the scan', file([0xff, 0xd9], usual, scan)],
  ['bytes between segments', file([0], usual, scan)],
  ['a segment that ends after the file', file([0xff, 0xe0, 0, 9, 1], [])],
  ['a segment that is shorter than its length', file([0xff, 0xe0, 0, 1], usual, scan)],
  ['turned', file(exif(orientation(6)), usual, scan)],
  ['turned, bytes swapped', file(exif(littleOrientation(8), 'II'), usual, scan)],
  ['an orientation that is no number', file(exif([1, 0x12, 0, 2, 0, 0, 0, 1, 0, 1, 0, 0]), usual, scan)],
  ['EXIF data of no known order', file(exif(orientation(1), 'XX'), usual, scan)],
  ['EXIF data cut short', file(segment(0xe1, [...ascii('Exif\0\0MM'), 0, 42, 0, 0, 0, 8, 0, 9]), usual, scan)],
  ['EXIF data elsewhere', file(segment(0xe1, [...ascii('Exif\0\0MM'), 0, 42, 255, 0, 0, 8]), usual, scan)],
  ['a colour profile', file(segment(0xe2, ascii('ICC_PROFILE\0')), usual, scan)],
  ['four components', file(segment(0xc0, [8, 0, 20, 1, 2, 4, ...steps(0x11, 12)]), scan)],
  ['12 bits', file(segment(0xc1, colour([0x11, 0x11, 0x11], [1, 2, 3], 12)), scan)],
  ['arithmetic codes', file(segment(0xc9, colour([0x11, 0x11, 0x11])), scan)],
  ['a frame cut short', file(segment(0xc0, colour([0x22, 0x11, 0x11]).slice(0, -1)), scan)],
  ['a height that comes later', file(segment(0xc0, [8, 0, 0, 1, 2, 1, 1, 0x11, 0]), scan)],
  ['more pixels than a picture has', file(segment(0xc0, [8, 255, 255, 255, 255, 1, 1, 0x11, 0]), scan)],
])('not plain: %s', (_, bytes) => {
  expect(isPlainJpeg(bytes)).toBe(false);
});

test('any bytes: yes or no, never an error', () => {
  const marker = fc.constantFrom(0xc0, 0xc2, 0xc4, 0xda, 0xdb, 0xdd, 0xe0, 0xe1, 0xe2, 0xee, 0xfe, 0xff);
  const begin = fc.constantFrom(
    [],
    ascii('Exif\0\0MM\0*'),
    ascii('Exif\0\0II*\0'),
    ascii('Adobe'),
    ascii('ICC_PROFILE'),
  );
  const body = fc.tuple(begin, fc.array(fc.nat(255), { maxLength: 40 })).map(([a, b]) => [...a, ...b]);
  const some = fc.array(
    fc.tuple(marker, body).map(([a, b]) => segment(a, b)),
    { maxLength: 5 },
  );
  fc.assert(
    fc.property(some, fc.nat(60), (segments, cut) => {
      const bytes = file(...segments, usual, scan);
      isPlainJpeg(bytes);
      isPlainJpeg(bytes.subarray(0, -cut));
    }),
    { numRuns: 3000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => void isPlainJpeg(file([...bytes]))),
    { numRuns: 3000 },
  );
});
