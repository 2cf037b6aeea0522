import { type FileHandle, open } from 'node:fs/promises';
import { type FileMetaData, parquetMetadata } from 'hyparquet';
import { ShallowsError } from '../../errors.js';
import { unreadable } from '../read-file.js';

const fn = 'readParquet';

/** Bytes read at a time: Node refuses 2 GiB at once. */
const piece = 1 << 30;

/** An open file. It may be closed while a part is read that nobody awaits. */
export interface OpenParquet {
  readonly size: number;
  /**
   * The bytes from `start` until before `end`, in `buffer` where that is large enough.
   * @throws Error, before anything is read or allocated, if they are not in the file
   */
  part(start: number, end: number, buffer?: ArrayBuffer): Promise<Uint8Array<ArrayBuffer>>;
}

/** Opens a file for as long as it is needed, and tells what goes wrong with its name. */
export async function inParquet<T>(path: string, use: (file: OpenParquet) => Promise<T>): Promise<T> {
  let handle: FileHandle | null = null;
  try {
    handle = await open(path).catch((error: unknown) => {
      throw unreadable(fn, path, error, 'check the path');
    });
    return await use(await opened(handle, path));
  } catch (error) {
    throw error instanceof ShallowsError ? error : unparseable(path, error);
  } finally {
    await handle?.close();
  }
}

async function opened(handle: FileHandle, path: string): Promise<OpenParquet> {
  const { size } = await handle.stat();
  return {
    size,
    async part(start, end, buffer) {
      if (![start, end].every(Number.isSafeInteger) || start < 0 || end < start || end > size)
        throw new Error(`a part from byte ${start} to ${end}, of ${size} bytes`);
      const length = end - start;
      const isFit = buffer !== undefined && buffer.byteLength >= length;
      const bytes = new Uint8Array(isFit ? buffer : (Buffer.allocUnsafeSlow(length).buffer as ArrayBuffer), 0, length);
      for (let at = 0; at < bytes.length; ) {
        const wanted = Math.min(piece, bytes.length - at);
        const { bytesRead } = await handle.read(bytes, at, wanted, start + at).catch((error: unknown) => {
          throw unreadable(fn, path, error, 'check the path and the disk');
        });
        if (bytesRead === 0) throw new Error(`the file ends at byte ${start + at}`);
        at += bytesRead;
      }
      return bytes;
    },
  };
}

/** What the end of the file says of the rest: … footer, its length in four bytes, `PAR1`. */
export async function readFooter({ size, part }: OpenParquet): Promise<FileMetaData> {
  const end = new DataView((await part(size - 8, size)).buffer);
  if (end.getUint32(4, true) !== 0x31524150) throw new Error('no PAR1 at the end');
  const length = end.getUint32(0, true);
  const footer = await part(size - 8 - length, size);
  return parquetMetadata(footer.buffer);
}

function unparseable(path: string, error: unknown): ShallowsError {
  const message = error instanceof Error ? error.message : String(error);
  const codec = /unsupported compression codec: (\w+)/.exec(message)?.[1];
  const advice =
    codec === undefined
      ? 'the file is damaged or of another format, fetch or write it again'
      : `write it with snappy, gzip, brotli or no compression${codec === 'ZSTD' ? ', or use Node from 22.15' : ''}`;
  const got = codec === undefined ? message : `pages packed with ${codec}`;
  return new ShallowsError(`${fn}: expected an intact Parquet file at ${path}, got: ${got} - ${advice}`, {
    cause: error,
  });
}
