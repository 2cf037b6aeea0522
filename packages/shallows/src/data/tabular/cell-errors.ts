import { didYouMean, ShallowsError, shown } from '../../errors.js';

/** The error of one cell: which row (from 1, without the header), which column, which file. */
export function cellError(
  fn: string,
  cell: { readonly file: string; readonly row: number; readonly column: string },
  expected: string,
  got: string,
  advice: string,
): ShallowsError {
  const { file, row, column } = cell;
  return new ShallowsError(
    `${fn}: expected ${expected} in row ${row + 1}, column ${shown(column)} of ${file}, got ${got} - ${advice}`,
  );
}

/** The error of a column that a file does not have. */
export function noSuchColumn(fn: string, file: string, name: string, columns: readonly string[]): ShallowsError {
  const near = didYouMean(name, columns);
  const listed = columns.slice(0, 20).join(', ') + (columns.length > 20 ? ', …' : '');
  const advice = near === '' ? `it has ${listed}` : near.slice(2);
  return new ShallowsError(`${fn}: expected a column ${shown(name)} in ${file}, got none - ${advice}`);
}

/** The error of a file that was changed between two looks at it. */
export function changedFile(fn: string, file: string, expected: string, got: string, cause?: unknown): ShallowsError {
  return new ShallowsError(
    `${fn}: expected ${expected} of ${file} as before, got ${got} - leave the file as it is during a run`,
    cause === undefined ? undefined : { cause },
  );
}
