import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ShallowsError } from '../errors.js';

/**
 * Replaces a file so that any reader, also one after a loss of power, finds the old or the new content and nothing
 * between: writes a temporary file beside it, syncs it, renames it, syncs the folder.
 *
 * @throws ShallowsError naming the file when it cannot be written (a full disk, a read-only folder); the old content is
 *   then untouched
 */
export async function writeAtomically(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    const file = await open(temporary, 'wx');
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ShallowsError(
      `writeAtomically: expected to write ${path}, got ${why} - check the disk and the folder's rights`,
      { cause },
    );
  }
  await syncFolder(dirname(path));
}

async function syncFolder(path: string): Promise<void> {
  // Windows cannot open folders; there the rename alone has to do.
  const folder = await open(path, 'r').catch(() => null);
  if (folder === null) return;
  try {
    await folder.sync().catch(() => undefined);
  } finally {
    await folder.close();
  }
}
