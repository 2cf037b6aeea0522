import { createWriteStream, mkdirSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname, resolve, sep } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32, createInflateRaw } from 'node:zlib';
import { TorchError } from '../errors.js';

interface Entry {
  readonly name: string;
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly offset: number;
}

/**
 * Unpacks a zip file, 64-bit ones too, stream by stream and with its checksums checked. Reads APPNOTE 6.3's stored and
 * deflated entries, which is what libtorch is packed with.
 *
 * @throws TorchError for a file that is no zip, is cut short, names a path outside `folder` or does not match its checksums.
 */
export async function unzip(
  path: string,
  folder: string,
  onEntry: (done: number, total: number) => void = () => undefined,
): Promise<void> {
  const file = await open(path);
  try {
    const entries = await readDirectory(file, path);
    for (const [index, entry] of entries.entries()) {
      const target = resolve(folder, entry.name);
      if (!target.startsWith(resolve(folder) + sep)) throw broken(path, `entry '${entry.name}' lies outside of it`);
      if (entry.name.endsWith('/')) mkdirSync(target, { recursive: true });
      else await unpack(file, path, entry, target);
      onEntry(index + 1, entries.length);
    }
  } finally {
    await file.close();
  }
}

async function unpack(file: FileHandle, path: string, entry: Entry, target: string): Promise<void> {
  if (entry.method !== 0 && entry.method !== 8)
    throw broken(path, `entry '${entry.name}' has compression method ${entry.method}`);
  const header = await read(file, path, entry.offset, 30);
  const start = entry.offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
  mkdirSync(dirname(target), { recursive: true });
  let crc = 0;
  let size = 0;
  const check = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      crc = crc32(chunk, crc);
      size += chunk.length;
      done(null, chunk);
    },
  });
  const output = createWriteStream(target);
  if (entry.packed === 0) await pipeline([], output);
  else {
    const input = file.createReadStream({
      start,
      end: start + entry.packed - 1,
      autoClose: false,
      highWaterMark: 1 << 20,
    });
    try {
      await (entry.method === 0 ? pipeline(input, check, output) : pipeline(input, createInflateRaw(), check, output));
    } catch (error) {
      throw broken(path, `entry '${entry.name}': ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (size !== entry.size || crc !== entry.crc) throw broken(path, `entry '${entry.name}' does not match its checksum`);
}

const endSignature = 0x06054b50;
const end64Signature = 0x06064b50;
const entrySignature = 0x02014b50;

async function readDirectory(file: FileHandle, path: string): Promise<Entry[]> {
  const { size } = await file.stat();
  const length = Math.min(size, 22 + 0xffff);
  const tail = await read(file, path, size - length, length);
  let at = length - 22;
  while (at >= 0 && tail.readUInt32LE(at) !== endSignature) at -= 1;
  if (at < 0) throw broken(path, 'it has no end record');
  let count = tail.readUInt16LE(at + 10);
  let bytes = tail.readUInt32LE(at + 12);
  let offset = tail.readUInt32LE(at + 16);
  if ((offset === 0xffffffff || count === 0xffff || bytes === 0xffffffff) && at >= 20) {
    const end64 = await read(file, path, Number(tail.readBigUInt64LE(at - 20 + 8)), 56);
    if (end64.readUInt32LE(0) !== end64Signature) throw broken(path, 'its 64-bit end record is missing');
    count = Number(end64.readBigUInt64LE(32));
    bytes = Number(end64.readBigUInt64LE(40));
    offset = Number(end64.readBigUInt64LE(48));
  }
  const directory = await read(file, path, offset, bytes);
  const entries: Entry[] = [];
  for (let p = 0; entries.length < count; ) {
    if (p + 46 > directory.length || directory.readUInt32LE(p) !== entrySignature)
      throw broken(path, 'its directory is damaged');
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((field) => directory.readUInt16LE(p + field)) as [
      number,
      number,
      number,
    ];
    const extra = directory.subarray(p + 46 + nameLength, p + 46 + nameLength + extraLength);
    entries.push({
      name: directory.toString('utf8', p + 46, p + 46 + nameLength),
      method: directory.readUInt16LE(p + 10),
      crc: directory.readUInt32LE(p + 16),
      ...wideFields(
        extra,
        directory.readUInt32LE(p + 24),
        directory.readUInt32LE(p + 20),
        directory.readUInt32LE(p + 42),
      ),
    });
    p += 46 + nameLength + extraLength + commentLength;
  }
  return entries;
}

/** Fields of 32 bits that are all ones have their value in the extra field 1, in this order. */
function wideFields(
  extra: Buffer,
  size: number,
  packed: number,
  offset: number,
): Pick<Entry, 'size' | 'packed' | 'offset'> {
  let wide: Buffer = Buffer.alloc(0);
  for (let p = 0; p + 4 <= extra.length; p += 4 + extra.readUInt16LE(p + 2)) {
    if (extra.readUInt16LE(p) === 1) wide = extra.subarray(p + 4, p + 4 + extra.readUInt16LE(p + 2));
  }
  let next = 0;
  const widen = (value: number): number => {
    if (value !== 0xffffffff || next + 8 > wide.length) return value;
    next += 8;
    return Number(wide.readBigUInt64LE(next - 8));
  };
  return { size: widen(size), packed: widen(packed), offset: widen(offset) };
}

async function read(file: FileHandle, path: string, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, position);
  if (bytesRead !== length) throw broken(path, 'it is cut short');
  return buffer;
}

function broken(path: string, reason: string): TorchError {
  return new TorchError(`setup: expected ${path} to be a whole zip file, but ${reason} - fetch it again`);
}
