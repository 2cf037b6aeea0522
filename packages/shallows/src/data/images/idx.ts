import { ShallowsError } from '../../errors.js';
import { formatError, readBytes } from '../read-file.js';
import type { ImageTable } from '../table.js';
import { gunzip, isGzip } from './gunzip.js';

const elementTypes: Readonly<Record<number, string>> = {
  8: 'uint8',
  9: 'int8',
  11: 'int16',
  12: 'int32',
  13: 'float32',
  14: 'float64',
};

const fn = 'readIdx';
const advice = 'check the path';

/** An array of bytes read from an IDX file. */
export interface IdxArray {
  readonly shape: readonly number[];
  /** Row-major order. */
  readonly values: Uint8Array;
}

/**
 * Reads an array of unsigned bytes from an IDX file, plain or gzip (told by its first bytes, not by its name).
 *
 * @throws ShallowsError that names the file and the byte offset of what is missing, cut off, or of another element type
 * @see http://yann.lecun.com/exdb/mnist/ "The IDX file format"
 */
export async function readIdx(file: string): Promise<IdxArray> {
  const bytes = await readBytes(fn, file, advice);
  if (!isGzip(bytes)) return parseIdx(bytes, file);
  const content = `${file} (unpacked)`;
  const unpacked = await gunzip(fn, file, bytes, (start) => {
    const { shape, start: at } = parseHeader(start, content);
    return at + product(shape);
  });
  return parseIdx(unpacked, content);
}

/** Reads a pair of IDX files: images `[N, H, W]` or `[N, C, H, W]`, and labels `[N]`. */
export async function readIdxTable(imagesFile: string, labelsFile: string): Promise<ImageTable> {
  const images = await readIdx(imagesFile);
  const [count = 0, ...rest] = images.shape;
  if (rest.length !== 2 && rest.length !== 3) {
    const got = `[${images.shape.join(', ')}]`;
    throw formatError(fn, { file: imagesFile, offset: 3, expected: 'images [N, H, W] or [N, C, H, W]', got, advice });
  }
  if (product(images.shape) === 0) {
    const got = `[${images.shape.join(', ')}]`;
    throw formatError(fn, { file: imagesFile, offset: 4, expected: 'at least one image', got, advice });
  }
  const labels = await readIdx(labelsFile);
  if (labels.shape.length !== 1) {
    const got = `[${labels.shape.join(', ')}]`;
    throw formatError(fn, { file: labelsFile, offset: 3, expected: 'labels [N]', got, advice });
  }
  if (labels.values.length !== count) {
    throw new ShallowsError(
      `${fn}: expected as many labels as images (${count} in ${imagesFile}), got ${labels.values.length} in ${labelsFile} - ` +
        'give two files that belong together',
    );
  }
  const [channels, height, width] = rest.length === 3 ? rest : [1, ...rest];
  return {
    pixels: images.values,
    labels: Int32Array.from(labels.values),
    shape: [channels as number, height as number, width as number],
  };
}

function product(sizes: readonly number[]): number {
  return sizes.reduce((all, size) => all * size, 1);
}

function parseIdx(bytes: Uint8Array, file: string): IdxArray {
  const { shape, start } = parseHeader(bytes, file);
  const expected = start + product(shape);
  if (bytes.length < expected) {
    throw formatError(fn, {
      file,
      offset: bytes.length,
      expected: `${expected} bytes for [${shape.join(', ')}], more`,
      got: 'the end of the file',
    });
  }
  if (bytes.length > expected) {
    throw formatError(fn, {
      file,
      offset: expected,
      expected: `the end of the array [${shape.join(', ')}]`,
      got: 'more bytes',
    });
  }
  return { shape, values: bytes.subarray(start) };
}

function parseHeader(bytes: Uint8Array, file: string): { shape: number[]; start: number } {
  const [zero, zeroToo, type, rank] = bytes;
  if (type === undefined || rank === undefined) {
    throw formatError(fn, {
      file,
      offset: bytes.length,
      expected: 'an IDX header of 4 bytes, more',
      got: 'the end of the file',
    });
  }
  if (zero !== 0 || zeroToo !== 0 || !(type in elementTypes)) {
    const got = [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    throw formatError(fn, { file, offset: 0, expected: 'the IDX magic number (00 00 08 and the rank)', got });
  }
  if (type !== 0x08) {
    const got = `${elementTypes[type]} (${type.toString(16).padStart(2, '0')})`;
    throw formatError(fn, {
      file,
      offset: 2,
      expected: 'the element type uint8 (08)',
      got,
      advice: 'convert the values to unsigned bytes',
    });
  }
  const start = 4 + 4 * rank;
  if (rank === 0 || bytes.length < start) {
    const got = rank === 0 ? 'rank 0' : 'the end of the file';
    throw formatError(fn, {
      file,
      offset: rank === 0 ? 3 : bytes.length,
      expected: `the sizes of ${rank || 'its'} dimensions`,
      got,
    });
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { shape: Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i)), start };
}
