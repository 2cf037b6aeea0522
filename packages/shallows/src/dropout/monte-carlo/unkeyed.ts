import { manualSeed } from '@shallows/torch';
import type { Key } from '../../random/key.js';

/**
 * Runs something whose operators draw from libtorch's default generators, from a seed: what they draw is then a function of
 * the key and of the order of their calls. The generators go on from there.
 */
export function withGlobalSeed<T>({ hi, lo }: Key, run: () => T): T {
  manualSeed((BigInt(hi) << 32n) | BigInt(lo));
  return run();
}
