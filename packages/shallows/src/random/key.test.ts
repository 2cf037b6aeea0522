import { describe, expect, test } from 'vitest';
import { ShallowsError } from '../errors.js';
import { deriveKey, keyToHex, rootKey } from './key.js';

describe('rootKey', () => {
  test('holds the 64 bits of the seed', () => {
    expect(rootKey(0)).toEqual({ hi: 0, lo: 0 });
    expect(rootKey(2 ** 53 - 1)).toEqual({ hi: 0x1fffff, lo: 0xffffffff });
    expect(rootKey(2n ** 64n - 1n)).toEqual({ hi: 0xffffffff, lo: 0xffffffff });
    expect(rootKey(7)).toEqual(rootKey(7n));
  });

  test.each([-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, -1n, 2n ** 64n])('refuses %s', (seed) => {
    expect(() => rootKey(seed)).toThrow(ShallowsError);
    expect(() => rootKey(seed)).toThrow('rootKey: expected a whole number');
  });

  test('is frozen plain data', () => {
    const key = deriveKey(rootKey(1), 'a');
    expect(Object.isFrozen(key)).toBe(true);
    expect(JSON.parse(JSON.stringify(key))).toEqual(key);
    expect(keyToHex({ hi: 1, lo: 10 })).toBe('000000010000000a');
  });
});

describe('deriveKey', () => {
  test('different paths give different keys, in whichever way their parts join', () => {
    const paths = [
      [],
      [''],
      ['', ''],
      ['ab', 'c'],
      ['a', 'bc'],
      ['abc'],
      ['a', 'b', 'c'],
      ['c', 'ab'],
      [1],
      ['1'],
      ['\u0001'],
      [0],
      [0, 0],
      ['\0'],
      ['\0\0'],
      [1, 2],
      [2, 1],
      [12],
      ['12345678'],
      ['12345678', ''],
      ['12345678\0'],
      ['1234567', '8'],
      ['é'],
      ['e\u0301'],
      [2 ** 32],
      [2 ** 32 + 1],
    ];
    const root = rootKey(3);
    expect(new Set(paths.map((path) => keyToHex(deriveKey(root, ...path)))).size).toBe(paths.length);
  });

  test('a path may be walked in steps', () => {
    const root = rootKey(3);
    expect(deriveKey(deriveKey(root, 'a', 1), 'b')).toEqual(deriveKey(root, 'a', 1, 'b'));
    expect(deriveKey(root)).toEqual(root);
  });

  test('100,000 numbered keys are distinct (64-bit collision: 1 in 3.7e9)', () => {
    const root = rootKey(3);
    const keys = new Set<string>();
    for (let i = 0; i < 100_000; i++) keys.add(keyToHex(deriveKey(root, i)));
    expect(keys.size).toBe(100_000);
  });

  test.each([-1, 1.5, Number.NaN, 2 ** 53, '\ud800', 'a\udc00b'])('refuses %s', (part) => {
    expect(() => deriveKey(rootKey(0), part)).toThrow('deriveKey: expected');
  });
});
