import { closeSync, openSync, rmSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { Disk } from '../../files/index.js';
import { holdName, isLeftOver, nameHeldBy } from './temporary.js';

/**
 * Keeps a checkpoint from being deleted by a store, also one in another process, until it is disposed: by an empty file
 * beside it that says who reads what. Where that cannot be written, there is no hold, and a deletion shows as an error.
 */
export function holdCheckpoint(path: string): Disposable {
  const folder = resolve(path);
  const mark = join(dirname(folder), holdName(basename(folder)));
  try {
    closeSync(openSync(mark, 'wx'));
  } catch {
    return { [Symbol.dispose]: () => undefined };
  }
  return { [Symbol.dispose]: () => rmSync(mark, { force: true }) };
}

/** The names of the checkpoints that a living process reads. */
export function heldCheckpoints(disk: Disk, folder: string): string[] {
  return disk.names(folder).flatMap((mark) => {
    const name = nameHeldBy(mark);
    return name === null || isLeftOver(disk, folder, mark) ? [] : [name];
  });
}
