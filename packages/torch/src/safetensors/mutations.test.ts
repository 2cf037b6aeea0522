import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { arange, loadSafetensors, saveSafetensors, scope, stats, TorchError, tensor } from '../index.js';

const folder = mkdtempSync(join(tmpdir(), 'shallows-mutations-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Numbers in [0, 1) from a seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const tokens = [
  '"',
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '-1',
  '0',
  '1',
  '99999999999999999999',
  'null',
  '1e3',
  '"F64"',
  '"BOOL"',
  '"data_offsets"',
  '\\u0000',
  '"x"',
  ' ',
];

function mutated(original: Buffer, random: () => number): Buffer {
  const at = (length: number): number => Math.floor(random() * length);
  const headerEnd = 8 + Number(original.readBigUInt64LE());
  let bytes = Buffer.from(original);
  for (let edits = 1 + at(3); edits > 0; edits--) {
    switch (at(7)) {
      case 0: // one byte anywhere
        bytes[at(bytes.length)] = at(256);
        break;
      case 1: // one bit of the header
        {
          const place = at(Math.min(headerEnd, bytes.length));
          bytes[place] = (bytes[place] ?? 0) ^ (1 << at(8));
        }
        break;
      case 2: // cut
        bytes = bytes.subarray(0, at(bytes.length + 1));
        break;
      case 3: // longer
        bytes = Buffer.concat([bytes, Buffer.alloc(at(100), at(256))]);
        break;
      case 4: // another length of the header
        if (bytes.length >= 8) bytes.writeBigUInt64LE(BigInt(Math.floor(random() * 2 ** at(63))));
        break;
      case 5: {
        // a piece of JSON put into the header, its length corrected
        const place = 8 + at(Math.max(1, headerEnd - 8));
        const token = Buffer.from(tokens[at(tokens.length)] as string);
        const cut = at(4);
        bytes = Buffer.concat([bytes.subarray(0, place), token, bytes.subarray(place + cut)]);
        if (bytes.length >= 8) bytes.writeBigUInt64LE(BigInt(Math.max(0, headerEnd - 8 + token.length - cut)));
        break;
      }
      default: {
        // a number in the header changed by one digit
        const digits = [...bytes.subarray(0, headerEnd).toString('latin1').matchAll(/[0-9]/g)].map(
          (each) => each.index,
        );
        const place = digits[at(digits.length)];
        if (place !== undefined && place >= 8) bytes[place] = 0x30 + at(10);
      }
    }
    if (bytes.length === 0) break;
  }
  return bytes;
}

test('5,000 mutated files: each loads or is refused with the file named', () => {
  const path = join(folder, 'x.safetensors');
  saveSafetensors(
    path,
    {
      'layer.weight': arange(12, { dtype: 'float32' }).reshape([3, 4]),
      half: tensor([1, 2]).half(),
      flags: tensor([true, false]),
      none: tensor([]),
    },
    { format: 'pt' },
  );
  const original = readFileSync(path);
  const random = randomFrom(7);
  const before = stats().liveTensors;
  const residentBefore = process.memoryUsage().rss;
  let loaded = 0;
  let refused = 0;
  for (let i = 0; i < 5000; i++) {
    writeFileSync(path, mutated(original, random));
    scope(() => {
      try {
        const { tensors } = loadSafetensors(path, { map: i % 2 === 0 });
        for (const each of Object.values(tensors)) each.toBytes();
        loaded++;
      } catch (error) {
        if (!(error instanceof TorchError)) throw error;
        expect(error.message).toContain(path);
        refused++;
      }
    });
  }
  expect(loaded + refused).toBe(5000);
  expect(refused).toBeGreaterThan(3500);
  expect(loaded).toBeGreaterThan(60);
  expect(stats().liveTensors).toBe(before);
  expect(process.memoryUsage().rss - residentBefore).toBeLessThan(300e6);
});
