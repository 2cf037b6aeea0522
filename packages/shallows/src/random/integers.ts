import { ShallowsError, shown } from '../errors.js';
import { requireIndex } from './draws.js';
import type { Key } from './key.js';
import { philox4x32 } from './philox.js';

const INTEGER = 2;
const PERMUTATION = 3;
const TWO_32 = 4294967296;
const words = new Uint32Array(4);

// 32 random bits x `bound` is a 64-bit number whose high word is the draw. The first 2^32 mod bound low words of each
// bucket are refused, which makes all buckets equal (Lemire 2019). `attempt` moves to fresh words, so the draw stays a
// function of its position. `held` is the block whose words are at hand, to share the four words of a block.
function bounded(key: Key, purpose: number, bound: number, index: number, held: { block: number }): number {
  const block = Math.floor(index / 4);
  const lane = index % 4;
  for (let attempt = 0; ; attempt++) {
    if (attempt > 0 || held.block !== block) {
      philox4x32(words, block >>> 0, Math.floor(block / TWO_32), attempt, purpose, key.lo, key.hi);
      held.block = attempt === 0 ? block : -1;
    }
    const word = words[lane] ?? 0;
    // Exact: word < 2^32 and each half of bound < 2^17, so both products stay below 2^49.
    const upper = word * Math.floor(bound / 65536);
    const lower = word * (bound % 65536);
    const middle = upper + Math.floor(lower / 65536);
    const value = Math.floor(middle / 65536);
    const low = (middle % 65536) * 65536 + (lower % 65536);
    if (low >= bound || low >= TWO_32 % bound) return value;
  }
}

/**
 * A whole number from 0 to `bound − 1`, each exactly equally likely: the draw number `index` under a key.
 *
 * @param bound how many values there are, from 1 to 2³²
 * @throws ShallowsError for another bound or index
 * @see Lemire, "Fast random integer generation in an interval", 2019
 */
export function randint(key: Key, bound: number, index = 0): number {
  if (!Number.isSafeInteger(bound) || bound < 1 || bound > TWO_32) {
    throw new ShallowsError(`randint: expected a bound from 1 to 2^32, got ${shown(bound)} - draw from such a range`);
  }
  requireIndex('randint', index);
  return bounded(key, INTEGER, bound, index, { block: -1 });
}

/**
 * The first `count` whole numbers from 0 to `bound − 1` under a key: `randints(key, bound, n)[i] === randint(key, bound, i)`.
 *
 * @param into receives them in place of a new array, `[count]`
 */
export function randints(key: Key, bound: number, count: number, into = new Uint32Array(count)): Uint32Array {
  if (count > 0) into[0] = randint(key, bound);
  const held = { block: -1 };
  for (let i = 1; i < count; i++) into[i] = bounded(key, INTEGER, bound, i, held);
  return into;
}

/**
 * The numbers 0 to `count − 1` in random order, each order equally likely up to the 64 bits of the key.
 *
 * Fisher and Yates' shuffle with unbiased draws; a function of (key, count).
 *
 * @param count how many, from 0 to 2³² − 1
 * @returns `[count]`
 */
export function permutation(key: Key, count: number): Uint32Array {
  if (!Number.isSafeInteger(count) || count < 0 || count >= TWO_32) {
    throw new ShallowsError(
      `permutation: expected a count from 0 to 2^32 - 1, got ${shown(count)} - shuffle such a number of items`,
    );
  }
  const order = new Uint32Array(count);
  const held = { block: -1 };
  for (let i = 0; i < count; i++) {
    const j = bounded(key, PERMUTATION, i + 1, i, held);
    order[i] = order[j] ?? 0;
    order[j] = i;
  }
  return order;
}
