import { createGunzip } from 'node:zlib';
import { formatError } from '../read-file.js';

/** Whether bytes begin as a gzip file does. */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** How much of the unpacked bytes `lengthOf` is shown. */
const startBytes = 1024;

/**
 * Unpacks a gzip file, of which `lengthOf` tells from the first 1,024 unpacked bytes how long the whole must be: a few
 * kilobytes can stand for gigabytes, so unpacking stops soon after that length.
 *
 * @throws ShallowsError that names the file and the offset in the packed bytes where they break off or are damaged
 */
export function gunzip(
  fn: string,
  file: string,
  packed: Uint8Array,
  lengthOf: (start: Uint8Array) => number,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const stream = createGunzip();
    const pieces: Uint8Array[] = [];
    let length = 0;
    let limit = Number.NaN;
    const finish = (): void => {
      stream.destroy();
      resolve(Buffer.concat(pieces));
    };
    const fail = (error: unknown): void => {
      stream.destroy();
      reject(error);
    };
    stream.on('data', (piece: Uint8Array) => {
      pieces.push(piece);
      length += piece.length;
      try {
        if (Number.isNaN(limit) && length >= startBytes) limit = lengthOf(Buffer.concat(pieces));
      } catch (error) {
        fail(error);
      }
      if (length > limit) finish();
    });
    stream.on('end', finish);
    stream.on('error', (error) => {
      const offset = Math.min(stream.bytesWritten, packed.length);
      const got = error.message === 'unexpected end of file' ? 'the end of the file' : error.message;
      fail(formatError(fn, { file, offset, expected: 'intact gzip data', got }, error));
    });
    stream.end(packed);
  });
}
