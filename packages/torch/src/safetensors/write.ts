import { randomUUID } from 'node:crypto';
import { close, closeSync, constants, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { elementSize } from '../dtype.js';
import { TorchError } from '../errors.js';
import { native } from '../native.js';
import { Operator } from '../operator.js';
import { scope } from '../scope.js';
import { live, type Tensor } from '../tensor.js';
import { type Item, type Layout, layOut, quoted } from './layout.js';

const chunkBytes = 16 * 1024 * 1024;
/** A piece of {@link encodeSafetensors} is at most this long: far below what one buffer can hold. */
const pieceBytes = 512 * 1024 * 1024;

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
  const layout = layOut('saveSafetensors', tensors, metadata);
  const temporary = `${path}.${randomUUID()}.tmp`;
  let old: number | undefined;
  try {
    write(temporary, layout);
    old = opened(path);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    if (error instanceof TorchError) throw error;
    throw new TorchError(`saveSafetensors: ${path}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  } finally {
    if (old !== undefined) close(old, () => undefined);
  }
  syncFolder(dirname(path));
}

/**
 * The file that is about to be replaced. While it is open its pages stay, and giving them back, 50 ms for 200 MB, falls
 * to the thread that closes it. Windows replaces no file that is open.
 */
function opened(path: string): number | undefined {
  if (process.platform === 'win32') return undefined;
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
}

/**
 * The bytes of a safetensors file, in pieces that follow each other: the header, then a copy of each tensor's elements,
 * taken now. Each piece has a buffer of its own, so that another thread can be given it to hash and write.
 *
 * @throws TorchError for what the format cannot hold, as {@link saveSafetensors}
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, Tensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer>[] {
  const { header, items } = layOut('encodeSafetensors', tensors, metadata);
  const parts = [new Uint8Array(header)];
  for (const item of items) eachPiece(item, pieceBytes, (bytes) => parts.push(bytes));
  return parts;
}

function write(path: string, { header, items }: Layout): void {
  const handle = openSync(path, 'wx');
  try {
    writeAll(handle, header);
    for (const item of items) writeItem(handle, item);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** From the memory of the tensor itself where that can be, else from copies. */
function writeItem(handle: number, item: Item): void {
  const isPlain = native().withMemory(live(item.tensor), (bytes) => writeAll(handle, new Uint8Array(bytes)));
  if (!isPlain) eachPiece(item, chunkBytes, (bytes) => writeAll(handle, bytes));
}

function eachPiece({ tensor, bytes }: Item, most: number, visit: (bytes: Uint8Array<ArrayBuffer>) => void): void {
  if (bytes === 0) return;
  if (bytes <= most) {
    visit(tensor.toBytes());
    return;
  }
  scope(() => {
    const flat = reshape.call([tensor.detach(), [-1]]) as Tensor;
    const step = Math.max(1, Math.floor(most / elementSize[tensor.dtype]));
    const count = bytes / elementSize[tensor.dtype];
    for (let start = 0; start < count; start += step) {
      const piece = slice.call([flat, 0, start, Math.min(count, start + step)]) as Tensor;
      visit(piece.toBytes());
      piece.dispose();
    }
  });
}

function writeAll(handle: number, bytes: Uint8Array): void {
  let done = 0;
  while (done < bytes.length) done += writeSync(handle, bytes, done, Math.min(chunkBytes, bytes.length - done));
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
