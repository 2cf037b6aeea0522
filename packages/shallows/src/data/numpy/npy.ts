import { ShallowsError } from '../../errors.js';
import { formatError, readBytes } from '../read-file.js';
import { layouts, type NumpyDType, type NumpyValues } from './dtypes.js';

const fn = 'readNpy';
const product = (sizes: readonly number[]): number => sizes.reduce((all, size) => all * size, 1);

/** An array read from a NumPy file. */
export interface NumpyArray {
  readonly dtype: NumpyDType;
  readonly shape: readonly number[];
  /**
   * Row-major order, whatever the file has. float16 as float32; bool as 0 and 1; complex numbers as pairs, real part first;
   * 64-bit integers as bigints.
   */
  readonly values: NumpyValues;
}

/**
 * Reads an array from an .npy file: versions 1 to 3, every numeric type, either byte order, C and Fortran order.
 *
 * @throws ShallowsError that names the file and the byte offset of what is wrong, or the type where it is not of numbers
 * @see https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
export async function readNpy(file: string): Promise<NumpyArray> {
  return parseNpy(await readBytes(fn, file, 'check the path'), file);
}

/** @internal The array in the bytes of an .npy file. */
export function parseNpy(bytes: Uint8Array, file: string): NumpyArray {
  const { descr, fortran, shape, start } = parseHeader(bytes, file);
  const layout = layouts[descr.slice(1)];
  if (layout === undefined || !/^[<>|=]/.test(descr)) {
    const advice = /O/.test(descr) ? 'it holds pickled objects, which are never run: ' : '';
    throw new ShallowsError(
      `${fn}: expected a numeric type in ${file}, got ${descr} - ${advice}save it as an array of numbers`,
    );
  }
  const count = product(shape);
  const end = start + count * layout.size;
  if (bytes.length !== end) {
    const [expected, got] =
      bytes.length < end
        ? [`${end} bytes for ${layout.name} [${shape.join(', ')}], more`, 'the end of the file']
        : [`the end of the array [${shape.join(', ')}]`, 'more bytes'];
    throw formatError(fn, { file, offset: Math.min(bytes.length, end), expected, got });
  }
  // A copy of its own, which begins at a multiple of 8: `slice` of a Buffer would be a view.
  const body = new Uint8Array(end - start);
  body.set(bytes.subarray(start, end));
  if (descr.startsWith('>')) swapBytes(body, layout.word);
  const rows = fortran && shape.length > 1 ? fromFortran(body, shape, layout.size) : body;
  return { dtype: layout.name, shape, values: layout.read(rows.buffer) };
}

interface Header {
  readonly descr: string;
  readonly fortran: boolean;
  readonly shape: readonly number[];
  /** First byte of the data. */
  readonly start: number;
}

function parseHeader(bytes: Uint8Array, file: string): Header {
  const magic = String.fromCharCode(...bytes.subarray(0, 6));
  const major = bytes[6] ?? 0;
  if (magic !== '\x93NUMPY')
    throw formatError(fn, { file, offset: 0, expected: 'the magic string \\x93NUMPY', got: 'other bytes' });
  if (major < 1 || major > 3)
    throw formatError(fn, { file, offset: 6, expected: 'version 1, 2 or 3', got: `version ${major}` });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const first = major === 1 ? 10 : 12;
  const cut = (): ShallowsError =>
    formatError(fn, { file, offset: bytes.length, expected: 'a whole header, more', got: 'the end of the file' });
  if (bytes.length < first) throw cut();
  const start = first + (major === 1 ? view.getUint16(8, true) : view.getUint32(8, true));
  if (bytes.length < start) throw cut();
  const text = new TextDecoder(major === 3 ? 'utf-8' : 'latin1').decode(bytes.subarray(first, start));
  const descr = /['"]descr['"]\s*:\s*(?:'([^']*)'|"([^"]*)"|(\[.*\]))\s*,/s.exec(text);
  const order = /['"]fortran_order['"]\s*:\s*(True|False)/.exec(text)?.[1];
  // Python 2 wrote its long integers with an L.
  const sizes = /['"]shape['"]\s*:\s*\(([\d\s,L]*)\)/.exec(text)?.[1];
  if (descr === null || order === undefined || sizes === undefined) {
    const expected = 'a header with descr, fortran_order and shape';
    throw formatError(fn, { file, offset: first, expected, got: JSON.stringify(text.slice(0, 80)) });
  }
  const shape = sizes.split(',').flatMap((size) => (size.trim() === '' ? [] : [Number.parseInt(size, 10)]));
  return { descr: descr[1] ?? descr[2] ?? 'a structured type', fortran: order === 'True', shape, start };
}

function swapBytes(bytes: Uint8Array, word: number): void {
  for (let at = 0; at + word <= bytes.length; at += word) bytes.subarray(at, at + word).reverse();
}

/** Elements whose first index changes fastest, put into an order in which the last one does. */
function fromFortran(bytes: Uint8Array<ArrayBuffer>, shape: readonly number[], size: number): Uint8Array<ArrayBuffer> {
  const strides: number[] = [];
  let stride = size;
  for (const length of shape) {
    strides.push(stride);
    stride *= length;
  }
  const result = new Uint8Array(bytes.length);
  const index = shape.map(() => 0);
  let from = 0;
  for (let to = 0; to < bytes.length; to += size) {
    for (let b = 0; b < size; b++) result[to + b] = bytes[from + b] ?? 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const [length, step] = [shape[axis] ?? 0, strides[axis] ?? 0];
      index[axis] = (index[axis] ?? 0) + 1;
      from += step;
      if (index[axis] !== length) break;
      from -= length * step;
      index[axis] = 0;
    }
  }
  return result;
}
