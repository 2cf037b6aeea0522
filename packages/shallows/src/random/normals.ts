import { requireIndex } from './draws.js';
import type { Key } from './key.js';
import { philox4x32 } from './philox.js';

const NORMAL = 1;
const words = new Uint32Array(4);

// Box and Muller's pair of one block. The radius uses (0, 1], so its logarithm is finite.
function pair(key: Key, block: number): readonly [number, number] {
  philox4x32(words, block >>> 0, Math.floor(block / 4294967296), 0, NORMAL, key.lo, key.hi);
  const u = (((words[0] ?? 0) >>> 6) * 134217728 + ((words[1] ?? 0) >>> 5) + 1) / 9007199254740992;
  const v = (((words[2] ?? 0) >>> 6) * 134217728 + ((words[3] ?? 0) >>> 5)) / 9007199254740992;
  const radius = Math.sqrt(-2 * Math.log(u));
  const angle = 2 * Math.PI * v;
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
}

/**
 * A standard normal number (mean 0, variance 1), the draw number `index` under a key; |z| stays below 8.6.
 *
 * Independent of `uniform(key, index)`. Agrees between platforms to the last bits of `Math.log` and `Math.cos`.
 *
 * @see Box and Muller, "A note on the generation of random normal deviates", 1958
 */
export function normal(key: Key, index = 0): number {
  requireIndex('normal', index);
  return pair(key, Math.floor(index / 2))[index % 2 === 0 ? 0 : 1];
}

/**
 * The first `count` standard normal numbers under a key: `normals(key, n)[i] === normal(key, i)`.
 */
export function normals(key: Key, count: number): Float64Array {
  requireIndex('normals', count);
  const values = new Float64Array(count);
  for (let i = 0; i < count; i += 2) {
    const [first, second] = pair(key, i / 2);
    values[i] = first;
    // An odd count writes one past the end here, which typed arrays ignore.
    values[i + 1] = second;
  }
  return values;
}
