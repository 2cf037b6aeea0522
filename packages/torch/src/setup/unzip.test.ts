import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ZipOptions, zip } from '../../../../tests/support/zip-writer.js';
import { unzip } from './unzip.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'shallows-unzip-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const large = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => (i * i) >> 7));
const unpack = async (bytes: Buffer): Promise<string> => {
  const path = join(folder, 'in.zip');
  writeFileSync(path, bytes);
  const out = join(folder, 'out');
  await unzip(path, out);
  return out;
};

describe('unzip', () => {
  test.each<ZipOptions>([{}, { stored: true }, { wide: true }, { wide: true, stored: true }])(
    'gives back what was packed %o',
    async (options) => {
      const out = await unpack(
        zip({ 'lib/': '', 'lib/large.so': large, 'lib/empty': '', 'a/b/c.h': '#pragma once\n' }, options),
      );
      expect(readFileSync(join(out, 'lib/large.so')).equals(large)).toBe(true);
      expect(readFileSync(join(out, 'a/b/c.h'), 'utf8')).toBe('#pragma once\n');
      expect(readFileSync(join(out, 'lib/empty'), 'utf8')).toBe('');
    },
  );

  test('finds the end before a comment', async () => {
    const packed = zip({ a: 'text' });
    packed.writeUInt16LE(5, packed.length - 2);
    const out = await unpack(Buffer.concat([packed, Buffer.from('hello')]));
    expect(readFileSync(join(out, 'a'), 'utf8')).toBe('text');
  });

  test('refuses paths that lead out', async () => {
    await expect(unpack(zip({ '../escaped': 'x' }))).rejects.toThrow("entry '../escaped' lies outside of it");
    await expect(unpack(zip({ '/escaped': 'x' }))).rejects.toThrow('lies outside of it');
    expect(existsSync(join(folder, 'escaped'))).toBe(false);
  });

  test('refuses what is cut short, changed or no zip', async () => {
    const packed = zip({ 'lib/large.so': large });
    await expect(unpack(packed.subarray(0, 1000))).rejects.toThrow(
      'to be a whole zip file, but it has no end record - fetch it again',
    );
    await expect(unpack(packed.subarray(500))).rejects.toThrow('to be a whole zip file');
    await expect(unpack(Buffer.from('not found'))).rejects.toThrow('to be a whole zip file');
    const changed = zip({ a: 'some text' }, { stored: true });
    changed.writeUInt8(changed.readUInt8(33) ^ 1, 33);
    await expect(unpack(changed)).rejects.toThrow("entry 'a' does not match its checksum");
    const deflated = Buffer.from(packed);
    deflated.fill(0xff, 100, 200);
    await expect(unpack(deflated)).rejects.toThrow("entry 'lib/large.so'");
  });

  test('ends with an error, never otherwise, whatever one byte becomes', async () => {
    const packed = zip({ 'a/b': 'some text', c: 'more text' });
    for (let i = 0; i < packed.length; i++) {
      const changed = Buffer.from(packed);
      changed.writeUInt8(changed.readUInt8(i) ^ 0x55, i);
      await unpack(changed).catch((error: unknown) =>
        expect(String(error)).toMatch(/^Error: setup: |^TorchError: setup: /),
      );
    }
  });
});
