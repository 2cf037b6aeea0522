import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { TorchError } from '../errors.js';
import { findCommand } from './command.js';
import type { SetupContext } from './context.js';

const libraryFolders = [
  '/usr/lib',
  '/usr/lib64',
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
  '/usr/lib/wsl/lib',
];

/** Whether an NVIDIA driver is installed here. */
export function hasNvidiaDriver({ env, platform }: Pick<SetupContext, 'env' | 'platform'>): boolean {
  if (platform !== 'linux') return false;
  return (
    findCommand('nvidia-smi', env) !== undefined ||
    libraryFolders.some((folder) => existsSync(join(folder, 'libcuda.so.1')))
  );
}

/** The kind of build that `SHALLOWS_LIBTORCH` asks for, or nothing in particular. */
export function wantedBuild(context: Pick<SetupContext, 'env'>): 'cpu' | 'cuda' | undefined {
  const wish = wishOf(context);
  return wish === 'pip' ? undefined : wish;
}

/** Whether `SHALLOWS_LIBTORCH` asks for the pinned libtorch, whatever the machine has. */
export function wantsPinned(context: Pick<SetupContext, 'env'>): boolean {
  return wishOf(context) === 'pip';
}

function wishOf({ env }: Pick<SetupContext, 'env'>): 'cpu' | 'cuda' | 'pip' | undefined {
  const value = env.SHALLOWS_LIBTORCH;
  if (value === undefined || value === '') return undefined;
  if (value === 'cpu' || value === 'cuda' || value === 'pip') return value;
  throw new TorchError(
    `setup: expected SHALLOWS_LIBTORCH to be cpu, cuda or pip, got '${value}' - correct or unset it`,
  );
}
