import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { z } from 'zod';
import { number } from './lossless-json.js';

/** A graphics processor as its driver names it. */
export interface GpuRecord {
  readonly name: string;
  readonly memoryBytes: number | null;
}

/** The graphics processors of a machine. */
export interface Gpus {
  readonly gpus: readonly GpuRecord[];
  /** Version of the driver; null where there is none. */
  readonly driver: string | null;
}

/** Schema of `GpuRecord`. */
export const gpuRecord: z.ZodType<GpuRecord> = z.object({ name: z.string(), memoryBytes: number.nullable() });

const LIMIT_MS = 5000;
const QUERY = ['--query-gpu=name,driver_version,memory.total', '--format=csv,noheader,nounits'];

/** Asks NVIDIA's driver what is there. Nothing where it has no tool or no answer within seconds; it never throws. */
export async function askForGpus({ command = 'nvidia-smi', limitMs = LIMIT_MS } = {}): Promise<Gpus> {
  try {
    const { stdout } = await promisify(execFile)(command, QUERY, { timeout: limitMs });
    return readGpus(stdout);
  } catch {
    return { gpus: [], driver: null };
  }
}

/** Reads lines such as `NVIDIA H100 80GB HBM3, 550.54.15, 81559`; memory is in MiB. */
export function readGpus(text: string): Gpus {
  const rows = text
    .split('\n')
    .map((line) => line.split(',').map((cell) => cell.trim()))
    .filter(([name = '']) => name !== '');
  const gpus = rows.map(([name = '', , memory = '']) => {
    const mebibytes = Number.parseFloat(memory);
    return { name, memoryBytes: Number.isFinite(mebibytes) ? mebibytes * 2 ** 20 : null };
  });
  return { gpus, driver: rows[0]?.[1] ?? null };
}
