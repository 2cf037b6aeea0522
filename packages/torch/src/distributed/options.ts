import { TorchError } from '../errors.js';
import { suggest } from '../suggest.js';

/** What moves tensors between processes: `gloo` those on the CPU, `nccl` those on CUDA devices. */
export type Backend = 'gloo' | 'nccl';

/** How {@link initProcessGroup} finds the other processes. */
export interface ProcessGroupOptions {
  /** This process, from 0 to size − 1. */
  readonly rank: number;
  /** How many processes there are. */
  readonly size: number;
  /** Where rank 0 listens, as the other ranks reach it. */
  readonly master: { readonly host: string; readonly port: number };
  /** How long ranks wait for each other, at the start and in each operation, in milliseconds. */
  readonly timeoutMs?: number;
  readonly backend?: Backend;
  /** Whether the store at `master` is another process's, as torchrun's agent; else rank 0 makes it. */
  readonly storeOutside?: boolean;
  /** Tells apart jobs, and restarts of one, that share a store. */
  readonly prefix?: string;
}

/** All options, checked. Throws {@link TorchError} for the first that is wrong. */
export function checkedOptions(
  options: ProcessGroupOptions,
  available: readonly string[],
): Required<ProcessGroupOptions> {
  const {
    rank,
    size,
    master,
    timeoutMs = 600_000,
    backend = 'gloo',
    storeOutside = false,
    prefix = 'shallows',
  } = options;
  const whole = (name: string, value: unknown, least: number, most: number, advice: string): void => {
    if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return;
    throw new TorchError(
      `initProcessGroup: ${name}: expected a whole number from ${least} to ${most}, got ${text(value)} - ${advice}`,
    );
  };
  whole('size', size, 1, 100_000, 'give the number of processes');
  whole('rank', rank, 0, size - 1, 'number the processes from 0');
  if (typeof master?.host !== 'string' || master.host === '') {
    throw new TorchError(
      `initProcessGroup: master.host: expected a name or an address, got ${text(master?.host)} - give that of rank 0's machine`,
    );
  }
  whole('master.port', master.port, 1, 65_535, 'give one that is free on the machine of rank 0');
  whole('timeoutMs', timeoutMs, 100, 2 ** 31 - 1, 'give milliseconds');
  requireBackend('initProcessGroup', backend, available);
  if (typeof prefix !== 'string' || prefix === '') {
    throw new TorchError(`initProcessGroup: prefix: expected a name, got ${text(prefix)} - leave it out`);
  }
  return { rank, size, master, timeoutMs, backend, storeOutside, prefix };
}

/** @throws TorchError for a backend that this libtorch does not have */
export function requireBackend(fn: string, backend: Backend, available: readonly string[]): void {
  if (available.includes(backend)) return;
  throw new TorchError(
    `${fn}: backend: expected ${available.join(' or ')}, got ${text(backend)}${suggest(String(backend), [...available])} - nccl needs a libtorch with CUDA, and the headers of CUDA and NCCL beside it when the addon is built`,
  );
}

function text(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}
