import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { ShallowsError } from '../errors.js';
import { codeOf, lives, type ProcessIdentity, thisProcess } from '../files/index.js';

/** The right to write into a run folder, until it is disposed. */
export interface WriterLock extends Disposable {
  readonly path: string;
}

const ATTEMPTS = 20;
const BEAT_MS = 15_000;
/** A lock of another machine, or of another container, that was not touched for so long has lost its owner. */
const STALE_MS = 180_000;

/**
 * Takes the right to write into a run folder: a file that names its owner, made by one process alone and touched by it every 15
 * seconds.
 *
 * A lock whose process no longer lives on this machine is taken over at once; one of another machine or container, whose
 * processes cannot be seen from here, once it was not touched for three minutes.
 *
 * @throws ShallowsError naming the owner when another writer has it
 */
export function lockWriter(path: string): WriterLock {
  const owner: Owner = { ...thisProcess(), host: hostname() };
  const mine = JSON.stringify({ ...owner, nonce: randomBytes(8).toString('hex') });
  for (let attempt = 0; !create(path, mine); attempt++) {
    // The lock may vanish between the two looks; what never can be read is no lock.
    if (attempt === ATTEMPTS)
      throw new ShallowsError(`lockWriter: expected a lock file at ${path}, got what cannot be read - remove it`);
    const theirs = read(path);
    if (theirs === null) continue;
    const other = ownerOf(theirs);
    if (other !== null && isHeld(path, other)) {
      throw new ShallowsError(
        `lockWriter: expected a run folder that nobody writes to, got one that process ${String(other.pid)} on ${other.host} writes to - ` +
          `wait for its end, or delete ${path} if it has ended`,
      );
    }
    remove(path, theirs);
  }
  const beat = setInterval(() => touch(path, mine), BEAT_MS).unref();
  return {
    path,
    [Symbol.dispose]: () => {
      clearInterval(beat);
      remove(path, mine);
    },
  };
}

/** Whether a process that lives writes to the folder of this lock, as far as can be seen from here. */
export function isLocked(path: string): boolean {
  const content = read(path);
  const owner = content === null ? null : ownerOf(content);
  return owner !== null && isHeld(path, owner);
}

function isHeld(path: string, owner: Owner): boolean {
  const alive = lives(owner);
  return alive === 'unknown' ? Date.now() - touchedAt(path) < STALE_MS : alive;
}

function touchedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function touch(path: string, content: string): void {
  if (read(path) !== content) return;
  try {
    const now = new Date();
    utimesSync(path, now, now);
  } catch {
    // It went between the two looks, or the disk does not answer: the next beat tries again.
  }
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

interface Owner extends ProcessIdentity {
  readonly host: string;
}

/** Null for a lock that was torn by a crash: it names nobody. */
function ownerOf(content: string): Owner | null {
  try {
    const { pid, host, machine, started } = JSON.parse(content) as Partial<Owner>;
    if (typeof pid !== 'number' || pid <= 0 || typeof host !== 'string') return null;
    if (typeof machine !== 'string' || typeof started !== 'number') return null;
    return { pid, host, machine, started };
  } catch {
    return null;
  }
}
