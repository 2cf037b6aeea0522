import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import {
  arange,
  encodeSafetensors,
  loadSafetensors,
  rand,
  saveSafetensors,
  scope,
  stats,
  TorchError,
  tensor,
  zeros,
} from '../index.js';

const folder = mkdtempSync(join(tmpdir(), 'shallows-verified-'));
afterAll(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'x.safetensors');
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

function sample() {
  return {
    // Longer than the pieces that a file is read in.
    big: arange(5_000_001, { dtype: 'float32' }),
    turned: rand([30, 40]).t(),
    half: rand([7]).to('bfloat16'),
    flags: tensor([true, false]),
    none: zeros([0, 3]),
    scalar: tensor(2n),
    learnt: tensor([1, 2], { requiresGrad: true }),
  };
}

test('the pieces are the file that saveSafetensors writes, in buffers of their own', () => {
  scope(() => {
    const tensors = sample();
    const pieces = encodeSafetensors(tensors, { note: 'ü' });
    saveSafetensors(path, tensors, { note: 'ü' });
    expect(sha256(Buffer.concat(pieces))).toBe(sha256(readFileSync(path)));
    expect(new Set(pieces.map(({ buffer }) => buffer)).size).toBe(pieces.length);
    for (const { buffer, byteLength } of pieces) expect(buffer.byteLength).toBe(byteLength);
  });
});

test('the pieces are copies: what happens to the tensors later does not reach them', () => {
  scope(() => {
    const x = zeros([4]);
    const before = Buffer.concat(encodeSafetensors({ x }));
    const pieces = encodeSafetensors({ x });
    x.add_(1);
    expect(Buffer.concat(pieces)).toEqual(before);
  });
});

test('encodeSafetensors refuses as saveSafetensors does, in its own name', () => {
  const run = (): unknown => encodeSafetensors({ w: zeros([2]).to('complex128') });
  expect(run).toThrow(TorchError);
  expect(run).toThrow(/^encodeSafetensors: tensor 'w': expected a dtype that the format has, got complex128/);
});

test('a file with the right digest is read, one with another digest is not, and nothing of it is kept', () => {
  scope(() => {
    const tensors = sample();
    saveSafetensors(path, tensors, { a: 'b' });
    const bytes = readFileSync(path);
    const loaded = loadSafetensors(path, { sha256: sha256(bytes) });
    expect(loaded.metadata).toEqual({ a: 'b' });
    for (const [name, each] of Object.entries(tensors)) {
      const got = loaded.tensors[name];
      expect(got?.dtype, name).toBe(each.dtype);
      expect(got?.equal(each), name).toBe(true);
    }
    for (const at of [bytes.length - 1, bytes.length >> 1]) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      writeFileSync(path, changed);
      const live = stats().liveTensors;
      expect(() => loadSafetensors(path, { sha256: sha256(bytes) })).toThrow(
        /expected the SHA-256 \w{64}, got \w{64}|bytes 0 and 1/,
      );
      expect(stats().liveTensors).toBe(live);
    }
  });
});

test('the options must make sense together', () => {
  saveSafetensors(path, { x: zeros([1]) });
  expect(() => loadSafetensors(path, { sha256: 'abc' })).toThrow(
    /a sha256 of 64 hexadecimal digits and no map, got 'abc'/,
  );
  expect(() => loadSafetensors(path, { sha256: '0'.repeat(64), map: true })).toThrow(/got map: true beside it/);
});
