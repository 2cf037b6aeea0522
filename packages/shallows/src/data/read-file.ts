import { type FileHandle, open } from 'node:fs/promises';
import { ShallowsError } from '../errors.js';

/** Bytes read at a time: Node refuses 2 GiB at once. */
const piece = 1 << 30;

/** The bytes of a file. A failure names the file, the reason and what to do. */
export async function readBytes(fn: string, path: string, advice: string): Promise<Uint8Array<ArrayBuffer>> {
  let handle: FileHandle | null = null;
  try {
    handle = await open(path);
    const bytes = new Uint8Array((await handle.stat()).size);
    let at = 0;
    for (let read = 1; at < bytes.length && read > 0; at += read) {
      const { bytesRead } = await handle.read(bytes, at, Math.min(piece, bytes.length - at), at);
      read = bytesRead;
    }
    return at === bytes.length ? bytes : bytes.slice(0, at);
  } catch (error) {
    throw unreadable(fn, path, error, advice);
  } finally {
    await handle?.close();
  }
}

/** The error of a file or folder that cannot be opened or read. */
export function unreadable(fn: string, path: string, error: unknown, advice: string): ShallowsError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  const reason = reasons[code] ?? code;
  return new ShallowsError(`${fn}: expected to read ${path}, got ${reason} - ${advice}`, { cause: error });
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'nothing there',
  EACCES: 'no permission',
  EPERM: 'no permission',
  EISDIR: 'a folder',
  ENOTDIR: 'a file where a folder should be',
};

/** What is wrong at one place of a file. */
export interface FormatFault {
  readonly file: string;
  /** Byte offset in the file. */
  readonly offset: number;
  readonly expected: string;
  readonly got: string;
  readonly advice?: string;
}

/** The error of a file whose content breaks its format: `fn: expected X at byte N of FILE, got Y - do Z`. */
export function formatError(fn: string, fault: FormatFault, cause?: unknown): ShallowsError {
  const { file, offset, expected, got, advice = 'the file is damaged or of another format, fetch it again' } = fault;
  const options = cause === undefined ? undefined : { cause };
  return new ShallowsError(`${fn}: expected ${expected} at byte ${offset} of ${file}, got ${got} - ${advice}`, options);
}
