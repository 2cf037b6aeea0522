import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { newestCheckpoint } from 'shallows/train';

/** What a finished run left. */
export interface Outcome {
  readonly batch: number;
  /** SHA-256 of the weights and buffers, and of every other tensor: optimizer, averages, sums. */
  readonly weights: string;
  readonly state: string;
  /** Every number of the state but times: by its place, such as `clock.batch`. */
  readonly numbers: ReadonlyMap<string, unknown>;
  /** What was told, line by line, each with how often. */
  readonly told: ReadonlyMap<string, number>;
}

/** Reads a run folder after the end of the run. */
export function outcomeOf(folder: string): Outcome {
  const { checkpoint } = newestCheckpoint(join(folder, 'checkpoints'));
  if (checkpoint === null) throw new Error(`no checkpoint in ${folder}`);
  const { progress, files } = checkpoint.manifest;
  const json: unknown = JSON.parse(readFileSync(join(checkpoint.path, 'state.json'), 'utf8'));
  return {
    batch: progress.batch,
    weights: files['model.safetensors'].sha256,
    state: files['state.safetensors'].sha256,
    numbers: new Map(timeless('', json)),
    told: linesOf(join(folder, 'told.log')),
  };
}

/** Each number and text by its place, without what a clock said. */
function timeless(place: string, value: unknown): [string, unknown][] {
  if (typeof value !== 'object' || value === null) return [[place, value]];
  return Object.entries(value).flatMap(([key, each]) => {
    const isTime = key === 'times' || key.endsWith('Ms');
    return isTime ? [] : timeless(place === '' ? key : `${place}.${key}`, each);
  });
}

/** The lines of a log, and how often each is there: batches after the checkpoint that a life goes on from are told again. */
function linesOf(path: string): ReadonlyMap<string, number> {
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  const counts = new Map<string, number>();
  for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1);
  return counts;
}

/** What of an outcome is not as it is in the unbroken run. */
export function differences(outcome: Outcome, unbroken: Outcome): string[] {
  const found: string[] = [];
  const compare = (what: string, expected: unknown, got: unknown): void => {
    if (expected !== got) found.push(`${what}: expected ${String(expected)}, got ${String(got)}`);
  };
  for (const part of ['batch', 'weights', 'state'] as const) compare(part, unbroken[part], outcome[part]);
  const places = new Set([...unbroken.numbers.keys(), ...outcome.numbers.keys()]);
  for (const place of places) compare(place, unbroken.numbers.get(place), outcome.numbers.get(place));
  for (const line of unbroken.told.keys()) if (!outcome.told.has(line)) found.push(`not told: ${line}`);
  for (const line of outcome.told.keys()) if (!unbroken.told.has(line)) found.push(`told otherwise: ${line}`);
  return found;
}
