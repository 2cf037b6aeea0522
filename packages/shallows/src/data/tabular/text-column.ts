/** A column of texts, each of which a row names by its place. */
export interface TextColumn {
  /** A text may be there more than once. */
  readonly values: readonly string[];
  /** `[rows]`: which of the values; −1 where it is missing. */
  readonly codes: Int32Array;
}

/** The code of a text that is missing. */
export const missingText = -1;

/** The text of a row; null where it is missing. */
export function textAt(column: TextColumn | undefined, row: number): string | null {
  return column?.values[column.codes[row] ?? missingText] ?? null;
}
