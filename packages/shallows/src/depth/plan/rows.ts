import { uniform, uniforms } from '../../random/draws.js';
import { permutation, randint } from '../../random/integers.js';
import { deriveKey, type Key } from '../../random/key.js';
import type { Policy } from '../policy/policy.js';

/**
 * The rows of a batch that keep a branch: neighbours from `start`, or those listed in rising order. Frozen plain data.
 */
export type Rows =
  | { readonly of: number; readonly start: number; readonly length: number }
  | { readonly of: number; readonly index: readonly number[] };

/** How many rows are kept. */
export function keptRows(rows: Rows): number {
  return 'index' in rows ? rows.index.length : rows.length;
}

/** The kept rows as flags, `[of]`. */
export function rowFlags(rows: Rows): readonly boolean[] {
  const flags = new Array<boolean>(rows.of).fill(false);
  if ('index' in rows) for (const row of rows.index) flags[row] = true;
  else flags.fill(true, rows.start, rows.start + rows.length);
  return flags;
}

/**
 * The number of b rows that are kept at drop rate p, with q = 1 − p: `unbiased` ⌊b·q⌋ or one more, so that the mean is b·q
 * at every b and 0 is possible; `dinov2` max(⌊b·q⌋, 1), as that system counts, in the same floating point.
 */
export function keptCount(count: Policy['count'], rows: number, drop: number, luck: number): number {
  const wanted = rows * (1 - drop);
  const least = Math.floor(wanted);
  if (count === 'dinov2') return Math.min(rows, Math.max(least, 1));
  return luck < wanted - least ? least + 1 : least;
}

/** Draws the rows that keep a branch, under a key of the site and the step alone. */
export function drawRows({ rows: kind, count }: Policy, rows: number, drop: number, key: Key): Rows {
  if (kind === 'independent') return independentRows(uniforms(key, rows), drop);
  const kept = keptCount(count, rows, drop, uniform(key));
  const places = deriveKey(key, 'rows');
  if (kept === rows) return Object.freeze({ of: rows, start: 0, length: rows });
  if (kind === 'window') return Object.freeze({ of: rows, start: randint(places, rows - kept + 1), length: kept });
  const chosen = new Uint8Array(rows);
  for (const row of permutation(places, rows).subarray(0, kept)) chosen[row] = 1;
  const index: number[] = [];
  for (let row = 0; row < rows; row++) if (chosen[row] === 1) index.push(row);
  return Object.freeze({ of: rows, index: Object.freeze(index) });
}

/** Keeps each row whose draw is not below the drop rate. */
export function independentRows(draws: ArrayLike<number>, drop: number): Rows {
  const index: number[] = [];
  for (let row = 0; row < draws.length; row++) if ((draws[row] ?? 0) >= drop) index.push(row);
  return Object.freeze({ of: draws.length, index: Object.freeze(index) });
}
