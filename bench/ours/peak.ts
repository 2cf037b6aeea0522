import { readFileSync, writeFileSync } from 'node:fs';

const MEGABYTE = 1e6;

/** A field of `/proc/self/status` in megabytes of 10⁶ bytes; null where the system has none. */
function statusMB(field: string): number | null {
  let status: string;
  try {
    status = readFileSync('/proc/self/status', 'utf8');
  } catch {
    return null;
  }
  const found = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status);
  return found === null ? null : (Number(found[1]) * 1024) / MEGABYTE;
}

/** The most memory that this process had at once since it began, or since {@link forgetPeak}; in MB. */
export function peakMB(): number {
  return statusMB('VmHWM') ?? (process.resourceUsage().maxRSS * 1024) / MEGABYTE;
}

/** The memory that this process has, in MB. */
export function residentMB(): number {
  return statusMB('VmRSS') ?? process.memoryUsage.rss() / MEGABYTE;
}

/** Lets the peak begin anew. @throws Error where the system cannot (it is not Linux) */
export function forgetPeak(): void {
  writeFileSync('/proc/self/clear_refs', '5');
}
