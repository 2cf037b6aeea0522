import { ShallowsError, shown } from '../../errors.js';
import { keptCount } from '../plan/rows.js';
import type { Policy } from '../policy/policy.js';

/** The keep probabilities of the sites, and a weight: the share of the samples that has them. */
export interface Keeps {
  readonly weight: number;
  readonly keeps: readonly number[];
}

/**
 * @internal The keep probabilities of the samples of a batch. All samples have the same, but for rows that are neighbours: those
 * at either end of the batch are in fewer windows.
 */
export function keepsOf(
  rates: readonly number[],
  policy: Pick<Policy, 'rows' | 'count'>,
  rows: number | null,
): Keeps[] {
  const { rows: kind, count } = policy;
  if (kind === 'window') {
    const batch = requireRows(rows, 'rows that are neighbours');
    const half = Math.ceil(batch / 2);
    // Row r and row b − 1 − r are in as many windows.
    return Array.from({ length: half }, (_, row) => ({
      weight: (batch % 2 === 1 && row === half - 1 ? 1 : 2) / batch,
      keeps: rates.map((drop) => mixed(count, batch, drop, (kept) => inWindow(row, kept, batch))),
    }));
  }
  if (kind === 'random' && count === 'dinov2') {
    const batch = requireRows(rows, 'count dinov2');
    return [{ weight: 1, keeps: rates.map((drop) => (drop === 0 ? 1 : keptCount(count, batch, drop, 0) / batch)) }];
  }
  return [{ weight: 1, keeps: rates.map((drop) => 1 - drop) }];
}

/** The mean of a probability over the numbers of rows that may be kept. */
function mixed(count: Policy['count'], batch: number, drop: number, of: (kept: number) => number): number {
  if (drop === 0) return 1;
  const [more, fewer] = [keptCount(count, batch, drop, 0), keptCount(count, batch, drop, 1)];
  if (more === fewer) return of(fewer);
  const share = batch * (1 - drop) - fewer;
  return (1 - share) * of(fewer) + share * of(more);
}

/** Of the windows of k rows in b, all equally likely, those that hold row r. */
function inWindow(row: number, kept: number, batch: number): number {
  if (kept === 0) return 0;
  const first = Math.max(0, row - kept + 1);
  const last = Math.min(row, batch - kept);
  return (last - first + 1) / (batch - kept + 1);
}

function requireRows(rows: number | null, what: string): number {
  if (rows !== null && Number.isSafeInteger(rows) && rows > 0) return rows;
  throw new ShallowsError(
    `depthProfile: expected the rows of a batch for ${what}, got ${shown(rows)} - give rows: the batch size`,
  );
}
