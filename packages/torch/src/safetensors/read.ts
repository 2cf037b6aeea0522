import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { empty } from '../creation.js';
import type { Device } from '../dtype.js';
import { elementSize } from '../dtype.js';
import { TorchError } from '../errors.js';
import { Operator } from '../operator.js';
import { scope } from '../scope.js';
import type { Tensor } from '../tensor.js';
import { maxHeaderBytes, parseHeader, type SafetensorsHeader, type TensorEntry } from './header.js';
import { ScanError, shortened } from './scanner.js';

/** Options of {@link loadSafetensors}. */
export interface LoadOptions {
  /** Where the tensors go; cpu unless said otherwise. */
  readonly device?: Device;
  /**
   * Leave the data in the file and read it page by page when it is used. The file must then not be shortened or written
   * in place while the tensors live; replacing it, as {@link saveSafetensors} does, is fine. Files of 64 MB and more are
   * mapped unless said otherwise.
   */
  readonly map?: boolean;
}

/** Tensors by name, and the text that was saved beside them. */
export interface Safetensors {
  readonly tensors: Record<string, Tensor>;
  readonly metadata: Record<string, string>;
}

interface OpenFile {
  readonly header: SafetensorsHeader;
  readonly dataStart: number;
  readonly size: number;
}

const mapFrom = 64 * 1024 * 1024;

const fromFile = new Operator('aten::from_file');
const slice = new Operator('aten::slice', 'Tensor');
const viewAs = new Operator('aten::view', 'dtype');
const reshape = new Operator('aten::view');
const clone = new Operator('aten::clone');
const toDevice = new Operator('aten::to', 'dtype_layout');
const largest = new Operator('aten::max');

/** The names, dtypes, shapes and metadata of a safetensors file; no data is read. Throws {@link TorchError}. */
export function readSafetensorsHeader(path: string): SafetensorsHeader {
  return open('readSafetensorsHeader', path).header;
}

/**
 * Reads a safetensors file. A file that is not exactly what its header says is refused, with the reason: too large a
 * header, keys twice, tensors that overlap or leave holes, offsets outside of the file, sizes that do not fit.
 */
export function loadSafetensors(path: string, options: LoadOptions = {}): Safetensors {
  const { device = 'cpu' } = options;
  const file = open('loadSafetensors', path);
  const map = options.map ?? file.size >= mapFrom;
  return scope(() => {
    const mapped = file.size > file.dataStart ? mapFile(path, file.size) : undefined;
    const tensors = file.header.entries.map((entry): [string, Tensor] => {
      const raw = mapped === undefined ? undefined : window(mapped, file.dataStart, entry);
      return [entry.name, placed(path, raw, entry, device, map)];
    });
    return { tensors: Object.fromEntries(tensors), metadata: { ...file.header.metadata } };
  });
}

function open(name: string, path: string): OpenFile {
  if (typeof path !== 'string') throw new TorchError(`${name}: expected a path, got a ${typeof path}`);
  let handle: number | undefined;
  try {
    handle = openSync(path, 'r');
    return readFile(handle);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new TorchError(`${name}: ${path}: ${reason}`, { cause: error });
  } finally {
    if (handle !== undefined) closeSync(handle);
  }
}

function readFile(handle: number): OpenFile {
  const stat = fstatSync(handle);
  if (!stat.isFile()) throw new ScanError('expected a regular file, got another kind');
  const { size } = stat;
  if (size < 8) throw new ScanError(`expected at least 8 bytes, got ${size}`);
  const length = readExactly(handle, 8, 0).readBigUInt64LE();
  if (length > BigInt(maxHeaderBytes))
    throw new ScanError(`expected a header of at most ${maxHeaderBytes} bytes, got ${length}`);
  const headerBytes = Number(length);
  if (8 + headerBytes > size)
    throw new ScanError(`expected a header of ${headerBytes} bytes, got a file of ${size} bytes`);
  const header = parseHeader(readExactly(handle, headerBytes, 8), size - 8 - headerBytes);
  return { header, dataStart: 8 + headerBytes, size };
}

function readExactly(handle: number, count: number, position: number): Buffer {
  const buffer = Buffer.alloc(count);
  let done = 0;
  while (done < count) {
    const read = readSync(handle, buffer, done, count - done, position + done);
    if (read === 0) throw new ScanError(`expected ${count} bytes at ${position}, got ${done}`);
    done += read;
  }
  return buffer;
}

// A private mapping: writing to the tensors in place does not change the file.
function mapFile(path: string, size: number): Tensor {
  return fromFile.call([path, false, size], { dtype: 'uint8' }) as Tensor;
}

function window(mapped: Tensor, dataStart: number, { begin, end, dtype }: TensorEntry): Tensor {
  const bytes = slice.call([mapped, 0, dataStart + begin, dataStart + end]) as Tensor;
  // A dtype's elements must lie at multiples of their size.
  const aligned = (dataStart + begin) % elementSize[dtype] === 0;
  return aligned ? bytes : (clone.call([bytes]) as Tensor);
}

function placed(path: string, bytes: Tensor | undefined, entry: TensorEntry, device: Device, map: boolean): Tensor {
  const { name, dtype, shape } = entry;
  if (bytes === undefined || entry.begin === entry.end) return empty(shape, { dtype, device });
  if (dtype === 'bool' && (largest.call([bytes]) as Tensor).item() > 1) {
    throw new TorchError(
      `loadSafetensors: ${path}: tensor '${shortened(name)}': expected bytes 0 and 1 for BOOL, got others`,
    );
  }
  const typed = viewAs.call([bytes, dtype]) as Tensor;
  const shaped = reshape.call([typed, shape]) as Tensor;
  if (device !== 'cpu') return toDevice.call([shaped], { device }) as Tensor;
  return map ? shaped : (clone.call([shaped]) as Tensor);
}
