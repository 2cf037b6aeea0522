import { ShallowsError, shown } from '../errors.js';
import { callsSlot, type Pass } from '../nn/pass.js';
import { requireRowKeys } from '../nn/row-keys.js';
import { randomPlaceSlot } from '../nn/spread.js';
import { deriveKey, type Key } from '../random/key.js';

/** Where the random numbers of one call of one place come from. */
export interface Draws {
  /** A function of the pass's key, the place and its count of calls. */
  readonly key: Key;
  /** One for each row where the pass has keys for rows: functions of {@link key} and the row's key. */
  readonly rowKeys: readonly Key[] | null;
}

/**
 * The draws of the next call of a place. Nothing else of the pass, its rows or the device goes into them, so they do not
 * depend on the order in which places are called, and are the same on every recomputation.
 *
 * @param rows the size of the batch dimension of what is dropped
 * @throws ShallowsError for a place without a name, a pass without a key, or row keys that are not one for each row
 */
export function nextDraws(fn: string, pass: Pass, name: string, rows: number | undefined): Draws {
  const key = nextKey(fn, pass, name);
  const rowKeys = requireRowKeys(fn, pass, rows)?.map(({ hi, lo }) => deriveKey(key, hi, lo)) ?? null;
  return { key, rowKeys };
}

/** The key of the next call of a place, for draws that rows have in common. */
export function nextKey(fn: string, pass: Pass, name: string): Key {
  if (typeof name !== 'string' || name === '') {
    throw new ShallowsError(
      `${fn}: expected the name of the place that drops, got ${shown(name)} - call nameDropouts(model), or give { name }`,
    );
  }
  if (pass.key === null) {
    throw new ShallowsError(
      `${fn}: expected a pass with a key at '${name}', got one without - write trainingPass({ key }), or drop at rate 0`,
    );
  }
  pass.get(randomPlaceSlot)?.(name);
  return deriveKey(pass.key, 'dropout', name, pass.get(callsSlot)?.next(name) ?? 0);
}
