import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type Disk, lives, type ProcessIdentity, thisProcess } from '../../files/index.js';

/** How long what belongs to a process that cannot be asked, on another machine, must have been left alone. */
const abandonedAfterMs = 60 * 60 * 1000;

/** A name for a folder that is being made or deleted. It says whose it is, so that others can tell when it is left over. */
export function temporaryName(purpose: 'saving' | 'removing'): string {
  return ownName(purpose);
}

/** The name of a file that says that this process reads a checkpoint. */
export function holdName(checkpoint: string): string {
  return `${ownName('reading')}.${checkpoint}`;
}

/** The checkpoint that a file of {@link holdName} speaks of; null for other names. */
export function nameHeldBy(mark: string): string | null {
  const { purpose, rest } = parsed(mark) ?? {};
  return purpose === 'reading' && rest !== undefined ? rest : null;
}

function ownName(purpose: string): string {
  const { machine, pid, started } = thisProcess();
  return `.${purpose}.${machine}.${pid}.${started}.${randomBytes(6).toString('hex')}`;
}

const pattern = /^\.(saving|removing|reading)\.([0-9a-f]{8})\.(\d+)\.(\d+)\.[0-9a-f]{12}(?:\.(.+))?$/;

function parsed(name: string): { purpose: string; owner: ProcessIdentity; rest: string | undefined } | null {
  const [, purpose, machine, pid, started, rest] = pattern.exec(name) ?? [];
  if (purpose === undefined || machine === undefined) return null;
  return { purpose, owner: { machine, pid: Number(pid), started: Number(started) }, rest };
}

/**
 * Whether a name in a folder of checkpoints is a temporary one of a process that has ended. What a living process is at,
 * and what another machine touched within the hour, is not.
 */
export function isLeftOver(disk: Disk, folder: string, name: string, now = Date.now()): boolean {
  const owner = parsed(name)?.owner;
  if (owner === undefined) return false;
  const living = lives(owner);
  return living === 'unknown' ? isAbandoned(disk, join(folder, name), now) : !living;
}

/** Deletes what processes that ended in the middle left in a folder of checkpoints, and returns the names. */
export function removeLeftovers(disk: Disk, folder: string): string[] {
  const left = disk.names(folder).filter((name) => isLeftOver(disk, folder, name));
  for (const name of left) disk.remove(join(folder, name));
  return left;
}

function isAbandoned(disk: Disk, path: string, now: number): boolean {
  const inside = disk.names(path).map((name) => join(path, name));
  const changes = [path, ...inside].map((each) => disk.changedAt(each) ?? now);
  return now - Math.max(...changes) > abandonedAfterMs;
}
