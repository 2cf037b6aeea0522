import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { uniform } from './draws.js';
import { permutation, randint } from './integers.js';
import { deriveKey, indexOf, keyToHex, rootKey } from './key.js';
import { normal } from './normals.js';
import { philox4x32 } from './philox.js';

type Four = [number, number, number, number];

interface Reference {
  philox: { counter: Four; key: [number, number]; words: number[] }[];
  derived: { root: string; path: (string | number)[]; key: string }[];
  indices: { path: (string | number)[]; index: number }[];
  key: string;
  uniform: [number, number][];
  normal: [number, number][];
  randint: [number, number, number][];
  permutation: [number[]];
}

const reference: Reference = JSON.parse(readFileSync(new URL('fixtures/philox.json', import.meta.url), 'utf8'));
const key = rootKey(BigInt(reference.key));

describe('the Python reference (fixtures/philox.py)', () => {
  test('Philox4x32-10 gives the same words', () => {
    const out = new Uint32Array(4);
    for (const { counter, key, words } of reference.philox) {
      philox4x32(out, ...counter, ...key);
      expect([...out]).toEqual(words);
    }
  });

  test.each(reference.derived)('key $root / $path', ({ root, path, key }) => {
    expect(keyToHex(deriveKey(rootKey(BigInt(root)), ...path))).toBe(key);
  });

  test('named indices', () => {
    for (const { path, index } of reference.indices) expect(indexOf(...path)).toBe(index);
  });

  test('uniform draws, to the last bit', () => {
    for (const [index, value] of reference.uniform) expect(uniform(key, index)).toBe(value);
  });

  test('normal draws, to rounding of log and cosine', () => {
    for (const [index, value] of reference.normal) expect(Math.abs(normal(key, index) - value)).toBeLessThan(1e-13);
  });

  test('bounded integers and a permutation', () => {
    for (const [bound, index, value] of reference.randint)
      expect([bound, index, randint(key, bound, index)]).toEqual([bound, index, value]);
    expect([...permutation(key, 40)]).toEqual(reference.permutation[0]);
  });
});

describe('Random123 known answers', () => {
  test.each([
    ['zeros', [0, 0, 0, 0], [0, 0], '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
    [
      'ones',
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      '408f276d 41c83b0e a20bc7c6 6d5451fd',
    ],
    [
      'pi',
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      'd16cfe09 94fdcceb 5001e420 24126ea1',
    ],
  ] satisfies [string, Four, [number, number], string][])('%s', (_name, counter, key, answer) => {
    const out = new Uint32Array(4);
    philox4x32(out, ...counter, ...key);
    expect([...out].map((word) => word.toString(16).padStart(8, '0')).join(' ')).toBe(answer);
  });
});
