import { randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { elementSize } from '../dtype.js';
import { TorchError } from '../errors.js';
import { native } from '../native.js';
import { Operator } from '../operator.js';
import { scope } from '../scope.js';
import { isTensor, live, type Tensor } from '../tensor.js';
import { codeOfDType, rankOfCode } from './dtypes.js';
import { maxHeaderBytes } from './header.js';
import { shortened } from './scanner.js';

interface Item {
  readonly name: string;
  readonly code: string;
  readonly tensor: Tensor;
  readonly shape: readonly number[];
  readonly bytes: number;
}

// Half of a surrogate pair, which UTF-8 cannot say.
const brokenText = /\p{Surrogate}/u;
const chunkBytes = 16 * 1024 * 1024;

const reshape = new Operator('aten::reshape');
const slice = new Operator('aten::slice', 'Tensor');

/**
 * Writes tensors to a safetensors file: under another name first, which then takes the place of the old file, so that
 * nobody ever sees half of one. The data goes out in pieces; no second copy of it is made.
 */
export function saveSafetensors(
  path: string,
  tensors: Readonly<Record<string, Tensor>>,
  metadata: Readonly<Record<string, string>> = {},
): void {
  if (typeof path !== 'string' || path === '')
    throw new TorchError(`saveSafetensors: expected a path, got ${quoted(path)}`);
  if (typeof tensors !== 'object' || tensors === null || isTensor(tensors)) {
    throw new TorchError(`saveSafetensors: expected an object of tensors, got ${quoted(tensors)}`);
  }
  const items = Object.entries(tensors).map(([name, tensor]) => describe(name, tensor));
  items.sort(
    (a, b) => rankOfCode(a.code) - rankOfCode(b.code) || Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)),
  );
  const header = headerOf(items, metadata);
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    write(temporary, header, items);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    if (error instanceof TorchError) throw error;
    throw new TorchError(`saveSafetensors: ${path}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  syncFolder(dirname(path));
}

function describe(name: string, tensor: Tensor): Item {
  const where = `saveSafetensors: tensor '${shortened(name)}'`;
  if (!isTensor(tensor)) throw new TorchError(`${where}: expected a tensor, got ${quoted(tensor)}`);
  if (name === '__metadata__')
    throw new TorchError(`${where}: expected another name, got the one the format keeps for text`);
  if (brokenText.test(name)) throw new TorchError(`${where}: expected a name in Unicode, got half of a character`);
  const layout = native().layout(live(tensor));
  const { dtype, device, shape } = tensor;
  if (layout !== 'strided' || device === 'meta') {
    const got = device === 'meta' ? 'one without data' : `layout ${layout}`;
    throw new TorchError(`${where}: expected a dense tensor, got ${got} - convert it first`);
  }
  const code = codeOfDType(dtype);
  if (code === undefined)
    throw new TorchError(`${where}: expected a dtype that the format has, got ${dtype} - convert with .to(dtype)`);
  return { name, code, tensor, shape, bytes: shape.reduce((product, size) => product * size, elementSize[dtype]) };
}

function headerOf(items: readonly Item[], metadata: Readonly<Record<string, string>>): Buffer {
  const members: string[] = [];
  const pairs = Object.entries(metadata);
  if (pairs.length > 0) {
    for (const [key, value] of pairs) {
      if (typeof value === 'string' && !brokenText.test(key + value)) continue;
      throw new TorchError(`saveSafetensors: metadata '${shortened(key)}': expected text, got ${quoted(value)}`);
    }
    members.push(`"__metadata__":${JSON.stringify(Object.fromEntries(pairs))}`);
  }
  let position = 0;
  for (const { name, code, shape, bytes } of items) {
    const entry = { dtype: code, shape, data_offsets: [position, position + bytes] };
    members.push(`${JSON.stringify(name)}:${JSON.stringify(entry)}`);
    position += bytes;
  }
  const text = Buffer.from(`{${members.join(',')}}`);
  const padded = Math.ceil(text.length / 8) * 8;
  if (padded > maxHeaderBytes)
    throw new TorchError(`saveSafetensors: expected a header of at most ${maxHeaderBytes} bytes, got ${padded}`);
  const header = Buffer.alloc(8 + padded, ' ');
  header.writeBigUInt64LE(BigInt(padded));
  text.copy(header, 8);
  return header;
}

function write(path: string, header: Buffer, items: readonly Item[]): void {
  const handle = openSync(path, 'wx');
  try {
    writeAll(handle, header);
    for (const item of items) writeTensor(handle, item);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function writeTensor(handle: number, { tensor, bytes }: Item): void {
  if (bytes === 0) return;
  scope(() => {
    const flat = reshape.call([tensor.detach(), [-1]]) as Tensor;
    const step = Math.max(1, Math.floor(chunkBytes / elementSize[tensor.dtype]));
    const count = bytes / elementSize[tensor.dtype];
    for (let start = 0; start < count; start += step) {
      const piece = slice.call([flat, 0, start, Math.min(count, start + step)]) as Tensor;
      writeAll(handle, piece.toBytes());
      piece.dispose();
    }
  });
}

function writeAll(handle: number, bytes: Uint8Array): void {
  let done = 0;
  while (done < bytes.length) done += writeSync(handle, bytes, done);
}

// The new name survives a power failure only once the folder is written too; not every system can do it.
function syncFolder(path: string): void {
  try {
    const handle = openSync(path, 'r');
    try {
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
  } catch {
    return;
  }
}

function quoted(value: unknown): string {
  if (value === null) return 'null';
  return typeof value === 'string' ? `'${shortened(value)}'` : `a ${typeof value}`;
}
