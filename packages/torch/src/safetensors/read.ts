import { createHash, type Hash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { empty } from '../creation.js';
import { type Device, type DType, elementSize } from '../dtype.js';
import { TorchError } from '../errors.js';
import { native } from '../native.js';
import { Operator } from '../operator.js';
import { scope } from '../scope.js';
import { live, type Tensor } from '../tensor.js';
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
  /**
   * SHA-256 of the whole file, 64 hexadecimal digits. The file is then read once, through one handle, and only what has
   * this digest is returned: no other bytes are used. Excludes `map`.
   */
  readonly sha256?: string;
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
/** So much is read and hashed at a time: what was read is then still in the cache. */
const pieceBytes = 1024 * 1024;

const fromFile = new Operator('aten::from_file');
const slice = new Operator('aten::slice', 'Tensor');
const viewAs = new Operator('aten::view', 'dtype');
const reshape = new Operator('aten::view');
const asStrided = new Operator('aten::as_strided');
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
  const { device = 'cpu', sha256 } = options;
  if (sha256 !== undefined) return loadVerified(path, { device, sha256, map: options.map });
  const file = open('loadSafetensors', path);
  const map = options.map ?? file.size >= mapFrom;
  return scope(() => {
    const mapped = file.size > file.dataStart ? new MappedFile(path, file) : undefined;
    const tensors = file.header.entries.map((entry): [string, Tensor] => {
      const shaped = mapped === undefined || entry.begin === entry.end ? undefined : mapped.window(entry);
      return [entry.name, placed(path, shaped, entry, device, map)];
    });
    return { tensors: Object.fromEntries(tensors), metadata: { ...file.header.metadata } };
  });
}

/** Reads and hashes in one pass: first the header, then each tensor's data into its own memory. */
function loadVerified(
  path: string,
  { device, sha256, map }: { readonly device: Device; readonly sha256: string; readonly map: boolean | undefined },
): Safetensors {
  if (!/^[0-9a-f]{64}$/.test(sha256) || map === true) {
    const got = map === true ? 'map: true beside it' : `'${shortened(String(sha256))}'`;
    throw new TorchError(`loadSafetensors: expected a sha256 of 64 hexadecimal digits and no map, got ${got}`);
  }
  return withFile('loadSafetensors', path, (handle) => {
    const hash = createHash('sha256');
    const { header, dataStart } = readFile(handle, (bytes) => hash.update(bytes));
    return scope(() => {
      const tensors = header.entries.map((entry): [string, Tensor] => {
        const shaped = entry.begin === entry.end ? undefined : readTensor(handle, dataStart, entry, hash);
        return [entry.name, placed(path, shaped, entry, device, true)];
      });
      const found = hash.digest('hex');
      if (found !== sha256) throw new ScanError(`expected the SHA-256 ${sha256}, got ${found}`);
      return { tensors: Object.fromEntries(tensors), metadata: { ...header.metadata } };
    });
  });
}

function readTensor(handle: number, dataStart: number, entry: TensorEntry, hash: Hash): Tensor {
  const { begin, end, dtype, shape } = entry;
  const whole = empty(shape, { dtype });
  native().withMemory(live(whole), (memory) => {
    for (let at = begin; at < end; at += pieceBytes) {
      const piece = new Uint8Array(memory, at - begin, Math.min(pieceBytes, end - at));
      fill(piece, handle, dataStart + at);
      hash.update(piece);
    }
  });
  return whole;
}

function open(name: string, path: string): OpenFile {
  return withFile(name, path, (handle) => readFile(handle));
}

function withFile<T>(name: string, path: string, use: (handle: number) => T): T {
  if (typeof path !== 'string') throw new TorchError(`${name}: expected a path, got a ${typeof path}`);
  let handle: number | undefined;
  try {
    handle = openSync(path, 'r');
    return use(handle);
  } catch (error) {
    if (error instanceof TorchError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new TorchError(`${name}: ${path}: ${reason}`, { cause: error });
  } finally {
    if (handle !== undefined) closeSync(handle);
  }
}

function readFile(handle: number, seen: (bytes: Buffer) => void = () => {}): OpenFile {
  const stat = fstatSync(handle);
  if (!stat.isFile()) throw new ScanError('expected a regular file, got another kind');
  const { size } = stat;
  if (size < 8) throw new ScanError(`expected at least 8 bytes, got ${size}`);
  const prefix = readExactly(handle, 8, 0);
  seen(prefix);
  const length = prefix.readBigUInt64LE();
  if (length > BigInt(maxHeaderBytes))
    throw new ScanError(`expected a header of at most ${maxHeaderBytes} bytes, got ${length}`);
  const headerBytes = Number(length);
  if (8 + headerBytes > size)
    throw new ScanError(`expected a header of ${headerBytes} bytes, got a file of ${size} bytes`);
  const text = readExactly(handle, headerBytes, 8);
  seen(text);
  const header = parseHeader(text, size - 8 - headerBytes);
  return { header, dataStart: 8 + headerBytes, size };
}

function readExactly(handle: number, count: number, position: number): Buffer {
  const buffer = Buffer.alloc(count);
  fill(buffer, handle, position);
  return buffer;
}

function fill(bytes: Uint8Array, handle: number, position: number): void {
  let done = 0;
  while (done < bytes.length) {
    const read = readSync(handle, bytes, done, bytes.length - done, position + done);
    if (read === 0) throw new ScanError(`expected ${bytes.length} bytes at ${position}, got ${done}`);
    done += read;
  }
}

/** The data of a file in memory, and the tensors in it. */
class MappedFile {
  readonly #dataStart: number;
  readonly #whole: Tensor;
  /** The data of the dtype that the last window had. The format's writers put tensors of one dtype behind each other. */
  #typed: { readonly dtype: DType; readonly tensor: Tensor } | undefined;

  constructor(path: string, { dataStart, size }: OpenFile) {
    this.#dataStart = dataStart;
    // Private: writing to the tensors in place does not change the file.
    this.#whole = fromFile.call([path, false, size], { dtype: 'uint8' }) as Tensor;
  }

  window({ begin, end, dtype, shape }: TensorEntry): Tensor {
    const size = elementSize[dtype];
    const [from, to] = [this.#dataStart + begin, this.#dataStart + end];
    // A dtype's elements must lie at multiples of their size.
    if (from % size !== 0) {
      const bytes = clone.call([slice.call([this.#whole, 0, from, to])]) as Tensor;
      return reshape.call([viewAs.call([bytes, dtype]), shape]) as Tensor;
    }
    return asStrided.call([this.#as(dtype), shape, rowMajor(shape), from / size]) as Tensor;
  }

  #as(dtype: DType): Tensor {
    if (this.#typed?.dtype !== dtype) {
      const size = elementSize[dtype];
      const whole = slice.call([this.#whole, 0, 0, Math.floor(this.#whole.numel / size) * size]);
      this.#typed = { dtype, tensor: viewAs.call([whole, dtype]) as Tensor };
    }
    return this.#typed.tensor;
  }
}

function rowMajor(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = step;
    step *= shape[i] as number;
  }
  return strides;
}

function placed(path: string, shaped: Tensor | undefined, entry: TensorEntry, device: Device, map: boolean): Tensor {
  const { name, dtype, shape } = entry;
  if (shaped === undefined) return empty(shape, { dtype, device });
  if (dtype === 'bool' && (largest.call([viewAs.call([shaped, 'uint8'])]) as Tensor).item() > 1) {
    throw new TorchError(
      `loadSafetensors: ${path}: tensor '${shortened(name)}': expected bytes 0 and 1 for BOOL, got others`,
    );
  }
  if (device !== 'cpu') return toDevice.call([shaped], { device }) as Tensor;
  return map ? shaped : (clone.call([shaped]) as Tensor);
}
