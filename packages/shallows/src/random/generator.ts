import { type Device, Generator } from '@shallows/torch';
import { deriveKey, type Key } from './key.js';

/**
 * A libtorch generator seeded from a key, for operators that draw on their own (`randn`, `dropout`, `bernoulli`).
 *
 * Its numbers depend on the device: libtorch draws with a Mersenne Twister on CPU (32 of the 64 seed bits) and with
 * Philox on CUDA. What must not depend on the device is drawn with `uniform` and its neighbours instead.
 */
export function generator(key: Key, device: Device = 'cpu'): Generator {
  // CUDA's generator is this same Philox: without a derivation its stream could repeat that of `uniform(key)`.
  const { hi, lo } = deriveKey(key, 'libtorch');
  return new Generator(device, (BigInt(hi) << 32n) | BigInt(lo));
}
