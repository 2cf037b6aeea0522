import { ShallowsError, shown } from '../errors.js';
import type { Key } from './key.js';
import { philox4x32 } from './philox.js';

const UNIFORM = 0;
const words = new Uint32Array(4);

function fillBlock(key: Key, block: number): void {
  philox4x32(words, block >>> 0, Math.floor(block / 4294967296), 0, UNIFORM, key.lo, key.hi);
}

// 53 bits: 26 of one word above 27 of the other, the whole precision of a double in [0, 1).
function fraction(high: number, low: number): number {
  return ((high >>> 6) * 134217728 + (low >>> 5)) / 9007199254740992;
}

/**
 * A uniform number in [0, 1) with 53 random bits: the draw number `index` under a key.
 *
 * @param index a whole number from 0 to 2⁵³ − 1
 * @throws ShallowsError for another index
 */
export function uniform(key: Key, index = 0): number {
  requireIndex('uniform', index);
  fillBlock(key, Math.floor(index / 2));
  return index % 2 === 0 ? fraction(words[0] ?? 0, words[1] ?? 0) : fraction(words[2] ?? 0, words[3] ?? 0);
}

/**
 * The first `count` uniform numbers under a key: `uniforms(key, n)[i] === uniform(key, i)`.
 */
export function uniforms(key: Key, count: number): Float64Array {
  requireIndex('uniforms', count);
  const values = new Float64Array(count);
  for (let i = 0; i < count; i += 2) {
    fillBlock(key, i / 2);
    values[i] = fraction(words[0] ?? 0, words[1] ?? 0);
    // An odd count writes one past the end here, which typed arrays ignore.
    values[i + 1] = fraction(words[2] ?? 0, words[3] ?? 0);
  }
  return values;
}

/**
 * True with probability `p`: `uniform(key, index) < p`, so 0 is never and 1 is always.
 *
 * @param p a probability in [0, 1]
 * @throws ShallowsError for a `p` outside [0, 1], NaN included
 */
export function bernoulli(key: Key, p: number, index = 0): boolean {
  if (!(p >= 0 && p <= 1)) {
    throw new ShallowsError(`bernoulli: expected a probability in [0, 1], got ${shown(p)} - correct the rate`);
  }
  return uniform(key, index) < p;
}

/** @internal Checks a position or count of draws. */
export function requireIndex(fn: string, index: number): void {
  if (!Number.isSafeInteger(index) || index < 0) {
    throw new ShallowsError(`${fn}: expected a whole number from 0 to 2^53 - 1, got ${shown(index)} - count from 0`);
  }
}
