import {
  closeSync,
  fsync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { promisify } from 'node:util';

/**
 * What a careful writer asks of a file system, call by call: so that a test can stop it between any two, fail any one, or
 * forget what was not synced. All calls but `startSync` block: they are for threads that may.
 */
export interface Disk {
  /** Makes a folder; one that is there is fine. */
  makeFolder(path: string): void;
  /** Opens a new file for writing; one that is there is an error. */
  create(path: string): number;
  /** Writes all of the bytes at the end. */
  write(file: number, bytes: Uint8Array): void;
  /** Returns once the file's content would survive a loss of power. */
  sync(file: number): void;
  /** The same while this thread goes on. */
  startSync(file: number): Promise<void>;
  close(file: number): void;
  /** Returns once the names in a folder would survive a loss of power. */
  syncFolder(path: string): void;
  /** Gives a file or folder another name at once. A folder that holds something is never replaced. */
  rename(from: string, to: string): void;
  /** Deletes a file or a folder with all in it; what is not there is fine. */
  remove(path: string): void;
  /** The names in a folder; none where there is no folder. */
  names(path: string): string[];
  /** When a file or folder last changed, in milliseconds since 1970; null where there is none. */
  changedAt(path: string): number | null;
}

/** The file system of this machine. */
export const localDisk: Disk = Object.freeze({
  makeFolder: (path: string) => {
    try {
      mkdirSync(path);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST' || !statSync(path).isDirectory()) throw error;
    }
  },
  create: (path: string) => openSync(path, 'wx'),
  write: (file: number, bytes: Uint8Array) => {
    let done = 0;
    while (done < bytes.length) done += writeSync(file, bytes, done);
  },
  sync: fsyncSync,
  startSync: promisify(fsync),
  close: closeSync,
  syncFolder: (path: string) => {
    let folder: number;
    try {
      folder = openSync(path, 'r');
    } catch (error) {
      // Windows cannot open folders; there the rename alone has to do.
      if (unable.has(codeOf(error))) return;
      throw error;
    }
    try {
      fsyncSync(folder);
    } catch (error) {
      if (!unable.has(codeOf(error))) throw error;
    } finally {
      closeSync(folder);
    }
  },
  rename: renameSync,
  remove: (path: string) => rmSync(path, { recursive: true, force: true, maxRetries: 2 }),
  names: (path: string) => {
    try {
      return readdirSync(path);
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes(codeOf(error))) return [];
      throw error;
    }
  },
  changedAt: (path: string) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? null,
});

// A file system that does not know how to sync folders says one of these.
const unable = new Set(['EISDIR', 'EINVAL', 'EPERM', 'ENOTSUP', 'EACCES']);

/** The system's code of an error, such as `ENOSPC`; empty where it has none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
