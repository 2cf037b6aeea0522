import { didYouMean, ShallowsError, shown } from '../../errors.js';
import { readBytes } from '../read-file.js';
import { type NumpyArray, parseNpy } from './npy.js';
import { zipEntries } from './zip.js';

const fn = 'readNpz';

/**
 * Reads arrays from an .npz file, as `numpy.savez` and `numpy.savez_compressed` write them.
 *
 * @param names the arrays to read; all unless given
 * @returns the arrays by name
 * @throws ShallowsError that names the file, and the array that is not there or the byte offset of what is wrong
 */
export async function readNpz(file: string, names?: readonly string[]): Promise<ReadonlyMap<string, NumpyArray>> {
  const entries = zipEntries(fn, file, await readBytes(fn, file, 'check the path'));
  const all = new Map(entries.map((entry) => [entry.name.replace(/\.npy$/, ''), entry]));
  const arrays = new Map<string, NumpyArray>();
  for (const name of names ?? all.keys()) {
    const entry = all.get(name);
    if (entry === undefined) {
      const known = [...all.keys()];
      const near = didYouMean(name, known);
      const advice = near === '' ? `it has ${known.join(', ')}` : near.slice(2);
      throw new ShallowsError(`${fn}: expected an array ${shown(name)} in ${file}, got none - ${advice}`);
    }
    arrays.set(name, parseNpy(entry.read(), `${file} (${entry.name})`));
  }
  return arrays;
}
