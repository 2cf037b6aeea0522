import { fileURLToPath } from 'node:url';
import type { Command } from './interleave.js';

/** A program of `bench/ours`, built, with its arguments. */
export function ours(name: string, ...args: readonly (string | number)[]): Command {
  return [process.execPath, fileURLToPath(new URL(`ours/${name}.js`, import.meta.url)), ...args.map(String)];
}

/** A program of `bench/peers` with its arguments; null where there is no Python. */
export function peer(python: string | null, name: string, ...args: readonly (string | number)[]): Command | null {
  if (python === null) return null;
  return [python, fileURLToPath(new URL(`../peers/${name}.py`, import.meta.url)), ...args.map(String)];
}
