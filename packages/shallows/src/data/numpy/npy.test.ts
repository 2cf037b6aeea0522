import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ShallowsError } from '../../errors.js';
import type { NumpyDType } from './dtypes.js';
import { parseNpy, readNpy } from './npy.js';
import { readNpz } from './npz.js';
import { npyBytes, writeNpy } from './write-npy.js';
import { zipEntries } from './zip.js';

interface Saved {
  readonly name: string;
  readonly dtype: NumpyDType;
  readonly shape: readonly number[];
  readonly file: string;
  readonly values: readonly (string | number)[];
}

const numpy = JSON.parse(readFileSync(new URL('fixtures/numpy_files.json', import.meta.url), 'utf8')) as {
  readonly arrays: readonly Saved[];
  readonly refused: Readonly<Record<'structured' | 'text' | 'objects', string>>;
  readonly archives: Readonly<Record<'stored' | 'deflated', string>>;
};
const bytesOf = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, 'base64'));
const number = (text: string | number): number =>
  text === 'nan' ? Number.NaN : Number(String(text).replace('inf', 'Infinity'));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shallows-npy-'));
});
afterAll(() => rm(folder, { recursive: true }));

test.each(numpy.arrays)('reads $name', ({ dtype, shape, file, values }) => {
  const array = parseNpy(bytesOf(file), 'a.npy');
  expect([array.dtype, array.shape]).toEqual([dtype, shape]);
  const whole = array.values instanceof BigInt64Array || array.values instanceof BigUint64Array;
  expect(whole ? Array.from(array.values, String) : Array.from(array.values, Number)).toEqual(
    whole ? values : values.map(number),
  );
});

test('writes what NumPy writes, byte by byte', () => {
  for (const { name, dtype, file, shape } of numpy.arrays) {
    if (!/ C <$|^scalar|^empty/.test(name) || dtype === 'float16') continue;
    const { values } = parseNpy(bytesOf(file), name);
    expect([name, Buffer.from(npyBytes({ values, shape, dtype })).toString('base64')]).toEqual([name, file]);
  }
});

test('what is written is read again', async () => {
  const path = join(folder, 'a.npy');
  await writeNpy(path, { values: Float64Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] });
  expect(await readNpy(path)).toEqual({ dtype: 'float64', shape: [2, 3], values: Float64Array.of(1, 2, 3, 4, 5, 6) });
  await writeNpy(path, { values: BigInt64Array.of(-1n, 2n ** 62n), shape: [2] });
  expect(await readNpy(path)).toEqual({ dtype: 'int64', shape: [2], values: BigInt64Array.of(-1n, 2n ** 62n) });
  await expect(writeNpy(join(folder, 'no/a.npy'), { values: Uint8Array.of(1), shape: [1] })).rejects.toThrow(
    /expected to write .*, got nothing there/,
  );
});

test.each([
  [{ values: Float32Array.of(1, 2), shape: [3] }, 'expected 3 elements, got 2 for the shape [3]'],
  [{ values: Float32Array.of(1, 2), shape: [-1] }, 'for the shape [-1]'],
  [{ values: Float32Array.of(1, 2), shape: [2], dtype: 'float64' }, 'expected values of float64, got a Float32Array'],
  [{ values: Int32Array.of(1, 2), shape: [2], dtype: 'float32' }, 'expected values of float32, got a Int32Array'],
] as const)('does not write %j', (source, message) => {
  expect(() => npyBytes(source)).toThrow(message);
});

describe('refuses', () => {
  const [good] = numpy.arrays as [Saved];
  const text = (base64: string): string => {
    try {
      parseNpy(bytesOf(base64), 'a.npy');
    } catch (error) {
      expect(error).toBeInstanceOf(ShallowsError);
      return error instanceof Error ? error.message : '';
    }
    return 'nothing';
  };

  test('what holds no numbers', () => {
    expect(text(numpy.refused.structured)).toContain('expected a numeric type in a.npy, got a structured type');
    expect(text(numpy.refused.text)).toContain('got <U2');
    expect(text(numpy.refused.objects)).toContain('got |O - it holds pickled objects, which are never run');
  });

  test('files that are cut off, longer, or something else', () => {
    const bytes = bytesOf(good.file);
    const message = (changed: Uint8Array): string => text(Buffer.from(changed).toString('base64'));
    expect(message(bytes.subarray(0, -1))).toContain(`at byte ${bytes.length - 1} of a.npy, got the end of the file`);
    expect(message(Buffer.concat([bytes, Buffer.of(0)]))).toContain('expected the end of the array [3, 4] at byte');
    expect(message(bytes.subarray(0, 40))).toContain('expected a whole header, more at byte 40');
    expect(message(Uint8Array.of(1, 2, 3))).toContain('expected the magic string \\x93NUMPY at byte 0');
    expect(message(bytes.with(6, 9))).toContain('expected version 1, 2 or 3 at byte 6 of a.npy, got version 9');
    expect(message(bytes.with(11, 0))).toContain('expected a header with descr, fortran_order and shape');
  });

  test('any bytes: an array or an error of ours', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(150), (noise, at) => {
        const bytes = bytesOf(good.file);
        bytes.set(noise.subarray(0, Math.max(0, bytes.length - at)), Math.min(at, bytes.length));
        for (const input of [bytes, noise]) {
          try {
            parseNpy(input, 'a.npy');
          } catch (error) {
            expect(error).toBeInstanceOf(ShallowsError);
          }
        }
      }),
      { seed: 1, numRuns: 500 },
    );
  });
});

describe('npz', () => {
  test.each(['stored', 'deflated'] as const)('%s', async (how) => {
    const path = join(folder, `${how}.npz`);
    await writeFile(path, bytesOf(numpy.archives[how]));
    const all = await readNpz(path);
    expect([...all.keys()]).toEqual(['x', 'y']);
    expect(all.get('x')).toEqual({
      dtype: 'float64',
      shape: [3, 4],
      values: Float64Array.from({ length: 12 }, (_, i) => i),
    });
    expect(all.get('y')).toEqual({ dtype: 'int64', shape: [3], values: BigInt64Array.of(2n, 0n, 1n) });
    expect([...(await readNpz(path, ['y'])).keys()]).toEqual(['y']);
    await expect(readNpz(path, ['yy'])).rejects.toThrow(
      /expected an array "yy" in .*npz, got none - did you mean 'y'\?/,
    );
  });

  test('a damaged archive is an error that names it, wherever the damage is', async () => {
    const path = join(folder, 'damaged.npz');
    let refused = 0;
    for (const how of ['stored', 'deflated'] as const) {
      const bytes = bytesOf(numpy.archives[how]);
      for (let at = 0; at < bytes.length; at += 3) {
        await writeFile(path, at % 2 === 0 ? bytes.with(at, (bytes[at] ?? 0) ^ 0x55) : bytes.subarray(0, at));
        try {
          const arrays = await readNpz(path);
          // What no sum covers: names, times, the comment's place.
          if (arrays.has('x')) expect(arrays.get('x')?.values[5]).toBe(5);
        } catch (error) {
          refused++;
          expect(error).toBeInstanceOf(ShallowsError);
          expect((error as ShallowsError).message).toContain('readNp');
        }
      }
    }
    expect(refused).toBeGreaterThan(250);
  });

  test('zip64 records, which Python writes beyond 4 GiB', () => {
    const content = Buffer.from('hello zip64');
    const packed = deflateRawSync(content);
    const name = Buffer.from('a.npy');
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(8, 8);
    local.writeUInt16LE(name.length, 26);
    const extra = Buffer.alloc(28);
    extra.writeUInt16LE(1, 0);
    extra.writeUInt16LE(24, 2);
    extra.writeBigUInt64LE(BigInt(content.length), 4);
    extra.writeBigUInt64LE(BigInt(packed.length), 12);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt16LE(8, 10);
    central.writeUInt32LE(crc32(content), 16);
    for (const at of [20, 24, 42]) central.writeUInt32LE(0xffffffff, at);
    central.writeUInt16LE(name.length, 28);
    central.writeUInt16LE(extra.length, 30);
    const start = local.length + name.length + packed.length;
    const end64 = Buffer.alloc(56);
    end64.writeUInt32LE(0x06064b50, 0);
    end64.writeBigUInt64LE(1n, 32);
    end64.writeBigUInt64LE(BigInt(start), 48);
    const locator = Buffer.alloc(20);
    locator.writeUInt32LE(0x07064b50, 0);
    locator.writeBigUInt64LE(BigInt(start + central.length + name.length + extra.length), 8);
    const end = Buffer.alloc(22);
    end.writeUInt32LE(0x06054b50, 0);
    end.writeUInt32LE(0xffffffff, 16);
    const zip = Buffer.concat([local, name, packed, central, name, extra, end64, locator, end]);
    const [entry] = zipEntries('test', 'a.zip', zip);
    expect(entry?.name).toBe('a.npy');
    expect(Buffer.from(entry?.read() ?? []).toString()).toBe('hello zip64');
  });
});
