import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stats } from '@shallows/torch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { settledTensors } from '../../../../../tests/support/settled-tensors.js';
import { ShallowsError } from '../../errors.js';
import type { Dataset } from '../dataset.js';
import { loadTable } from './load-table.js';
import type { CsvConfig } from './table-config.js';

const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
type Parts<T> = { readonly train: T; readonly validation: T };
/** What scikit-learn made of the two files. */
const sklearn = JSON.parse(readFileSync(fixture('encoding.json'), 'utf8')) as {
  readonly features: readonly string[];
  readonly onehot: Parts<number[][]>;
  readonly index: Parts<number[][]>;
  readonly y: Parts<number[]>;
  readonly label: Parts<string[]>;
};

const both = {
  kind: 'csv',
  path: fixture('encoding-train.csv'),
  validation: fixture('encoding-validation.csv'),
  missing: 'impute',
  categorical: ['city', 'owner'],
} as const satisfies Partial<CsvConfig>;
const regression = { ...both, target: 'y', task: 'regression', ignore: ['label'] } as const;

/** Everything that an epoch gives, in the order of the set. */
function rowsOf(dataset: Dataset, batchSize = 7) {
  const source = dataset.batches({ batchSize });
  const inputs: number[][] = [];
  const targets: number[][] = [];
  const indices: number[] = [];
  for (let i = 0; i < source.length; i++) {
    const batch = source.at(i);
    const split = (values: ArrayLike<number | bigint>): number[][] =>
      Array.from({ length: batch.size }, (_, row) => {
        const width = values.length / batch.size;
        return Array.from(values, Number).slice(row * width, (row + 1) * width);
      });
    inputs.push(...split(batch.inputs.toArray()));
    targets.push(...split(batch.targets.toArray()));
    indices.push(...batch.indices);
    batch.inputs.dispose();
    batch.targets.dispose();
  }
  return { inputs, targets, indices };
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shallows-table-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function write(text: string, name = 'table.csv'): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

describe.each([false, true])('stream: %s', (stream) => {
  test.each(['train', 'validation'] as const)('%s: one-hot and scaled, as scikit-learn has it', async (part) => {
    using data = await loadTable({ ...regression, stream });
    const dataset = data[part];
    const { inputs, targets, indices } = rowsOf(dataset);
    expect(data.fitted.features).toEqual(sklearn.features);
    expect(inputs.flat()).toBeAllclose(sklearn.onehot[part].flat(), { rtol: 1e-5, atol: 1e-6 });
    expect(targets.flat()).toBeAllclose(sklearn.y[part], { rtol: 1e-6 });
    expect(indices).toEqual(sklearn.y[part].map((_, i) => i));
    expect(dataset).toMatchObject({
      name: `csv/${part}`,
      task: 'regression',
      size: sklearn.y[part].length,
      inputShape: [sklearn.features.length],
      inputDtype: 'float32',
      targetShape: [1],
      classes: null,
      classCounts: null,
      vocabulary: null,
    });
  });

  test('indices of categories alone are int64, and 0 is what training does not know', async () => {
    using data = await loadTable({ ...regression, encoding: 'index', features: ['city', 'owner'], ignore: [], stream });
    for (const part of ['train', 'validation'] as const) {
      expect(rowsOf(data[part]).inputs).toEqual(sklearn.index[part]);
      expect(data[part]).toMatchObject({ inputDtype: 'int64', vocabulary: 4, inputShape: [2] });
      using inputs = data[part].batches({ batchSize: 3 }).at(0).inputs;
      expect(inputs.dtype).toBe('int64');
    }
  });

  test('classes: those that occur, or those that are named', async () => {
    const config = { ...both, target: 'label', task: 'classification', ignore: ['y'], stream } as const;
    using data = await loadTable(config);
    const counts = (part: 'train' | 'validation', names: readonly string[]): number[] =>
      names.map((name) => sklearn.label[part].filter((label) => label === name).length);
    const names = ['high', 'low', 'mid'];
    for (const part of ['train', 'validation'] as const) {
      expect(data[part].classes).toEqual(names);
      expect(data[part].classCounts).toEqual(counts(part, names));
      expect(data[part].targetShape).toEqual([]);
      expect(rowsOf(data[part]).targets.flat()).toEqual(sklearn.label[part].map((label) => names.indexOf(label)));
    }
    using ordered = await loadTable({ ...config, classes: ['low', 'mid', 'high', 'never'] });
    expect(ordered.train.classCounts).toEqual(counts('train', ['low', 'mid', 'high', 'never']));
    await expect(loadTable({ ...config, classes: ['low', 'high'] })).rejects.toThrow(
      /expected the classes low, high in column "label" of .*, got "mid" - add it to classes/,
    );
  });

  test('several targets, scaled by the training rows; numbers as they are', async () => {
    using data = await loadTable({
      ...both,
      target: ['y', 'income'],
      task: 'regression',
      features: ['age', 'always'],
      categorical: [],
      standardise: false,
      standardiseTarget: true,
      stream,
    });
    const { inputs, targets } = rowsOf(data.train);
    const column = (i: number): number[] => targets.map((row) => row[i] ?? Number.NaN);
    for (const i of [0, 1]) {
      const mean = column(i).reduce((sum, value) => sum + value, 0) / targets.length;
      expect(mean).toBeCloseTo(0, 5);
      expect(column(i).reduce((sum, value) => sum + value ** 2, 0) / targets.length).toBeCloseTo(1, 5);
    }
    expect(inputs[0]).toBeAllclose([30.377, 7.5], { rtol: 1e-6 });
  });

  test('split by content: copies stay together, more rows move none', async () => {
    const line = (i: number): string => `${(i * 37) % 101},${i % 4},c${i % 5}\n`;
    const many = Array.from({ length: 600 }, (_, i) => line(i % 500)).join('');
    const config = { kind: 'csv', target: 'c', task: 'classification', standardise: false, stream } as const;
    using all = await loadTable({ ...config, path: await write(`a,b,c\n${many}`) });
    const keys = (dataset: Dataset): string[] => {
      const { inputs, targets } = rowsOf(dataset);
      return inputs.map((row, i) => [...row, ...(targets[i] ?? [])].join());
    };
    const [train, validation] = [new Set(keys(all.train)), new Set(keys(all.validation))];
    expect([...train].filter((key) => validation.has(key))).toEqual([]);
    expect(all.train.size + all.validation.size).toBe(600);
    // A share of 0.2 of 500 distinct rows: 60 to 140 but for once in 100,000 times.
    expect(validation.size).toBeGreaterThan(60);
    expect(validation.size).toBeLessThan(140);
    const fewer = many.split('\n').slice(0, 300).join('\n');
    using half = await loadTable({ ...config, path: await write(`a,b,c\n${fewer}`, 'half.csv') });
    for (const key of keys(half.validation)) expect(validation.has(key)).toBe(true);
    for (const key of keys(half.train)) expect(train.has(key)).toBe(true);
  });

  test('segments are counted, limits keep the first rows of each part', async () => {
    const text = `x,y,s\n${Array.from({ length: 60 }, (_, i) => `${i},${2 * i},${['b', 'a', ''][i % 3]}\n`).join('')}`;
    const config = {
      kind: 'csv',
      path: await write(text, 'segments.csv'),
      target: 'y',
      task: 'regression',
      segment: 's',
      stream,
    } as const;
    using data = await loadTable({ ...config, validation: config.path });
    expect(data.train.segmentCounts).toEqual({ '(none)': 20, a: 20, b: 20 });
    using few = await loadTable({ ...config, validation: config.path, limit: { train: 7 }, standardise: false });
    expect(few.train.segmentCounts).toEqual({ '(none)': 2, a: 2, b: 3 });
    expect(rowsOf(few.train).inputs.flat()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(few.validation.size).toBe(60);
    expect(data.fitted).not.toEqual(few.fitted);
  });

  test('rows that miss a value: an error, left out, or the mean', async () => {
    const text = 'x,c,y\n1,a,1\n,b,2\n3,,3\n5,a,\n7,b,5\n';
    const path = await write(text, 'gaps.csv');
    const config = {
      kind: 'csv',
      path,
      validation: path,
      target: 'y',
      task: 'regression',
      categorical: ['c'],
      standardise: false,
      stream,
    } as const;
    await expect(loadTable(config)).rejects.toThrow(
      `expected a value in row 2, column "x" of ${path}, got none - write missing: impute or missing: drop`,
    );
    await expect(loadTable({ ...config, missing: 'impute' })).rejects.toThrow('in row 4, column "y"');
    using dropped = await loadTable({ ...config, missing: 'drop' });
    expect(rowsOf(dropped.train)).toMatchObject({
      inputs: [
        [1, 1, 0],
        [7, 0, 1],
      ],
      targets: [[1], [5]],
    });
    const filled = await write(text.replace('5,a,\n', '5,a,4\n'), 'filled.csv');
    using imputed = await loadTable({ ...config, path: filled, validation: filled, missing: 'impute' });
    expect(rowsOf(imputed.train).inputs).toEqual([
      [1, 1, 0],
      [4, 0, 1],
      [3, 0, 0],
      [5, 1, 0],
      [7, 0, 1],
    ]);
  });
});

test('the digest is that of the content: however it is held and written, and only then', async () => {
  const digests = async (config: Partial<CsvConfig>): Promise<string[]> => {
    using data = await loadTable({ ...regression, ...config });
    return [data.train.digest, data.validation.digest];
  };
  const own = await digests({});
  expect(own[0]).not.toBe(own[1]);
  expect(await digests({ stream: true })).toEqual(own);
  const text = await readFile(regression.path, 'utf8');
  const other = text.replace('7.5', '7.50').replaceAll('\n', '\r\n').replace(',yes,', ',"yes",');
  expect(await digests({ path: await write(other, 'same.csv') })).toEqual(own);
  expect((await digests({ path: await write(text.replace('7.5', '7.6'), 'other.csv') }))[0]).not.toBe(own[0]);
  expect((await digests({ ignore: ['label', 'always'] }))[0]).not.toBe(own[0]);
});

test('a table is the same from CSV and from Parquet', async () => {
  const parquet = {
    kind: 'parquet',
    path: fixture('rows-20000.parquet'),
    target: 'y',
    task: 'regression',
    categorical: ['city'],
  } as const;
  using data = await loadTable({ ...parquet, limit: { train: 500, validation: 100 } });
  const { inputs, targets } = rowsOf(data.train, 500);
  expect(data.train.inputShape).toEqual([10]);
  expect(inputs.length).toBe(500);
  const lines: string[] = [];
  for (let k = 0; k < 1000; k++) {
    const x = Array.from({ length: 6 }, (_, j) => ((k * (2 * j + 3)) % 251) / 251);
    lines.push(
      [...x, ['Rome', 'Oslo', 'Bonn', 'Lima'][Math.floor(k / 3) % 4], Math.fround(((k * 7) % 97) / 97)].join(),
    );
  }
  const path = await write(`x0,x1,x2,x3,x4,x5,city,y\n${lines.join('\n')}\n`, 'rows.csv');
  using csv = await loadTable({ ...parquet, kind: 'csv', path, limit: { train: 500, validation: 100 } });
  expect(rowsOf(csv.train, 500)).toEqual({ inputs, targets, indices: expect.anything() });
  expect([csv.train.digest, csv.validation.digest]).toEqual([data.train.digest, data.validation.digest]);
});

test.each([
  [{ target: 'yy' }, 'expected a column "yy"'],
  [{ target: [] }, 'expected a target, got none'],
  [{ target: ['y', 'age'], task: 'classification' }, 'expected one target for classification, got 2'],
  [{ segment: 'y' }, 'expected each column in one role, got "y" in two'],
  [{ features: ['age'], categorical: ['city'] }, 'expected categorical columns among the features, got "city"'],
  [{ features: [] }, 'expected features in'],
  [{ categorical: [] }, 'expected a number in row 1, column "city"'],
  [{ delimiter: '' }, 'expected a delimiter of one character'],
  [{ window: 0 }, 'expected a window of 1 chunk or more'],
  [{ validation: undefined, validationShare: 0 }, 'expected a share of rows between 0 and 1'],
  [
    { validation: undefined, validationShare: 1e-9 },
    'expected rows on both sides of the split by content, got none for validation of 40',
  ],
] as const)('refuses %j', async (options, message) => {
  const error: unknown = await loadTable({ ...regression, ...options } as CsvConfig).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(ShallowsError);
  expect((error as ShallowsError).message).toContain(message);
});

test('too many categories for columns of 0 and 1', async () => {
  const text = `x,y\n${Array.from({ length: 10_001 }, (_, i) => `c${i},1\n`).join('')}`;
  const path = await write(text, 'many.csv');
  const config = { kind: 'csv', path, validation: path, target: 'y', task: 'regression', categorical: ['x'] } as const;
  await expect(loadTable(config)).rejects.toThrow('expected at most 10000 different values in column "x"');
  using data = await loadTable({ ...config, encoding: 'index' });
  expect(data.train.vocabulary).toBe(10_002);
});

test('pictures alone are augmented and normalised', async () => {
  using data = await loadTable(regression);
  expect(() => data.train.batches({ batchSize: 2, augment: { flip: true } })).toThrow(
    'expected no augment.flip for csv/train',
  );
  expect(() => data.train.batches({ batchSize: 2, normalise: { mean: [0], std: [1] } })).toThrow(
    'expected no normalise',
  );
  expect(data.train.batches({ batchSize: 2, augment: { flip: false } }).length).toBe(20);
});

test('dispose frees everything', async () => {
  const before = await settledTensors();
  for (const stream of [false, true]) {
    const data = await loadTable({ ...regression, stream });
    rowsOf(data.train);
    data.dispose();
  }
  expect(stats().liveTensors).toBe(before);
});
