import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stats } from '@shallows/torch';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { settledTensors } from '../../../../../tests/support/settled-tensors.js';
import type { Dataset } from '../dataset.js';
import type { NpyConfig } from './arrays-config.js';
import { loadArrays } from './load-arrays.js';
import type { NumpySource } from './write-npy.js';
import { npyBytes, writeNpy } from './write-npy.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shallows-arrays-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function array(name: string, source: NumpySource): Promise<string> {
  const path = join(folder, `${name}.npy`);
  await writeNpy(path, source);
  return path;
}

const rows = 200;
const inputs = {
  values: Float64Array.from({ length: rows * 3 }, (_, i) => (i % 3 === 2 ? 4 : (i * 37) % 101)),
  shape: [rows, 3],
};
const labels = { values: Int32Array.from({ length: rows }, (_, i) => i % 4), shape: [rows] };
const numbers = { values: Float32Array.from({ length: rows * 2 }, (_, i) => i / 8), shape: [rows, 2] };

async function config(more: Partial<NpyConfig> = {}): Promise<NpyConfig> {
  return { kind: 'npy', inputs: await array('x', inputs), targets: await array('y', labels), ...more };
}

function all(dataset: Dataset): { inputs: number[]; targets: number[] } {
  const batch = dataset.batches({ batchSize: dataset.size }).at(0);
  const found = {
    inputs: Array.from(batch.inputs.toArray(), Number),
    targets: Array.from(batch.targets.toArray(), Number),
  };
  batch.inputs.dispose();
  batch.targets.dispose();
  return found;
}

test('whole numbers are classes, others are learnt as they are', async () => {
  using data = await loadArrays(await config());
  expect(data.train).toMatchObject({
    name: 'npy/train',
    task: 'classification',
    classes: ['0', '1', '2', '3'],
    inputShape: [3],
    targetShape: [],
  });
  expect(data.train.size + data.validation.size).toBe(rows);
  expect((data.train.classCounts ?? []).reduce((sum, count) => sum + count, 0)).toBe(data.train.size);
  using named = await loadArrays(await config({ classes: ['a', 'b', 'c', 'd', 'e'] }));
  expect(named.train.classes?.length).toBe(5);
  using regression = await loadArrays(await config({ targets: await array('numbers', numbers) }));
  expect(regression.train).toMatchObject({ task: 'regression', targetShape: [2], classes: null });
  using counted = await loadArrays(await config({ task: 'regression' }));
  expect(counted.train).toMatchObject({ task: 'regression', targetShape: [1] });
});

test('the split is by content, and keeps rows with their targets', async () => {
  using data = await loadArrays(await config({ targets: await array('numbers', numbers) }));
  const parts = [data.train, data.validation].map(all);
  const seen = parts.flatMap((part) => part.targets.filter((_, i) => i % 2 === 0).map((target) => (8 * target) / 2));
  expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: rows }, (_, i) => i));
  for (const part of parts) {
    const own = part.targets.filter((_, i) => i % 2 === 0).map((target) => (8 * target) / 2);
    expect(part.inputs).toEqual(own.flatMap((row) => [...inputs.values.subarray(3 * row, 3 * row + 3)]));
  }
});

test('standardised by the training rows; a feature that never changes becomes 0', async () => {
  using data = await loadArrays(await config({ standardise: true, validationShare: 0.3 }));
  const values = all(data.train).inputs;
  for (const feature of [0, 1]) {
    const column = values.filter((_, i) => i % 3 === feature);
    const mean = column.reduce((sum, value) => sum + value, 0) / column.length;
    expect(mean).toBeCloseTo(0, 5);
    expect(column.reduce((sum, value) => sum + value ** 2, 0) / column.length).toBeCloseTo(1, 5);
  }
  expect(values.filter((_, i) => i % 3 === 2).every((value) => value === 0)).toBe(true);
  const { mean, std } = data.fitted as { mean: number[]; std: number[] };
  using raw = await loadArrays(await config({ validationShare: 0.3 }));
  const expected = all(raw.validation).inputs.map((value, i) => (value - (mean[i % 3] ?? 0)) / (std[i % 3] ?? 1));
  expect(all(data.validation).inputs).toBeAllclose(expected, { rtol: 1e-4, atol: 1e-5 });
  expect([data.train.digest, data.validation.digest]).toEqual([raw.train.digest, raw.validation.digest]);
});

test('channels of arrays of more dimensions', async () => {
  const pictures = {
    values: Uint8Array.from({ length: 20 * 2 * 3 * 3 }, (_, i) =>
      Math.floor(i / 9) % 2 === 0 ? i % 7 : 200 + (i % 11),
    ),
    shape: [20, 2, 3, 3],
  };
  const y = await array('few', { values: Float32Array.from({ length: 20 }, (_, i) => i), shape: [20] });
  const path = await array('pictures', pictures);
  using data = await loadArrays({
    kind: 'npy',
    inputs: path,
    targets: y,
    validationInputs: path,
    validationTargets: y,
    standardise: true,
  });
  const { mean } = data.fitted as { mean: number[] };
  expect(mean.length).toBe(2);
  const channel = [...pictures.values].filter((_, i) => Math.floor(i / 9) % 2 === 1);
  expect(mean[1]).toBeCloseTo(channel.reduce((sum, value) => sum + value, 0) / channel.length, 8);
  expect(data.train.inputShape).toEqual([2, 3, 3]);
});

test('numbers of tokens as inputs', async () => {
  const tokens = { values: BigInt64Array.from({ length: rows * 4 }, (_, i) => BigInt(i % 9)), shape: [rows, 4] };
  using data = await loadArrays(await config({ inputs: await array('tokens', tokens), inputDtype: 'int64' }));
  expect(data.train).toMatchObject({ inputDtype: 'int64', vocabulary: 9, inputShape: [4] });
  expect(data.validation.vocabulary).toBe(9);
  using few = await loadArrays(
    await config({ inputs: await array('tokens', tokens), inputDtype: 'int64', limit: { train: 1, validation: 1 } }),
  );
  expect(few.train.vocabulary).toBe(few.validation.vocabulary);
  expect(all(data.train).inputs.every((value) => Number.isInteger(value) && value < 9)).toBe(true);
});

test('an .npz file, with arrays that validate, and limits', async () => {
  const entry = (name: string, source: NumpySource): { name: string; bytes: Uint8Array } => ({
    name: `${name}.npy`,
    bytes: npyBytes(source),
  });
  const path = join(folder, 'all.npz');
  await writeFile(path, stored([entry('a', inputs), entry('b', labels), entry('va', inputs), entry('vb', labels)]));
  const npz = {
    kind: 'npz',
    path,
    inputs: 'a',
    targets: 'b',
    validationInputs: 'va',
    validationTargets: 'vb',
  } as const;
  using data = await loadArrays({ ...npz, limit: { train: 7, validation: 500 } });
  expect([data.train.size, data.validation.size, data.train.name]).toEqual([7, rows, 'npz/train']);
  expect(all(data.train).inputs).toEqual([...inputs.values.subarray(0, 21)]);
  await expect(loadArrays({ ...npz, inputs: 'c' })).rejects.toThrow('expected an array "c"');
});

/** A zip archive without packing or sums of its own. */
function stored(entries: readonly { name: string; bytes: Uint8Array }[]): Buffer {
  const { crc32 } = process.getBuiltinModule('node:zlib');
  const bodies: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const { name, bytes } of entries) {
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(name.length, 26);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt32LE(crc32(bytes), 16);
    central.writeUInt32LE(bytes.length, 20);
    central.writeUInt32LE(bytes.length, 24);
    central.writeUInt16LE(name.length, 28);
    central.writeUInt32LE(at, 42);
    bodies.push(local, Buffer.from(name), Buffer.from(bytes));
    directory.push(central, Buffer.from(name));
    at += 30 + name.length + bytes.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...bodies, ...directory, end]);
}

test.each([
  [
    'fewer targets',
    { targets: () => array('short', { values: Int32Array.of(1, 2), shape: [2] }) },
    /expected as many rows in .*short\.npy as the 200 of .*, got 2/,
  ],
  [
    'targets of two dimensions as classes',
    { task: 'classification', targets: () => array('numbers', numbers) },
    /expected whole numbers \[N\] as classes, got float32 \[200, 2\]/,
  ],
  [
    'a negative class',
    { targets: () => array('negative', { values: labels.values.with(3, -1), shape: [rows] }) },
    /expected classes from 0 in .*, got -1 in row 3/,
  ],
  ['too few names', { classes: ['a'] }, 'expected targets from 0 to 0, got 3'],
  [
    'one row a number',
    { inputs: () => array('flat', { values: new Float32Array(rows), shape: [rows] }) },
    'expected real inputs [N, …] in',
  ],
  [
    'numbers that are not finite',
    { inputs: () => array('nan', { ...inputs, values: inputs.values.with(7, Number.NaN) }) },
    /expected finite numbers in .*, got NaN in row 2/,
  ],
  [
    'half a validation set',
    { validationInputs: () => array('x', inputs) },
    'expected both validationInputs and validationTargets, got one',
  ],
  ['fractions as tokens', { inputDtype: 'int64' }, /expected whole numbers in .* as int64 inputs, got float64/],
] as const)('refuses %s', async (_, more, message) => {
  const own: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(more)) own[key] = typeof value === 'function' ? await value() : value;
  await expect(loadArrays(await config(own))).rejects.toThrow(message);
});

test('dispose frees everything', async () => {
  const before = await settledTensors();
  const data = await loadArrays(await config({ standardise: true }));
  data.dispose();
  expect(stats().liveTensors).toBe(before);
});
