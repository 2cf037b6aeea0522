import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { ShallowsError } from '../../errors.js';
import { unreadable } from '../read-file.js';
import { extensions } from './decode.js';

const fn = 'readFolder';
const layout =
  'put the pictures of each class into a sub-folder with its name, below train/ and validation/ or directly';

/** A picture file and its class. */
export interface Picture {
  readonly file: string;
  /** Number of its class. */
  readonly label: number;
  /** What pictures are sorted by. */
  readonly rank: string;
}

/** The pictures of a folder. */
export interface PictureLists {
  readonly train: readonly Picture[];
  /** Null where the folder has no `train/`: the pictures are split by their content. */
  readonly validation: readonly Picture[] | null;
  readonly classes: readonly string[];
}

/** Lists the pictures of a folder with one sub-folder a class, in the order of the SHA-256 of `class/file`. */
export async function listPictures(path: string): Promise<PictureLists> {
  const top = await subFolders(path);
  if (!top.includes('train')) return { train: await picturesOf(path, top), validation: null, classes: composed(top) };
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
  return {
    train: await picturesOf(join(path, 'train'), classes),
    validation: await picturesOf(join(path, held), classes, true),
    classes: composed(classes),
  };
}

// macOS gives names in decomposed Unicode: the composed form is the same on every platform.
function composed(names: readonly string[]): string[] {
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

async function picturesOf(folder: string, classes: readonly string[], mayLackClasses = false): Promise<Picture[]> {
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
