import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Origin } from './origin.js';

/** What a benchmark measured, and where. */
export interface Result {
  readonly name: string;
  readonly origin: Origin;
  readonly rows: readonly unknown[];
}

/** The folder of `bench/results`, from the built program; tests run the sources and say where it is. */
export const resultsFolder = fileURLToPath(new URL('../results', import.meta.url));

export function writeResult(folder: string, result: Result): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/${result.name}.json`, `${JSON.stringify(result, null, 2)}\n`);
}

/** The last result of a benchmark; null where there is none. */
export function readResult(folder: string, name: string): Result | null {
  const path = `${folder}/${name}.json`;
  if (!existsSync(path)) return null;
  const result: unknown = JSON.parse(readFileSync(path, 'utf8'));
  if (isResult(result) && result.name === name) return result;
  throw new Error(`bench: expected a result of ${name} in ${path}, got something else - run npm run bench -- ${name}`);
}

function isResult(value: unknown): value is Result {
  return (
    typeof value === 'object' &&
    value !== null &&
    'origin' in value &&
    'rows' in value &&
    Array.isArray(value.rows) &&
    'name' in value
  );
}
