import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

const NAMES = ['package-lock.json', 'npm-shrinkwrap.json', 'pnpm-lock.yaml', 'yarn.lock', 'bun.lock'];

/** The SHA-256 of the nearest lock file of a package manager, in a folder or above it; null where there is none. */
export async function lockfileDigest(folder: string): Promise<string | null> {
  for (const name of NAMES) {
    const content = await readFile(join(folder, name)).catch(() => null);
    if (content !== null) return createHash('sha256').update(content).digest('hex');
  }
  const parent = dirname(resolve(folder));
  return parent === resolve(folder) ? null : lockfileDigest(parent);
}
