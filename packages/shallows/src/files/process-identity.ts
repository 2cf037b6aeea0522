import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/**
 * Names one process for good: numbers of processes come again, after a restart of a container even the same one at once.
 * Plain data, safe in file names.
 */
export interface ProcessIdentity {
  /** 8 hexadecimal digits of the machine as processes see it: host name, boot, space of process numbers. */
  readonly machine: string;
  readonly pid: number;
  /** When it started, in the system's ticks since boot; 0 where the system does not say. */
  readonly started: number;
}

/** The identity of this process. */
export function thisProcess(): ProcessIdentity {
  return { machine: machine(), pid: process.pid, started: statusOf(process.pid)?.started ?? 0 };
}

/** Whether a process still runs. `unknown` for one of another machine: nothing here can tell. */
export function lives({ machine: where, pid, started }: ProcessIdentity): boolean | 'unknown' {
  if (where !== machine()) return 'unknown';
  try {
    process.kill(pid, 0);
  } catch (error) {
    // One of another user cannot be signalled, but is there.
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false;
  }
  const status = statusOf(pid);
  if (status === null) return true;
  return !status.ended && (started === 0 || status.started === started);
}

function machine(): string {
  const boot = attempt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'));
  const numbers = attempt(() => readlinkSync('/proc/self/ns/pid'));
  return createHash('sha256')
    .update(JSON.stringify([hostname(), boot, numbers]))
    .digest('hex')
    .slice(0, 8);
}

/** From Linux; null elsewhere. */
function statusOf(pid: number): { readonly started: number; readonly ended: boolean } | null {
  const text = attempt(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  if (text === null) return null;
  // The name in brackets may hold anything; the state is the third field, the start the twenty-second (proc(5)).
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { started: Number(fields[19]), ended: fields[0] === 'Z' || fields[0] === 'X' };
}

function attempt<T>(run: () => T): T | null {
  try {
    return run();
  } catch {
    return null;
  }
}
