import type { Device } from './dtype.js';
import { TorchError } from './errors.js';
import { native } from './native.js';
import { attempt } from './tensor.js';

/** What this environment holds on the native side. */
export interface Stats {
  /** Tensors that JavaScript objects hold. */
  readonly liveTensors: number;
  /** Bytes of their storages, each counted once. */
  readonly bytes: number;
}

/** Live tensors and their bytes: equal before and after a step that frees what it makes. */
export function stats(): Stats {
  return native().memory();
}

/** Sets the number of threads that one operator may use. */
export function setNumThreads(count: number): void {
  if (!Number.isInteger(count) || count < 1 || count > 4096) {
    throw new TorchError(`setNumThreads: expected a whole number from 1, got ${String(count)}`);
  }
  native().setNumThreads(count);
}

/** The number of threads that one operator may use. */
export function getNumThreads(): number {
  return native().getNumThreads();
}

/**
 * Makes every allocation of more than so many bytes an error; `Infinity` takes the limit away. Without a limit, an
 * allocation is refused where the machine (or the container) does not have that much memory free.
 */
export function setAllocationLimit(bytes: number): void {
  if (!(bytes > 0))
    throw new TorchError(`setAllocationLimit: expected a number of bytes above 0, got ${String(bytes)}`);
  native().setAllocationLimit(bytes);
}

/**
 * Gives memory that freed tensors left back to the system. It is otherwise kept for the next step, which then need not ask
 * for it (on Linux; elsewhere this does nothing).
 */
export function emptyCache(): void {
  native().emptyCache();
}

/**
 * Whether operators of this package are computed in the fastest way known on the CPU (as they are from the start), or just as
 * libtorch computes theirs: `shallows::batch_norm` by loops of its own, and `shallows::linear` by oneDNN where MKL is slow.
 * Sums are formed in another order; with `false` a network trains bit for bit as in PyTorch, more slowly.
 *
 * @returns what was set before
 */
export function setFastKernels(value: boolean): boolean {
  return native().setFastKernels(value);
}

/** Versions and build settings of libtorch. */
export interface TorchVersion {
  readonly libtorch: string;
  /** How libtorch was built, many lines. */
  readonly config: string;
  /** Its thread pools, many lines. */
  readonly parallel: string;
}

/** Which libtorch is loaded. */
export function version(): TorchVersion {
  return native().version();
}

/** The devices that this libtorch can use: `cpu`, and `cuda:0` … where there are any. */
export function devices(): string[] {
  return native().devices();
}

/**
 * Whether operators must compute the same bits in every run on one machine: those that have a slower way to do so take it,
 * those that have none throw. Holds for the whole process.
 *
 * @returns what it was before
 * @see https://docs.pytorch.org/docs/stable/generated/torch.use_deterministic_algorithms.html
 */
export function setDeterministic(value: boolean): boolean {
  return native().setDeterministic(value);
}

/** The switches of libtorch that change what two equal runs compute. */
export function determinism(): Readonly<Record<string, boolean>> {
  return native().determinism();
}

/** The most bytes that tensors of a CUDA device took at once; 0 for other devices, where libtorch does not count them. */
export function peakMemory(device: Device): number {
  return attempt(() => native().peakMemory(device));
}
