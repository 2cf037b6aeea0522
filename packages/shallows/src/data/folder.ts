import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { ShallowsError, shown } from '../errors.js';
import { decoder, extensions } from './decode.js';
import { readBytes, unreadable } from './read-file.js';
import type { ImageTable } from './table.js';

const fn = 'readFolder';
const layout =
  'put the pictures of each class into a sub-folder with its name, below train/ and validation/ or directly';
/** Pictures read and decoded at a time; sharp decodes on the four threads of libuv's pool. */
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
 * and a picture validates where the first 48 bits of the SHA-256 of its file, as a fraction, lie below `validationShare`:
 * names and neighbours do not matter, and copies of a picture stay on one side.
 *
 * @returns pictures `[N, 3, size, size]`: turned upright, centre cropped to a square, transparency over white
 * @throws ShallowsError that names the folder that cannot be read or is empty, or the picture that cannot be decoded
 */
export async function readFolder(
  path: string,
  { size = 32, validationShare = 0.2 }: FolderOptions = {},
): Promise<FolderTables> {
  if (!(validationShare > 0 && validationShare < 1)) {
    throw new ShallowsError(
      `${fn}: expected a validationShare between 0 and 1, got ${shown(validationShare)} - 0.2 is usual`,
    );
  }
  const top = await subFolders(path);
  if (!top.includes('train')) return readShuffled(path, top, size, validationShare);
  const held = ['validation', 'val', 'test'].find((name) => top.includes(name));
  if (held === undefined) {
    throw new ShallowsError(
      `${fn}: expected validation/, val/ or test/ beside ${join(path, 'train')}, got none - ${layout}`,
    );
  }
  const classes = await subFolders(join(path, 'train'));
  const unknown = (await subFolders(join(path, held))).find((name) => !classes.includes(name));
  if (unknown !== undefined) {
    const folder = join(path, held, unknown);
    throw new ShallowsError(`${fn}: expected the classes of ${join(path, 'train')}, got ${folder} too - move it away`);
  }
  const train = await listPictures(join(path, 'train'), classes);
  const validation = await listPictures(join(path, held), classes, true);
  return {
    train: await decodeAll(train, size),
    validation: await decodeAll(validation, size),
    classes: normalised(classes),
  };
}

async function readShuffled(path: string, classes: string[], size: number, share: number): Promise<FolderTables> {
  const pictures = await listPictures(path, classes);
  const validates: boolean[] = [];
  const all = await decodeAll(pictures, size, (bytes, i) => {
    validates[i] = createHash('sha256').update(bytes).digest().readUIntBE(0, 6) / 2 ** 48 < share;
  });
  const rows = pictures.map((_, i) => i);
  const train = pickRows(
    all,
    rows.filter((i) => validates[i] !== true),
  );
  const validation = pickRows(
    all,
    rows.filter((i) => validates[i] === true),
  );
  const lonely = train.labels.length === 0 ? 'training' : validation.labels.length === 0 ? 'validation' : null;
  if (lonely !== null) {
    throw new ShallowsError(
      `${fn}: expected pictures on both sides of the split by content, got none for ${lonely} of ${pictures.length} in ${path} - ` +
        'add pictures, or split them into train/ and validation/',
    );
  }
  return { train, validation, classes: normalised(classes) };
}

// macOS gives names in decomposed Unicode: the composed form is the same on every platform.
function normalised(names: readonly string[]): string[] {
  return names.map((name) => name.normalize('NFC'));
}

function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

async function entriesOf(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => !name.startsWith('.')).sort(byCodeUnits);
  } catch (error) {
    throw unreadable(fn, folder, error, layout);
  }
}

async function subFolders(folder: string): Promise<string[]> {
  const folders: string[] = [];
  for (const name of await entriesOf(folder)) {
    try {
      if ((await stat(join(folder, name))).isDirectory()) folders.push(name);
    } catch (error) {
      throw unreadable(fn, join(folder, name), error, 'remove it or repair it');
    }
  }
  if (folders.length === 0) throw new ShallowsError(`${fn}: expected sub-folders in ${folder}, got none - ${layout}`);
  return folders;
}

interface Picture {
  readonly file: string;
  readonly label: number;
  readonly rank: string;
}

async function listPictures(folder: string, classes: readonly string[], mayLackClasses = false): Promise<Picture[]> {
  const pictures: Picture[] = [];
  const present = mayLackClasses ? await subFolders(folder) : classes;
  for (const name of present) {
    const files = (await entriesOf(join(folder, name))).filter((file) =>
      extensions.includes(extname(file).toLowerCase()),
    );
    if (files.length === 0) {
      const kinds = extensions.join(' ');
      throw new ShallowsError(
        `${fn}: expected pictures (${kinds}) in ${join(folder, name)}, got none - add some or remove the folder`,
      );
    }
    const label = classes.indexOf(name);
    for (const file of files) {
      const rank = createHash('sha256').update(`${name}/${file}`.normalize('NFC')).digest('hex');
      pictures.push({ file: join(folder, name, file), label, rank });
    }
  }
  return pictures.sort((a, b) => byCodeUnits(a.rank, b.rank));
}

async function decodeAll(
  pictures: readonly Picture[],
  size: number,
  look: (bytes: Uint8Array, row: number) => void = () => {},
): Promise<ImageTable> {
  const decode = await decoder(fn, size);
  const row = 3 * size * size;
  const pixels = new Uint8Array(pictures.length * row);
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < pictures.length; i = next++) {
      const { file } = pictures[i] as Picture;
      const bytes = await readBytes(fn, file, 'check its permissions');
      look(bytes, i);
      pixels.set(await decode(bytes, file), i * row);
    }
  };
  const outcomes = await Promise.allSettled(Array.from({ length: atATime }, worker));
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  return { pixels, labels: Int32Array.from(pictures, ({ label }) => label), shape: [3, size, size] };
}

function pickRows({ pixels, labels, shape }: ImageTable, rows: readonly number[]): ImageTable {
  const length = shape[0] * shape[1] * shape[2];
  const picked = new Uint8Array(rows.length * length);
  for (const [to, from] of rows.entries()) picked.set(pixels.subarray(from * length, (from + 1) * length), to * length);
  return { pixels: picked, labels: Int32Array.from(rows, (i) => labels[i] as number), shape };
}
