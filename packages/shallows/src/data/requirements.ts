import { ShallowsError, shown } from '../errors.js';
import type { Limit } from './config.js';

/** @throws ShallowsError for a limit that is no whole number from 1 */
export function requireLimit(limit: Limit = {}): void {
  for (const name of ['train', 'validation'] as const) {
    const rows = limit[name];
    if (rows === undefined || (Number.isSafeInteger(rows) && rows >= 1)) continue;
    throw new ShallowsError(
      `loadData: expected a whole number from 1 as limit.${name}, got ${shown(rows)} - leave it out for all`,
    );
  }
}
