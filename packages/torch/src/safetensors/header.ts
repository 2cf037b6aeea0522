import { type DType, elementSize } from '../dtype.js';
import { dtypeOfCode, knownCodes } from './dtypes.js';
import { ScanError, Scanner, shortened } from './scanner.js';

/** The most that a header may take, as in the reference implementation. */
export const maxHeaderBytes = 100_000_000;
const maxDimensions = 64;

/** Where one tensor lies in a file: bytes [begin, end) after the header. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** What a file holds, in the order of the data. */
export interface SafetensorsHeader {
  readonly entries: readonly TensorEntry[];
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Reads a header and checks it against the bytes that follow it: the tensors must cover them all, without overlap or
 * holes, each as large as its dtype and shape say. Throws {@link ScanError}.
 */
export function parseHeader(bytes: Uint8Array, dataBytes: number): SafetensorsHeader {
  if (bytes[0] !== 0x7b) throw new ScanError("expected a header that begins with '{', got something else");
  const scanner = new Scanner(decoded(bytes));
  const entries: TensorEntry[] = [];
  let metadata: [string, string][] = [];
  scanner.object((name) => {
    if (name === '__metadata__') metadata = readMetadata(scanner);
    else entries.push(readEntry(scanner, name));
  });
  scanner.end();
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkCover(entries, dataBytes);
  return { entries, metadata: Object.fromEntries(metadata) };
}

function decoded(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new ScanError('expected a header in UTF-8, got other bytes');
  }
}

function readMetadata(scanner: Scanner): [string, string][] {
  const pairs: [string, string][] = [];
  scanner.object((key) => pairs.push([key, scanner.string()]));
  return pairs;
}

function readEntry(scanner: Scanner, name: string): TensorEntry {
  const where = `tensor '${shortened(name)}'`;
  let code: string | undefined;
  let shape: number[] | undefined;
  let offsets: number[] | undefined;
  scanner.object((key) => {
    if (key === 'dtype') code = scanner.string();
    else if (key === 'shape')
      shape = integers(scanner, maxDimensions, `${where}: expected at most ${maxDimensions} dimensions`);
    else if (key === 'data_offsets') offsets = integers(scanner, 2, `${where}: expected two data_offsets`);
    else throw new ScanError(`${where}: expected dtype, shape and data_offsets, got '${shortened(key)}'`);
  });
  if (code === undefined || shape === undefined || offsets === undefined) {
    const missing = [
      code === undefined && 'dtype',
      shape === undefined && 'shape',
      offsets === undefined && 'data_offsets',
    ];
    throw new ScanError(
      `${where}: expected dtype, shape and data_offsets, got no ${missing.filter(Boolean).join(', ')}`,
    );
  }
  const [begin, end] = offsets;
  if (begin === undefined || end === undefined)
    throw new ScanError(`${where}: expected two data_offsets, got ${offsets.length}`);
  const dtype = dtypeOfCode(code);
  if (dtype === undefined) {
    throw new ScanError(
      `${where}: expected a dtype of ${knownCodes.join(', ')}, got '${shortened(code)}' - save it as one of these`,
    );
  }
  const size = byteSize(shape, elementSize[dtype]);
  if (size === undefined) throw new ScanError(`${where}: expected a shape below 2^53 bytes, got [${shape.join(', ')}]`);
  if (end < begin || end - begin !== size) {
    throw new ScanError(
      `${where}: expected ${size} bytes for ${code} [${shape.join(', ')}], got data_offsets [${begin}, ${end}]`,
    );
  }
  return { name, dtype, shape, begin, end };
}

function integers(scanner: Scanner, most: number, problem: string): number[] {
  const values: number[] = [];
  scanner.array(() => {
    if (values.length === most) throw new ScanError(`${problem}, got more`);
    values.push(scanner.integer());
  });
  return values;
}

// Also with sizes of 0 taken as 1: libtorch multiplies those for the strides.
function byteSize(shape: readonly number[], element: number): number | undefined {
  const most = shape.reduce((product, size) => product * Math.max(size, 1), element);
  return Number.isSafeInteger(most) ? shape.reduce((product, size) => product * size, element) : undefined;
}

function checkCover(entries: readonly TensorEntry[], dataBytes: number): void {
  let position = 0;
  for (const { name, begin, end } of entries) {
    if (begin !== position) {
      const what = begin < position ? 'overlap' : 'leave a hole';
      throw new ScanError(
        `tensor '${shortened(name)}': expected data from byte ${position}, got ${begin} - tensors must not ${what}`,
      );
    }
    position = end;
  }
  if (position !== dataBytes) {
    throw new ScanError(`expected ${position} bytes of data after the header, got ${dataBytes}`);
  }
}
