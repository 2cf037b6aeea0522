import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import {
  arange,
  type DType,
  fromBytes,
  loadSafetensors,
  ops,
  rand,
  readSafetensorsHeader,
  saveSafetensors,
  scope,
  stats,
  TorchError,
  tensor,
  zeros,
} from '../index.js';
import { native } from '../native.js';
import { live, type Tensor } from '../tensor.js';

interface Saved {
  readonly name: string;
  readonly file: string;
  readonly metadata: Record<string, string>;
  readonly tensors: readonly { name: string; dtype: DType; shape: number[]; bytes: string }[];
}

// Made by safetensors.fixture.py with the reference implementation.
const files: Saved[] = JSON.parse(readFileSync(new URL('safetensors.fixture.json', import.meta.url), 'utf8'));

const folder = mkdtempSync(join(tmpdir(), 'shallows-safetensors-'));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);

/** A file with this header text and so many bytes of data. */
function fileOf(header: string | Uint8Array, dataBytes: number, path = at('made')): string {
  const text = Buffer.from(header as string);
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(path, Buffer.concat([start, text, Buffer.alloc(dataBytes)]));
  return path;
}

describe('files of the reference implementation', () => {
  test.each(files)('$name: read', ({ file, metadata, tensors }) => {
    const path = at('read');
    writeFileSync(path, Buffer.from(file, 'base64'));
    for (const map of [true, false]) {
      const loaded = loadSafetensors(path, { map });
      expect(loaded.metadata).toEqual(metadata);
      expect(Object.keys(loaded.tensors).sort()).toEqual(tensors.map((each) => each.name).sort());
      for (const { name, dtype, shape, bytes } of tensors) {
        const got = Object.getOwnPropertyDescriptor(loaded.tensors, name)?.value;
        expect([got.dtype, got.shape]).toEqual([dtype, shape]);
        expect(Buffer.from(got.toBytes()).toString('base64')).toBe(bytes);
      }
    }
  });

  test.each(files)('$name: written byte for byte', ({ file, metadata, tensors }) => {
    const path = at('written');
    const made = tensors.map(
      ({ name, dtype, shape, bytes }) => [name, fromBytes(Buffer.from(bytes, 'base64'), dtype, shape)] as const,
    );
    saveSafetensors(path, Object.fromEntries(made), metadata);
    expect(readFileSync(path).toString('latin1')).toBe(Buffer.from(file, 'base64').toString('latin1'));
  });
});

describe('a strict reader', () => {
  const f32 = (name: string, begin: number, end: number, shape = `[${(end - begin) / 4}]`): string =>
    `"${name}":{"dtype":"F32","shape":${shape},"data_offsets":[${begin},${end}]}`;

  test.each<[string, string | Uint8Array, number, RegExp]>([
    ['keys twice', `{${f32('a', 0, 4)},${f32('a', 4, 8)}}`, 8, /expected each key once, got 'a' twice/],
    ['fields twice', '{"a":{"dtype":"F32","dtype":"F32","shape":[],"data_offsets":[0,4]}}', 4, /'dtype' twice/],
    ['metadata keys twice', '{"__metadata__":{"x":"1","x":"2"}}', 0, /'x' twice/],
    ['overlap', `{${f32('a', 0, 8)},${f32('b', 4, 12)}}`, 12, /'b': expected data from byte 8, got 4 .* overlap/],
    ['a hole', `{${f32('a', 0, 4)},${f32('b', 8, 12)}}`, 12, /'b': expected data from byte 4, got 8 .* hole/],
    ['data left over', `{${f32('a', 0, 4)}}`, 8, /expected 4 bytes of data after the header, got 8/],
    ['data missing', `{${f32('a', 0, 8)}}`, 4, /expected 8 bytes of data after the header, got 4/],
    ['a wrong size', `{${f32('a', 0, 8, '[3]')}}`, 8, /'a': expected 12 bytes for F32 \[3\]/],
    ['offsets backwards', `{${f32('a', 8, 0, '[2]')}}`, 8, /'a': expected 8 bytes/],
    ['a shape beyond 2^53', `{${f32('a', 0, 4, '[0,9007199254740991,9007199254740991]')}}`, 4, /below 2\^53 bytes/],
    ['a negative size', `{${f32('a', 0, 4, '[-1]')}}`, 4, /a whole number .* got "-1/],
    ['a fraction', `{${f32('a', 0, 4, '[1.0]')}}`, 4, /a whole number/],
    ['65 dimensions', `{${f32('a', 0, 4, `[${'1,'.repeat(64)}1]`)}}`, 4, /at most 64 dimensions/],
    ['three offsets', '{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4,8]}}', 4, /two data_offsets, got more/],
    ['one offset', '{"a":{"dtype":"F32","shape":[],"data_offsets":[0]}}', 4, /two data_offsets, got 1/],
    ['no dtype', '{"a":{"shape":[],"data_offsets":[0,4]}}', 4, /got no dtype/],
    ['another field', '{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4],"x":1}}', 4, /got 'x'/],
    ['a dtype not known here', '{"a":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}', 4, /got 'F8_E4M3'/],
    ['metadata that is no text', '{"__metadata__":{"x":1}}', 0, /expected a string/],
    ['an array', '[]', 0, /begins with '{'/],
    ['space first', ' {}', 0, /begins with '{'/],
    ['text after the end', '{}x', 0, /the end of the header/],
    ['a header cut short', '{"a":', 0, /expected '{'/],
    ['no header', '', 0, /begins with '{'/],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22]), 0, /UTF-8/],
    ['a control character', '{"a\u0001":1}', 0, /a string of JSON/],
    ['a comma too many', `{${f32('a', 0, 4)},}`, 4, /expected a string/],
  ])('refuses %s', (_, header, dataBytes, message) => {
    const path = fileOf(header, dataBytes);
    expect(() => loadSafetensors(path)).toThrow(TorchError);
    expect(() => loadSafetensors(path)).toThrow(message);
    expect(() => loadSafetensors(path)).toThrow(path);
  });

  test('refuses a header beyond 100 MB, and one beyond the file', () => {
    const start = Buffer.alloc(16);
    start.writeBigUInt64LE(100_000_001n);
    writeFileSync(at('made'), start);
    expect(() => loadSafetensors(at('made'))).toThrow(/at most 100000000 bytes, got 100000001/);
    start.writeBigUInt64LE(99n);
    writeFileSync(at('made'), start);
    expect(() => loadSafetensors(at('made'))).toThrow(/a header of 99 bytes, got a file of 16/);
  });

  test('refuses what is no file, and BOOL bytes other than 0 and 1', () => {
    expect(() => loadSafetensors(at('missing'))).toThrow(/ENOENT/);
    expect(() => loadSafetensors(folder)).toThrow(TorchError);
    const path = fileOf('{"a":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}}', 1);
    const bytes = readFileSync(path);
    bytes[bytes.length - 1] = 2;
    writeFileSync(path, bytes);
    expect(() => loadSafetensors(path)).toThrow(/'a': expected bytes 0 and 1 for BOOL/);
  });

  test('a failed load keeps no tensors', () => {
    const path = fileOf(
      '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"BOOL","shape":[1],"data_offsets":[1,2]}}',
      2,
    );
    const bytes = readFileSync(path);
    bytes[bytes.length - 1] = 7;
    writeFileSync(path, bytes);
    const before = stats().liveTensors;
    expect(() => loadSafetensors(path)).toThrow(TorchError);
    expect(stats().liveTensors).toBe(before);
  });
});

// Other writers may put dtypes in any order, and begin the data anywhere.
test.each([0, 1, 2, 4, 7])('tensors of all dtypes come back from data %i bytes off the eighth', (off) => {
  scope(() => {
    const dtypes = ['int8', 'float32', 'bool', 'float64', 'bfloat16', 'float32', 'int64', 'float32', 'int16'] as const;
    const made = dtypes.map((dtype, i) =>
      arange(2 * 3 * (i + 1))
        .reshape([2, 3, i + 1])
        .to(dtype),
    );
    const parts = made.map((each) => Buffer.from(each.toBytes()));
    let end = 0;
    const fields = made.map((each, i) => {
      const begin = end;
      end += parts[i]?.length ?? 0;
      const code = {
        int8: 'I8',
        float32: 'F32',
        bool: 'BOOL',
        float64: 'F64',
        bfloat16: 'BF16',
        int64: 'I64',
        int16: 'I16',
      };
      return `"t${i}":{"dtype":"${code[dtypes[i] as 'int8']}","shape":[${each.shape}],"data_offsets":[${begin},${end}]}`;
    });
    const text = `{${fields.join(',')}}`;
    const path = fileOf(text.padEnd(Math.ceil(text.length / 8) * 8 + off), 0, at('any-order'));
    writeFileSync(path, Buffer.concat([readFileSync(path), ...parts]));
    const sha256 = createHash('sha256').update(readFileSync(path)).digest('hex');
    for (const options of [{ map: true }, { map: false }, { sha256 }]) {
      const { tensors } = loadSafetensors(path, options);
      for (const [i, each] of made.entries()) {
        const got = tensors[`t${i}`];
        expect([got?.dtype, got?.shape, got?.isContiguous()]).toEqual([each.dtype, each.shape, true]);
        expect(got?.toBytes(), `t${i}`).toEqual(each.toBytes());
      }
    }
  });
});

describe('writing', () => {
  test('views, gradients and large tensors go out in pieces and come back', () => {
    scope(() => {
      const big = arange(5_000_000, { dtype: 'float32' });
      const view = rand([30, 40]).t();
      const path = at('large');
      saveSafetensors(path, { big, view, leaf: tensor([1, 2], { requiresGrad: true }) }, { note: 'ü' });
      const { tensors, metadata } = loadSafetensors(path, { map: true });
      expect(metadata).toEqual({ note: 'ü' });
      expect(tensors['big']?.equal(big)).toBe(true);
      expect(tensors['view']?.equal(view)).toBe(true);
      expect(tensors['leaf']?.requiresGrad).toBe(false);
    });
  });

  test('a mapped tensor does not change the file, and the file can be replaced while it lives', () => {
    const path = at('mapped');
    saveSafetensors(path, { x: tensor([1, 2, 3]) });
    const { tensors } = loadSafetensors(path, { map: true });
    const x = tensors['x'] as ReturnType<typeof tensor>;
    x.add_(1);
    saveSafetensors(path, { x: zeros([3]) });
    expect([...x.toArray()]).toEqual([2, 3, 4]);
    expect([...(loadSafetensors(path).tensors['x']?.toArray() ?? [])]).toEqual([0, 0, 0]);
  });

  test('the collector is told of bytes in memory, and of none that stay in the file', () => {
    const path = at('told');
    saveSafetensors(path, { x: zeros([1000]) });
    const told = (map: boolean): number => {
      using x = loadSafetensors(path, { map }).tensors['x'] as Tensor;
      return native().storageBytes(live(x));
    };
    expect([told(true), told(false)]).toEqual([0, 4000]);
  });

  test.each<[string, () => void, RegExp]>([
    [
      'a sparse tensor',
      () => saveSafetensors(at('x'), { w: ops.aten.to_sparse(zeros([2])) }),
      /'w': expected a dense tensor, got layout sparse_coo/,
    ],
    [
      'a tensor without data',
      () => saveSafetensors(at('x'), { w: zeros([2]).to('meta') }),
      /'w': expected a dense tensor, got one without data/,
    ],
    [
      'a dtype the format lacks',
      () => saveSafetensors(at('x'), { w: zeros([2]).to('complex128') }),
      /'w': .* got complex128/,
    ],
    ['the name of the metadata', () => saveSafetensors(at('x'), { __metadata__: zeros([1]) }), /expected another name/],
    ['half a character', () => saveSafetensors(at('x'), { '\ud800': zeros([1]) }), /half of a character/],
    [
      'metadata that is no text',
      () => saveSafetensors(at('x'), {}, { n: 1 } as unknown as Record<string, string>),
      /metadata 'n': expected text/,
    ],
    ['a folder that is not there', () => saveSafetensors(at('no/where'), { w: zeros([1]) }), /ENOENT/],
  ])('refuses %s and leaves nothing behind', (_, run, message) => {
    const before = readdirSync(folder);
    expect(run).toThrow(TorchError);
    expect(run).toThrow(message);
    expect(readdirSync(folder)).toEqual(before);
  });

  test.runIf(existsSync('/proc/self/fd'))(
    'a file that was replaced is let go, and so is one that could not be',
    async () => {
      const path = at('replaced');
      for (let i = 0; i < 3; i++) saveSafetensors(path, { w: zeros([1]) });
      mkdirSync(at('replaced-folder'));
      expect(() => saveSafetensors(at('replaced-folder'), { w: zeros([1]) })).toThrow(TorchError);
      const held = (): string[] => {
        const links = readdirSync('/proc/self/fd').map((each) => {
          // The listing itself is open while it is read.
          try {
            return readlinkSync(`/proc/self/fd/${each}`);
          } catch {
            return '';
          }
        });
        return links.filter((each) => each.startsWith(path));
      };
      await expect.poll(held).toEqual([]);
    },
  );

  test.runIf(process.platform === 'linux')('what is no file is replaced without being waited for', () => {
    const path = at('pipe');
    execFileSync('mkfifo', [path]);
    saveSafetensors(path, { w: zeros([1]) });
    expect(readSafetensorsHeader(path).entries).toHaveLength(1);
  });

  test('the old file stays where the new one fails', () => {
    mkdirSync(at('taken'));
    expect(() => saveSafetensors(at('taken'), { w: zeros([1]) })).toThrow(TorchError);
    expect(readdirSync(folder).filter((each) => each.endsWith('.tmp'))).toEqual([]);
  });
});

test('the header alone can be read', () => {
  const path = at('header');
  saveSafetensors(path, { x: zeros([2, 3]), i: tensor([1n]) }, { a: 'b' });
  expect(readSafetensorsHeader(path)).toEqual({
    entries: [
      { name: 'i', dtype: 'int64', shape: [1], begin: 0, end: 8 },
      { name: 'x', dtype: 'float32', shape: [2, 3], begin: 8, end: 32 },
    ],
    metadata: { a: 'b' },
  });
});
