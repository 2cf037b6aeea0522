import { ShallowsError } from '../errors.js';
import type { Key } from '../random/key.js';
import { RecordedCalls } from './call-counts.js';
import { callsSlot, type Pass, passSlot } from './pass.js';
import { spreadSlot } from './spread.js';

/**
 * A key for each row of the batch. Masks are then drawn row by row, each from the pass's key, the place, its count of calls
 * and the row's key alone: a row has the same masks whatever batch it comes in. Rows with one key have the same masks.
 *
 * Rows are those of the first dimension (of the second, for recurrent layers that have time first).
 */
export const rowKeysSlot = passSlot<readonly Key[]>('row keys');

/** A pass for some rows of the batch alone, with the keys of those; the same pass where rows have no keys. */
export function passOfRows(pass: Pass, rows: RowWindow | { readonly index: readonly number[] }): Pass {
  const keys = pass.get(rowKeysSlot);
  if (keys === undefined) return pass;
  const theirs =
    'index' in rows
      ? Array.from(rows.index, (row) => keys[row] as Key)
      : keys.slice(rows.start, rows.start + rows.length);
  return pass.with(rowKeysSlot, theirs).with(spreadSlot, { rows: theirs.length, passes: 1 });
}

/** Neighbouring rows of a batch. */
export interface RowWindow {
  readonly start: number;
  readonly length: number;
}

/**
 * Runs something for each group of neighbouring rows that have one key, each under a pass of its own rows, and once for all
 * where rows have no keys or only one. For what rows cannot have apart in one call, such as the weights of a layer.
 *
 * Every group counts the calls of places as if it were the only one, so what a row draws does not depend on the others.
 *
 * @param run is given `null` for all rows
 */
export function byRowKeys<T>(pass: Pass, run: (pass: Pass, rows: RowWindow | null) => T): readonly T[] {
  const groups = groupsOf(pass.get(rowKeysSlot) ?? []);
  if (groups.length < 2) return [run(pass, null)];
  const calls = pass.get(callsSlot);
  const recorded = calls === undefined ? undefined : new RecordedCalls(calls);
  return groups.map((rows, i) => {
    const own = passOfRows(pass, rows);
    return run(recorded === undefined ? own : own.with(callsSlot, i === 0 ? recorded : recorded.again()), rows);
  });
}

function groupsOf(keys: readonly Key[]): readonly RowWindow[] {
  const groups: { start: number; length: number }[] = [];
  for (const [row, { hi, lo }] of keys.entries()) {
    const last = groups.at(-1);
    const before = keys[row - 1];
    if (last !== undefined && before?.hi === hi && before.lo === lo) last.length++;
    else groups.push({ start: row, length: 1 });
  }
  return groups;
}

/**
 * The keys of the rows of a batch, or null where rows have none.
 *
 * @throws ShallowsError where there are not as many as rows
 */
export function requireRowKeys(fn: string, pass: Pass, rows: number | undefined): readonly Key[] | null {
  const keys = pass.get(rowKeysSlot);
  if (keys === undefined) return null;
  if (keys.length === rows) return keys;
  throw new ShallowsError(
    `${fn}: expected ${keys.length} rows, as the pass has keys for them, got ${rows ?? 'a tensor without rows'} - ` +
      'give a key for each row, or keep rows as a dimension of their own',
  );
}
