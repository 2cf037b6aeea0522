import { ShallowsError, shown } from '../errors.js';
import { philox4x32 } from './philox.js';

/**
 * A 64-bit Philox key: frozen plain data, safe to log, to store and to send. All randomness is a function of one.
 */
export interface Key {
  /** High 32 bits, an unsigned integer. */
  readonly hi: number;
  /** Low 32 bits, an unsigned integer. */
  readonly lo: number;
}

// The last counter word says what a block is for, so that a draw and a derivation under one key never share a block.
// A string's last word is `STRING + byte length`; draws use 0 to 15 (draws.ts, integers.ts, normals.ts).
const NUMBER = 16;
const STRING = 0x80000000;

const HALF_PAIR = /\p{Surrogate}/u;
const encoder = new TextEncoder();
const words = new Uint32Array(4);

/**
 * The key of a seed: the seed's own 64 bits.
 *
 * @param seed a safe integer from 0, or a bigint below 2⁶⁴
 * @throws ShallowsError for a seed that is negative, fractional or too large
 */
export function rootKey(seed: number | bigint): Key {
  const bits = typeof seed === 'bigint' ? seed : Number.isSafeInteger(seed) ? BigInt(seed) : -1n;
  if (bits < 0n || bits >= 1n << 64n) {
    throw new ShallowsError(
      `rootKey: expected a whole number from 0 to 2^53 - 1 or a bigint below 2^64, got ${shown(seed)} - give such a seed`,
    );
  }
  return Object.freeze({ hi: Number(bits >> 32n), lo: Number(bits & 0xffffffffn) });
}

/**
 * The key at a path of names and numbers below another key: `deriveKey(key, 'depth', step)`.
 *
 * Each part is absorbed by Philox with its kind and its length, so the order matters and no two paths meet by
 * concatenation: `('ab', 'c')`, `('a', 'bc')` and `('abc')` differ, and so do `(1)` and `('1')`. Strings count as UTF-8.
 *
 * @param path names, or whole numbers from 0 to 2⁵³ − 1; an empty path gives the key itself
 * @throws ShallowsError for a part that is neither, or a string with half a surrogate pair (which has no UTF-8)
 */
export function deriveKey(key: Key, ...path: readonly (string | number)[]): Key {
  let { hi, lo } = key;
  for (const part of path) {
    if (typeof part === 'number') absorbNumber(part, hi, lo);
    else absorbString(part, hi, lo);
    lo = words[0] ?? 0;
    hi = words[1] ?? 0;
  }
  return Object.freeze({ hi, lo });
}

/**
 * A number in [0, 2⁵³) that stands for a path of names and numbers: the index at which something named draws.
 *
 * Two names share an index with probability 2⁻⁵³. Equal everywhere, for all time: it depends on nothing but the path.
 */
export function indexOf(...path: readonly (string | number)[]): number {
  const { hi, lo } = deriveKey({ hi: 0, lo: 0 }, ...path);
  return (hi >>> 11) * 4294967296 + lo;
}

/** A key as 16 hexadecimal digits, high word first: for records and messages. */
export function keyToHex({ hi, lo }: Key): string {
  return hi.toString(16).padStart(8, '0') + lo.toString(16).padStart(8, '0');
}

function absorbNumber(part: number, hi: number, lo: number): void {
  if (!Number.isSafeInteger(part) || part < 0) {
    throw new ShallowsError(
      `deriveKey: expected a name or a whole number from 0 to 2^53 - 1, got ${shown(part)} - count with such numbers`,
    );
  }
  philox4x32(words, part >>> 0, Math.floor(part / 4294967296), 0, NUMBER, lo, hi);
}

function absorbString(part: string, hi: number, lo: number): void {
  if (typeof part !== 'string' || HALF_PAIR.test(part)) {
    throw new ShallowsError(
      `deriveKey: expected a well-formed string or a number, got ${shown(part)} - name things with whole characters`,
    );
  }
  const bytes = encoder.encode(part);
  const at = (i: number): number => bytes[i] ?? 0;
  const word = (i: number): number => at(i) | (at(i + 1) << 8) | (at(i + 2) << 16) | (at(i + 3) << 24);
  const blocks = Math.max(1, Math.ceil(bytes.length / 8));
  let high = hi;
  let low = lo;
  for (let block = 0; block < blocks; block++) {
    philox4x32(words, word(8 * block), word(8 * block + 4), block, STRING + bytes.length, low, high);
    low = words[0] ?? 0;
    high = words[1] ?? 0;
  }
}
