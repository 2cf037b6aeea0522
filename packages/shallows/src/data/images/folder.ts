import { ShallowsError, shown } from '../../errors.js';
import { readBytes } from '../read-file.js';
import { hashSide, requireBothSides } from '../split.js';
import type { ImageTable } from '../table.js';
import { decode } from './decode.js';
import { inParallel } from './in-parallel.js';
import { listPictures, type Picture } from './picture-list.js';
import { toSquare } from './square.js';

const fn = 'readFolder';
/** Pictures read and decoded at a time, on the four threads of libuv's pool. */
const atATime = 8;

/** Options of {@link readFolder}. */
export interface FolderOptions {
  /** Height and width in pixels that each picture is brought to. */
  readonly size?: number;
  /** Where there is no folder `train`: the share of the pictures that validate, in (0, 1). */
  readonly validationShare?: number;
}

/** Training and validation rows of a folder of pictures, with its class names. */
export interface FolderTables {
  readonly train: ImageTable;
  readonly validation: ImageTable;
  readonly classes: readonly string[];
}

/**
 * Reads a folder of pictures with one sub-folder a class. Classes are in code-unit order of their names; rows in the order
 * of the SHA-256 of `class/file`, which mixes the classes, so that the first N rows are a fair sample.
 *
 * Below `train/` and `validation/` (or `val/`, or `test/`) where there is a `train/`. Else the sub-folders are the classes
 * and a picture validates as `splitByHash` has it, by the bytes of its file: names and neighbours do not matter, and copies
 * of a picture stay on one side.
 *
 * @returns pictures `[N, 3, size, size]`: turned upright, transparency over white, resized (bilinear, antialiased) and
 *   cropped at the centre
 * @throws ShallowsError that names the folder that cannot be read or is empty, or the picture that cannot be decoded
 */
export async function readFolder(
  path: string,
  { size = 32, validationShare = 0.2 }: FolderOptions = {},
): Promise<FolderTables> {
  requireShare(validationShare);
  const { train, validation, classes } = await listPictures(path);
  if (validation !== null)
    return { train: await decodeAll(train, size), validation: await decodeAll(validation, size), classes };
  const side = hashSide(validationShare);
  const validates: boolean[] = [];
  const all = await decodeAll(train, size, (bytes, i) => {
    validates[i] = side(bytes);
  });
  const rows = train.map((_, i) => i);
  const tables = {
    train: pickRows(
      all,
      rows.filter((i) => validates[i] !== true),
    ),
    validation: pickRows(
      all,
      rows.filter((i) => validates[i] === true),
    ),
  };
  requireBothSides(fn, { train: tables.train.labels.length, validation: tables.validation.labels.length }, path);
  return { ...tables, classes };
}

/** @throws ShallowsError for a share that is not between 0 and 1 */
export function requireShare(validationShare: number): void {
  if (validationShare > 0 && validationShare < 1) return;
  throw new ShallowsError(
    `${fn}: expected a validationShare between 0 and 1, got ${shown(validationShare)} - 0.2 is usual`,
  );
}

async function decodeAll(
  pictures: readonly Picture[],
  size: number,
  look: (bytes: Uint8Array, row: number) => void = () => {},
): Promise<ImageTable> {
  const row = 3 * size * size;
  const pixels = new Uint8Array(pictures.length * row);
  await inParallel(pictures, atATime, async ({ file }, i) => {
    const bytes = await readBytes(fn, file, 'check its permissions');
    look(bytes, i);
    using picture = await decode(fn, bytes, file, size);
    pixels.set(toSquare(picture, size), i * row);
  });
  return { pixels, labels: Int32Array.from(pictures, ({ label }) => label), shape: [3, size, size] };
}

function pickRows({ pixels, labels, shape }: ImageTable, rows: readonly number[]): ImageTable {
  const length = shape[0] * shape[1] * shape[2];
  const picked = new Uint8Array(rows.length * length);
  for (const [to, from] of rows.entries()) picked.set(pixels.subarray(from * length, (from + 1) * length), to * length);
  return { pixels: picked, labels: Int32Array.from(rows, (i) => labels[i] as number), shape };
}
