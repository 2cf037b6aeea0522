import { elementSize } from '../dtype.js';
import { TorchError } from '../errors.js';
import { native } from '../native.js';
import { isTensor, live, type Tensor } from '../tensor.js';
import { codeOfDType, rankOfCode } from './dtypes.js';
import { maxHeaderBytes } from './header.js';
import { shortened } from './scanner.js';

/** One tensor on its way into a file. */
export interface Item {
  readonly name: string;
  readonly code: string;
  readonly tensor: Tensor;
  readonly shape: readonly number[];
  readonly bytes: number;
}

/** What a file will hold: the header with its length before it, then the data of the items one after the other. */
export interface Layout {
  readonly header: Uint8Array;
  readonly items: readonly Item[];
}

// Half of a surrogate pair, which UTF-8 cannot say.
const brokenText = /\p{Surrogate}/u;

/** Lays tensors out in the order of the reference implementation: widest dtypes first, then by name. Throws {@link TorchError}. */
export function layOut(
  caller: string,
  tensors: Readonly<Record<string, Tensor>>,
  metadata: Readonly<Record<string, string>>,
): Layout {
  if (typeof tensors !== 'object' || tensors === null || isTensor(tensors)) {
    throw new TorchError(`${caller}: expected an object of tensors, got ${quoted(tensors)}`);
  }
  const items = Object.entries(tensors).map(([name, tensor]) => describe(caller, name, tensor));
  items.sort(
    (a, b) => rankOfCode(a.code) - rankOfCode(b.code) || Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)),
  );
  return { header: headerOf(caller, items, metadata), items };
}

function describe(caller: string, name: string, tensor: Tensor): Item {
  const where = `${caller}: tensor '${shortened(name)}'`;
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

function headerOf(caller: string, items: readonly Item[], metadata: Readonly<Record<string, string>>): Buffer {
  const members: string[] = [];
  const pairs = Object.entries(metadata);
  if (pairs.length > 0) {
    for (const [key, value] of pairs) {
      if (typeof value === 'string' && !brokenText.test(key + value)) continue;
      throw new TorchError(`${caller}: metadata '${shortened(key)}': expected text, got ${quoted(value)}`);
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
    throw new TorchError(`${caller}: expected a header of at most ${maxHeaderBytes} bytes, got ${padded}`);
  const header = Buffer.alloc(8 + padded, ' ');
  header.writeBigUInt64LE(BigInt(padded));
  text.copy(header, 8);
  return header;
}

/** A value for a message. */
export function quoted(value: unknown): string {
  if (value === null) return 'null';
  return typeof value === 'string' ? `'${shortened(value)}'` : `a ${typeof value}`;
}
