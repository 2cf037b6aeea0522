import type { Device } from './dtype.js';
import { TorchError, toTorchError } from './errors.js';
import { type GeneratorHandle, generatorHandle } from './frame.js';
import { handleOf } from './handle.js';
import { native } from './native.js';
import { Tensor } from './tensor.js';

const registry = new FinalizationRegistry<number>((handle) => native().disposeGenerator(handle));

/** A stream of random numbers of its own, as operators take it in `{ generator }`. */
export class Generator implements GeneratorHandle {
  readonly device: Device;
  readonly #handle: number;

  /** @param seed an integer from 0 to 2⁶⁴ − 1; without one, the generator starts from libtorch's fixed default seed. */
  constructor(device: Device = 'cpu', seed?: number | bigint) {
    this.device = device;
    try {
      this.#handle = native().newGenerator(device);
    } catch (error) {
      throw toTorchError(error);
    }
    registry.register(this, this.#handle);
    if (seed !== undefined) this.manualSeed(seed);
  }

  get [generatorHandle](): number {
    return this.#handle;
  }

  /** Starts the stream anew from a seed. */
  manualSeed(seed: number | bigint): this {
    native().seedGenerator(this.#handle, toSeed('Generator.manualSeed', seed));
    return this;
  }

  /** The whole state as a uint8 tensor, to put back with {@link setState}. */
  getState(): Tensor {
    return new Tensor(native().generatorState(this.#handle));
  }

  setState(state: Tensor): this {
    try {
      native().setGeneratorState(this.#handle, handleOf(state));
    } catch (error) {
      throw toTorchError(error);
    }
    return this;
  }
}

/** Seeds libtorch's own default generators. Library code never relies on them: pass a {@link Generator} instead. */
export function manualSeed(seed: number | bigint): void {
  native().manualSeed(toSeed('manualSeed', seed));
}

function toSeed(where: string, seed: number | bigint): bigint {
  const whole = typeof seed === 'bigint' || Number.isSafeInteger(seed);
  if (!whole || seed < 0 || BigInt(seed) >= 1n << 64n) {
    throw new TorchError(`${where}: expected a seed from 0 to 2^64 - 1, got ${String(seed)}`);
  }
  return BigInt(seed);
}
