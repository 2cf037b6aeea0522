import { readFile } from 'node:fs/promises';
import { arch, availableParallelism, cpus, platform, release, totalmem, userInfo } from 'node:os';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { count, number } from './lossless-json.js';

/** The machine. */
export interface HostRecord {
  readonly platform: string;
  readonly arch: string;
  readonly cpu: string;
  /** Cores that this process may use. */
  readonly cores: number;
  /** Memory that this process may use: the machine's, or its container's limit. */
  readonly memoryBytes: number;
  /** Threads of libtorch within an operator. */
  readonly threads: number;
  readonly devices: readonly string[];
}

/** Schema of `HostRecord`. */
export const hostRecordShape = z.object({
  platform: z.string(),
  arch: z.string(),
  cpu: z.string(),
  cores: count,
  memoryBytes: number,
  threads: count,
  devices: z.array(z.string()),
});

/** Describes this machine. What only libtorch knows is given. */
export function hostRecord({
  threads,
  devices,
}: {
  readonly threads: number;
  readonly devices: readonly string[];
}): HostRecord {
  // Without a limit it answers 0 or a number beyond any memory.
  const limit = process.constrainedMemory();
  return {
    platform: `${platform()} ${release()}`,
    arch: arch(),
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: limit > 0 ? Math.min(limit, totalmem()) : totalmem(),
    threads,
    devices: [...devices],
  };
}

/** The name of the user whose process this is; null where the system has none for it. */
export function userName(): string | null {
  try {
    return userInfo().username;
  } catch {
    return null;
  }
}

/** The version of this package. */
export async function packageVersion(): Promise<string> {
  const { version } = JSON.parse(
    await readFile(fileURLToPath(new URL('../../package.json', import.meta.url)), 'utf8'),
  ) as {
    version: string;
  };
  return version;
}
