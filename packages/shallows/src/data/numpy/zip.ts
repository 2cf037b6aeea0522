import { crc32, inflateRawSync } from 'node:zlib';
import { ShallowsError } from '../../errors.js';
import { formatError } from '../read-file.js';

/** A file in a zip archive. */
export interface ZipEntry {
  readonly name: string;
  /** Unpacks it and checks its sum. @throws ShallowsError that names the archive and the offset of what is damaged */
  read(): Uint8Array;
}

const signatures = {
  end: 0x06054b50,
  end64: 0x06064b50,
  locator64: 0x07064b50,
  central: 0x02014b50,
  local: 0x04034b50,
};
const stored = 0;
const deflated = 8;
const all32 = 0xffffffff;

/**
 * The files of a zip archive, stored or deflated, also beyond 4 GiB (zip64).
 *
 * @see PKWARE, "APPNOTE.TXT - .ZIP file format specification", 6.3
 */
export function zipEntries(fn: string, file: string, bytes: Uint8Array): readonly ZipEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wrong = (offset: number, expected: string, got = 'other bytes'): ShallowsError =>
    formatError(fn, { file, offset, expected, got });
  const need = (offset: number, length: number): void => {
    if (offset < 0 || offset + length > bytes.length)
      throw wrong(bytes.length, 'a whole zip archive', 'the end of the file');
  };
  const { start, count } = directory();
  const entries: ZipEntry[] = [];
  let at = start;
  for (let i = 0; i < count; i++) {
    need(at, 46);
    if (view.getUint32(at, true) !== signatures.central) throw wrong(at, `entry ${i} of the zip directory`);
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((offset) =>
      view.getUint16(at + offset, true),
    ) as [number, number, number];
    need(at + 46, nameLength + extraLength + commentLength);
    const name = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
    entries.push(entryAt(at, name, at + 46 + nameLength, extraLength));
    at += 46 + nameLength + extraLength + commentLength;
  }
  return entries;

  function directory(): { start: number; count: number } {
    // The end record has a comment of up to 65,535 bytes after it.
    for (let end = bytes.length - 22; end >= Math.max(0, bytes.length - 22 - 0xffff); end--) {
      if (view.getUint32(end, true) !== signatures.end) continue;
      const locator = end - 20;
      if (locator >= 0 && view.getUint32(locator, true) === signatures.locator64) {
        const end64 = Number(view.getBigUint64(locator + 8, true));
        need(end64, 56);
        if (view.getUint32(end64, true) !== signatures.end64) throw wrong(end64, 'the zip64 end record');
        return {
          start: Number(view.getBigUint64(end64 + 48, true)),
          count: Number(view.getBigUint64(end64 + 32, true)),
        };
      }
      return { start: view.getUint32(end + 16, true), count: view.getUint16(end + 10, true) };
    }
    throw wrong(Math.max(0, bytes.length - 22), 'the end of a zip archive');
  }

  function entryAt(central: number, name: string, extra: number, extraLength: number): ZipEntry {
    const flags = view.getUint16(central + 8, true);
    const method = view.getUint16(central + 10, true);
    const sum = view.getUint32(central + 16, true);
    let [packed, size, local] = [20, 24, 42].map((offset) => view.getUint32(central + offset, true)) as [
      number,
      number,
      number,
    ];
    for (let field = extra; field + 4 <= extra + extraLength; field += 4 + view.getUint16(field + 2, true)) {
      if (view.getUint16(field, true) !== 1) continue;
      let value = field + 4;
      const next = (): number => {
        value += 8;
        need(value - 8, 8);
        return Number(view.getBigUint64(value - 8, true));
      };
      if (size === all32) size = next();
      if (packed === all32) packed = next();
      if (local === all32) local = next();
    }
    return {
      name,
      read: () => {
        need(local, 30);
        if (view.getUint32(local, true) !== signatures.local) throw wrong(local, `the head of ${name}`);
        const body = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
        need(body, packed);
        const content = bytes.subarray(body, body + packed);
        if ((flags & 1) !== 0 || (method !== stored && method !== deflated)) {
          const got = (flags & 1) !== 0 ? 'an encrypted one' : `packing method ${method}`;
          throw new ShallowsError(`${fn}: expected a stored or deflated ${name} in ${file}, got ${got} - save it anew`);
        }
        const unpacked = method === stored ? content : inflated(content, body, name, size);
        if (unpacked.length !== size || crc32(unpacked) !== sum) throw wrong(body, `the ${size} bytes of ${name}`);
        return unpacked;
      },
    };
  }

  function inflated(content: Uint8Array, offset: number, name: string, size: number): Uint8Array {
    try {
      return inflateRawSync(content, { maxOutputLength: Math.max(1, size) });
    } catch (error) {
      const got = error instanceof Error ? error.message : String(error);
      throw formatError(fn, { file, offset, expected: `intact deflated bytes of ${name}`, got }, error);
    }
  }
}
