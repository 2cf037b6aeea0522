import { createHash } from 'node:crypto';
import { ShallowsError, shown } from '../errors.js';
import { type Key, keyToHex } from '../random/key.js';

/** Rows on either side of a split, ascending. */
export interface Split {
  readonly train: Uint32Array;
  readonly validation: Uint32Array;
}

/**
 * Splits rows by their content: a row validates where the first 48 bits of the SHA-256 of the key and its bytes, as a
 * fraction, lie below `share`. Neither order nor neighbours matter, more rows move none of the others, and copies of a row
 * stay on one side.
 *
 * @param rows the bytes of each row
 * @param share of the rows that validate, about; in (0, 1)
 * @param key for another split; left out, the content alone decides
 * @throws ShallowsError for a share out of range, or where one side would be empty
 */
export function splitByHash(rows: Iterable<Uint8Array>, share: number, key: Key | null = null): Split {
  const validates = hashSide(share, key);
  const train: number[] = [];
  const validation: number[] = [];
  let row = 0;
  for (const bytes of rows) (validates(bytes) ? validation : train).push(row++);
  requireBothSides('splitByHash', { train: train.length, validation: validation.length }, 'the rows given');
  return { train: Uint32Array.from(train), validation: Uint32Array.from(validation) };
}

/** Whether a row of these bytes validates: the rule of {@link splitByHash}. */
export function hashSide(share: number, key: Key | null = null): (bytes: Uint8Array) => boolean {
  if (!(share > 0 && share < 1)) {
    throw new ShallowsError(
      `splitByHash: expected a share of rows between 0 and 1 that validates, got ${shown(share)} - 0.2 is usual`,
    );
  }
  const prefix = key === null ? '' : keyToHex(key);
  return (bytes) => {
    const hash = createHash('sha256');
    if (prefix !== '') hash.update(prefix);
    return hash.update(bytes).digest().readUIntBE(0, 6) / 2 ** 48 < share;
  };
}

/** @throws ShallowsError where a split left a side without rows */
export function requireBothSides(
  fn: string,
  { train, validation }: { readonly train: number; readonly validation: number },
  where: string,
): void {
  const lonely = train === 0 ? 'training' : validation === 0 ? 'validation' : null;
  if (lonely === null) return;
  throw new ShallowsError(
    `${fn}: expected rows on both sides of the split by content, got none for ${lonely} of ${train + validation} in ${where} - ` +
      'add rows, or give what validates by itself',
  );
}
