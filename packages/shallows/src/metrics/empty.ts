import { ShallowsError } from '../errors.js';

/** @internal The sums themselves, whose element `at` counts what was measured. */
export function requireRows(name: string, sums: readonly number[], at: number): readonly number[] {
  if ((sums[at] ?? 0) > 0) return sums;
  throw new ShallowsError(`${name}: expected at least one row, got none - add a batch first`);
}
