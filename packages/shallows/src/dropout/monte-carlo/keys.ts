import { ShallowsError, shown } from '../../errors.js';
import { deriveKey, type Key, rootKey } from '../../random/index.js';

/** Whose masks a pass of a Monte-Carlo prediction has. */
export interface MaskKeys {
  /** What every draw derives from. */
  readonly key: Key;
  /** The keys of the rows in pass t, `[rows]`. */
  rowsAt(t: number): readonly Key[];
}

/** Options of {@link maskKeys}. */
export interface MaskKeyOptions {
  readonly seed: number | bigint | Key;
  readonly rows: number;
  /** What each row is asked for, such as the id of a request; its number in the batch unless given. */
  readonly requests: readonly (string | number)[] | null;
  /** Whether all rows of a pass have the same masks. */
  readonly consistent: boolean;
}

/**
 * The keys of a prediction: those of row b in pass t are a function of (seed, request of b, t) alone, so a request has the
 * same masks whatever batch it comes in.
 *
 * @throws ShallowsError for a seed that is none, requests that are no strings or whole numbers, or other than one a row
 */
export function maskKeys({ seed, rows, requests, consistent }: MaskKeyOptions): MaskKeys {
  const key = deriveKey(typeof seed === 'object' ? seed : rootKey(seed), 'monte-carlo');
  if (consistent) {
    return { key, rowsAt: (t) => new Array<Key>(rows).fill(deriveKey(key, 'consistent', t)) };
  }
  if (requests !== null) requireRequests(requests, rows);
  const owners = Array.from({ length: rows }, (_, row) => deriveKey(key, 'request', requests?.[row] ?? row));
  return { key, rowsAt: (t) => owners.map((owner) => deriveKey(owner, t)) };
}

function requireRequests(requests: readonly (string | number)[], rows: number): void {
  if (requests.length !== rows) {
    throw new ShallowsError(
      `monteCarlo: expected a request for each of ${rows} rows, got ${requests.length} - name each row, such as 'id/3'`,
    );
  }
  for (const each of requests) {
    if (typeof each === 'string' || (Number.isSafeInteger(each) && each >= 0)) continue;
    throw new ShallowsError(
      `monteCarlo: expected requests that are strings or whole numbers from 0, got ${shown(each)} - give its id`,
    );
  }
}
