import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { ShallowsError } from '../errors.js';

/** The right to write into a run folder, until it is disposed. */
export interface WriterLock extends Disposable {
  readonly path: string;
}

const ATTEMPTS = 20;

/**
 * Takes the right to write into a run folder: a file that names its owner, made by one process alone.
 *
 * A lock whose process no longer lives on this machine is taken over. One of another machine is respected, because
 * nothing here can tell whether its owner lives.
 *
 * @throws ShallowsError naming the owner when another writer has it
 */
export function lockWriter(path: string): WriterLock {
  const mine = JSON.stringify({ pid: process.pid, host: hostname(), nonce: randomBytes(8).toString('hex') });
  for (let attempt = 0; !create(path, mine); attempt++) {
    // The lock may vanish between the two looks; what never can be read is no lock.
    if (attempt === ATTEMPTS)
      throw new ShallowsError(`lockWriter: expected a lock file at ${path}, got what cannot be read - remove it`);
    const theirs = read(path);
    if (theirs === null) continue;
    const owner = ownerOf(theirs);
    if (lives(owner)) {
      throw new ShallowsError(
        `lockWriter: expected a run folder that nobody writes to, got one that process ${String(owner.pid)} on ${owner.host} writes to - ` +
          `wait for its end, or delete ${path} if it has ended`,
      );
    }
    remove(path, theirs);
  }
  return { path, [Symbol.dispose]: () => remove(path, mine) };
}

/** True when this call made the file, with its content at once: a link appears whole or fails. */
function create(path: string, content: string): boolean {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  writeFileSync(temporary, content, { flag: 'wx' });
  try {
    linkSync(temporary, path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    // File systems without hard links: the content follows the file a moment later.
    return createWithoutLink(path, content);
  } finally {
    rmSync(temporary, { force: true });
  }
}

function createWithoutLink(path: string, content: string): boolean {
  try {
    writeFileSync(path, content, { flag: 'wx' });
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Deletes the lock if it still is the one that was read: moved aside first, so that a newer lock is never deleted. */
function remove(path: string, content: string): void {
  if (read(path) !== content) return;
  const aside = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  if (read(aside) !== content) create(path, read(aside) ?? '');
  rmSync(aside, { force: true });
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

interface Owner {
  readonly pid: number;
  readonly host: string;
}

function ownerOf(content: string): Owner {
  try {
    const { pid, host } = JSON.parse(content) as Partial<Owner>;
    if (typeof pid === 'number' && typeof host === 'string') return { pid, host };
  } catch {
    // A lock that was torn by a crash names nobody.
  }
  return { pid: 0, host: hostname() };
}

function lives({ pid, host }: Owner): boolean {
  if (host !== hostname()) return true;
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
