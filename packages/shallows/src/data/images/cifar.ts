import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ShallowsError } from '../../errors.js';
import { formatError, readBytes, unreadable } from '../read-file.js';
import { type ImageTable, joinTables } from '../table.js';

const shape = [3, 32, 32] as const;
const pixelBytes = 3 * 32 * 32;
const files = 'data_batch_1.bin to data_batch_5.bin, test_batch.bin and batches.meta.txt';
const files100 = 'train.bin, test.bin, fine_label_names.txt and coarse_label_names.txt';
const advice = (names: string): string => `unpack the binary version of the set there: ${names}`;

/** Training and test rows of a set, with its class names. */
export interface CifarTables {
  readonly train: ImageTable;
  readonly test: ImageTable;
  readonly classes: readonly string[];
}

/**
 * Reads CIFAR-10 in its binary version: `data_batch_1.bin` … `data_batch_5.bin` (those that are there, in this order),
 * `test_batch.bin` and the class names in `batches.meta.txt`.
 *
 * A record is one label byte and 3,072 pixel bytes, `[3, 32, 32]`.
 *
 * @throws ShallowsError that names the file and the byte offset of what is missing, cut off or out of range
 * @see https://www.cs.toronto.edu/~kriz/cifar.html
 */
export async function readCifar10(folder: string): Promise<CifarTables> {
  const fn = 'readCifar10';
  let entries: string[];
  try {
    entries = await readdir(folder);
  } catch (error) {
    throw unreadable(fn, folder, error, advice(files));
  }
  const batches = [1, 2, 3, 4, 5].map((i) => `data_batch_${i}.bin`).filter((name) => entries.includes(name));
  if (batches.length === 0) {
    throw new ShallowsError(
      `${fn}: expected data_batch_1.bin in ${folder}, got none of the batches - ${advice(files)}`,
    );
  }
  const classes = await readNames(fn, join(folder, 'batches.meta.txt'), 10, files);
  const layout = { fn, labelBytes: 1, labelAt: 0, classes: classes.length, files };
  const parts: ImageTable[] = [];
  for (const name of batches) parts.push(await readRecords(join(folder, name), layout));
  const [first, ...rest] = parts as [ImageTable, ...ImageTable[]];
  return {
    train: joinTables([first, ...rest]),
    test: await readRecords(join(folder, 'test_batch.bin'), layout),
    classes,
  };
}

/** Options of {@link readCifar100}. */
export interface Cifar100Options {
  /** 100 fine classes, or the 20 coarse ones that they belong to. */
  readonly labels?: 'fine' | 'coarse';
}

/**
 * Reads CIFAR-100 in its binary version: `train.bin`, `test.bin` and `fine_label_names.txt` or `coarse_label_names.txt`.
 *
 * A record is a coarse label byte, a fine label byte and 3,072 pixel bytes, `[3, 32, 32]`.
 *
 * @throws ShallowsError that names the file and the byte offset of what is missing, cut off or out of range
 * @see https://www.cs.toronto.edu/~kriz/cifar.html
 */
export async function readCifar100(folder: string, { labels = 'fine' }: Cifar100Options = {}): Promise<CifarTables> {
  const fn = 'readCifar100';
  const count = labels === 'fine' ? 100 : 20;
  const classes = await readNames(fn, join(folder, `${labels}_label_names.txt`), count, files100);
  const layout = { fn, labelBytes: 2, labelAt: labels === 'fine' ? 1 : 0, classes: count, files: files100 };
  const train = await readRecords(join(folder, 'train.bin'), layout);
  return { train, test: await readRecords(join(folder, 'test.bin'), layout), classes };
}

interface RecordLayout {
  readonly fn: string;
  readonly labelBytes: number;
  readonly labelAt: number;
  readonly classes: number;
  readonly files: string;
}

async function readRecords(
  file: string,
  { fn, labelBytes, labelAt, classes, files: names }: RecordLayout,
): Promise<ImageTable> {
  const bytes = await readBytes(fn, file, advice(names));
  const record = labelBytes + pixelBytes;
  const count = Math.floor(bytes.length / record);
  const rest = bytes.length - count * record;
  if (count === 0 || rest > 0) {
    const expected = `record ${count} of ${record} bytes`;
    throw formatError(fn, {
      file,
      offset: count * record,
      expected,
      got: rest === 0 ? 'the end of the file' : `${rest} bytes`,
    });
  }
  const pixels = new Uint8Array(count * pixelBytes);
  const labels = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const start = i * record;
    const label = bytes[start + labelAt] as number;
    if (label >= classes) {
      const expected = `the label of record ${i}, from 0 to ${classes - 1},`;
      throw formatError(fn, { file, offset: start + labelAt, expected, got: String(label) });
    }
    labels[i] = label;
    pixels.set(bytes.subarray(start + labelBytes, start + record), i * pixelBytes);
  }
  return { pixels, labels, shape };
}

async function readNames(fn: string, file: string, count: number, names: string): Promise<string[]> {
  const bytes = await readBytes(fn, file, advice(names));
  const lines = new TextDecoder()
    .decode(bytes)
    .split('\n')
    .map((line) => line.trim());
  const found = lines.filter((line) => line !== '');
  if (found.length !== count) {
    const expected = `${count} class names, one a line,`;
    throw formatError(fn, { file, offset: bytes.length, expected, got: `${found.length} at the end of the file` });
  }
  return found;
}
