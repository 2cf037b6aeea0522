import { closeSync, mkdirSync, openSync, readFileSync, rmSync, statSync, utimesSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const heartbeatMs = 2_000;
/** A lock whose holder has not touched it for this long is nobody's, whatever its process number says. */
const staleMs = 30_000;

/** Runs `work` while no other process that asks for the same lock file does. */
export async function withLock<T>(path: string, log: (line: string) => void, work: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(path), { recursive: true });
  for (let told = false; !acquire(path); ) {
    if (breakStale(path)) continue;
    if (!told) log(`waiting for another set-up to end (${holder(path)})`);
    told = true;
    await sleep(100);
  }
  const heartbeat = setInterval(() => touch(path), heartbeatMs);
  try {
    return await work();
  } finally {
    clearInterval(heartbeat);
    rmSync(path, { force: true });
  }
}

function acquire(path: string): boolean {
  try {
    const file = openSync(path, 'wx');
    writeSync(file, `process ${process.pid} on ${hostname()}`);
    closeSync(file);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Removes the lock of a holder that is gone. A second lock keeps two that wait from removing each other's. */
function breakStale(path: string): boolean {
  if (!isStale(path)) return false;
  const guard = `${path}.breaking`;
  if (!acquire(guard)) {
    if (ageMs(guard) > staleMs) rmSync(guard, { force: true });
    return false;
  }
  try {
    if (isStale(path)) rmSync(path, { force: true });
  } finally {
    rmSync(guard, { force: true });
  }
  return true;
}

function isStale(path: string): boolean {
  const [, pid, host] = /^process (\d+) on (.+)$/.exec(holder(path)) ?? [];
  if (pid !== undefined && host === hostname() && !isAlive(Number(pid))) return true;
  return ageMs(path) > staleMs;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function holder(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function ageMs(path: string): number {
  try {
    return Date.now() - statSync(path).mtimeMs;
  } catch {
    return 0;
  }
}

function touch(path: string): void {
  try {
    const now = new Date();
    utimesSync(path, now, now);
  } catch {
    // Someone took the file away: the work goes on, and its results are put in place by renaming.
  }
}
