import { writeFile } from 'node:fs/promises';
import { ShallowsError } from '../../errors.js';
import { unreadable } from '../read-file.js';
import { layouts, type NumpyDType, type NumpyValues } from './dtypes.js';

const fn = 'writeNpy';

/** An array to write. */
export interface NumpySource {
  /** Row-major; complex numbers as pairs. */
  readonly values: NumpyValues;
  readonly shape: readonly number[];
  /** Where the typed array does not say: `bool` in a Uint8Array, `complex64` and `complex128` in float arrays. */
  readonly dtype?: NumpyDType;
}

/** Writes an .npy file of version 1, little-endian, in C order. @throws ShallowsError for a shape or type that does not fit the values */
export async function writeNpy(file: string, source: NumpySource): Promise<void> {
  const bytes = npyBytes(source);
  try {
    await writeFile(file, bytes);
  } catch (error) {
    const { message } = unreadable(fn, file, error, 'check the path and the space on its disk');
    throw new ShallowsError(message.replace('expected to read', 'expected to write'), { cause: error });
  }
}

/** The bytes of such a file. */
export function npyBytes({ values, shape, dtype = dtypeOf(values) }: NumpySource): Uint8Array {
  const found = Object.entries(layouts).find(([, { name }]) => name === dtype);
  const [code, layout] = found ?? ['', undefined];
  const count = shape.reduce((all, size) => all * size, 1);
  if (layout === undefined || layout.size !== values.BYTES_PER_ELEMENT * layout.entries || wrongArray(dtype, values))
    throw new ShallowsError(`${fn}: expected values of ${dtype}, got a ${values.constructor.name} - convert them`);
  if (values.length !== count * layout.entries || !shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
    const got = `${values.length / layout.entries} for the shape [${shape.join(', ')}]`;
    throw new ShallowsError(`${fn}: expected ${count} elements, got ${got} - give the shape of the values`);
  }
  const order = layout.word === 1 ? '|' : '<';
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const dict = `{'descr': '${order}${code}', 'fortran_order': False, 'shape': (${sizes}), }`;
  // Magic, version and length take 10 bytes; the data begin at a multiple of 64, after a line end.
  const start = 64 * Math.ceil((10 + dict.length + 1) / 64);
  const head = Buffer.alloc(start, ' ');
  head.write('\x93NUMPY\x01\x00', 'latin1');
  head.writeUInt16LE(start - 10, 8);
  head.write(dict, 10, 'latin1');
  head.write('\n', start - 1, 'latin1');
  return Buffer.concat([head, new Uint8Array(values.buffer, values.byteOffset, values.byteLength)]);
}

function dtypeOf(values: NumpyValues): NumpyDType {
  const name = values.constructor.name
    .replace(/^Big/, '')
    .replace(/Array$/, '')
    .toLowerCase();
  const found = Object.values(layouts).find((layout) => layout.name === name);
  if (found !== undefined) return found.name;
  throw new ShallowsError(`${fn}: expected a typed array of numbers, got a ${values.constructor.name} - convert it`);
}

function wrongArray(dtype: NumpyDType, values: NumpyValues): boolean {
  const holds =
    dtype === 'bool' ? 'uint8' : dtype === 'complex64' ? 'float32' : dtype === 'complex128' ? 'float64' : dtype;
  return dtypeOf(values) !== holds;
}
