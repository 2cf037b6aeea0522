import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stats } from '@shallows/torch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { deriveKey, rootKey } from '../../random/index.js';
import type { Dataset } from '../dataset.js';
import { writeNpy } from '../numpy/write-npy.js';
import { loadSeries } from './load-series.js';
import { generateSeasonal, seasonal } from './seasonal.js';
import { type Series, seriesWindows } from './windows.js';

const key = deriveKey(rootKey(8), 'series');
const steps = 40;
/** Channel c at step t is t + 100 c. */
const series: Series = {
  values: Float64Array.from({ length: steps * 3 }, (_, i) => Math.floor(i / 3) + 100 * (i % 3)),
  channels: ['a', 'b', 'c'],
  targets: [0, 1, 2],
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shallows-series-'));
});
afterAll(() => rm(folder, { recursive: true }));

function all(dataset: Dataset): { inputs: number[][]; targets: number[][] } {
  const { inputs, targets, size } = dataset.batches({ batchSize: dataset.size }).at(0);
  const listed = (values: ArrayLike<number | bigint>): number[][] =>
    Array.from({ length: size }, (_, row) =>
      Array.from(values, Number).slice((row * values.length) / size, ((row + 1) * values.length) / size),
    );
  const found = { inputs: listed(inputs.toArray()), targets: listed(targets.toArray()) };
  inputs.dispose();
  targets.dispose();
  return found;
}

const plain = { input: 5, horizon: 2, standardise: false } as const;
const at = (t: number, channels: readonly number[]): number[] => channels.map((c) => t + 100 * c);

describe('seriesWindows', () => {
  test('a row is W steps of all channels, its target the H steps after them, step by step', () => {
    using data = seriesWindows('toy', { ...series, targets: [2, 0] }, { ...plain, stride: 3 });
    // 32 of 40 steps train: starts 0, 3, … while start + 7 <= 32.
    const starts = [0, 3, 6, 9, 12, 15, 18, 21, 24];
    const { inputs, targets } = all(data.train);
    expect(inputs).toEqual(starts.map((s) => [0, 1, 2, 3, 4].flatMap((t) => at(s + t, [0, 1, 2]))));
    expect(targets).toEqual(starts.map((s) => [5, 6].flatMap((t) => at(s + t, [2, 0]))));
    expect(data.train).toMatchObject({
      name: 'toy/train',
      task: 'regression',
      inputShape: [5, 3],
      targetShape: [4],
      size: 9,
    });
    expect(data.fitted).toMatchObject({ channels: ['a', 'b', 'c'], targets: ['c', 'a'], input: 5, horizon: 2 });
  });

  test('training rows end before the validation steps; validation rows forecast those alone', () => {
    for (const validationShare of [0.1, 0.2, 0.5]) {
      using data = seriesWindows('toy', series, { ...plain, validationShare });
      const cut = Math.round(steps * (1 - validationShare));
      const [train, validation] = [all(data.train), all(data.validation)];
      const last = (rows: number[][]): number => Math.max(...rows.map((row) => (row.at(-1) ?? 0) - 200));
      const first = (rows: number[][]): number => Math.min(...rows.map((row) => row[0] ?? 0));
      expect([last(train.targets), first(validation.targets), last(validation.targets)]).toEqual([
        cut - 1,
        cut,
        steps - 1,
      ]);
      expect(first(validation.inputs)).toBe(cut - 5);
      expect([data.train.size, data.validation.size]).toEqual([cut - 6, steps - cut - 1]);
    }
  });

  test('mean and deviation are those of the training steps, for inputs and targets', () => {
    using data = seriesWindows('toy', series, { input: 5, horizon: 2 });
    const train = Array.from({ length: 32 }, (_, t) => t);
    const mean = train.reduce((sum, t) => sum + t, 0) / 32;
    const std = Math.sqrt(train.reduce((sum, t) => sum + (t - mean) ** 2, 0) / 32);
    expect(data.fitted.mean).toBeAllclose([mean, mean + 100, mean + 200], { rtol: 1e-12 });
    expect(data.fitted.std).toBeAllclose([std, std, std], { rtol: 1e-12 });
    const { targets } = all(data.validation);
    expect(targets[0]).toBeAllclose(
      [32, 32, 32, 33, 33, 33].map((t) => (t - mean) / std),
      { rtol: 1e-5 },
    );
  });

  test('batches are pure, limited, and free what they need', () => {
    const before = stats().liveTensors;
    const data = seriesWindows('toy', series, { ...plain, limit: { train: 6 } });
    expect(data.train.size).toBe(6);
    const rows = all(data.train).inputs;
    const source = data.train.batches({ batchSize: 4, shuffle: true, key, epoch: 2 });
    const { inputs, targets, indices } = source.at(1);
    expect(Array.from(inputs.toArray(), Number)).toEqual([...indices].flatMap((row) => rows[row] ?? []));
    inputs.dispose();
    targets.dispose();
    data.validation.dispose();
    expect(stats().liveTensors).toBe(before + 1);
    data.train.dispose();
    expect(stats().liveTensors).toBe(before);
  });

  test.each([
    [{ input: 0 }, 'expected a whole number from 1 as input, got 0'],
    [{ horizon: 1.5 }, 'as horizon, got 1.5'],
    [{ stride: -1 }, 'as stride, got -1'],
    [{ validationShare: 0 }, 'expected a validationShare between 0 and 1, got 0'],
    [{ input: 31 }, 'expected at least 33 of the 40 steps of toy on each side, got 32 for train'],
    [{ horizon: 9 }, 'expected at least 9 of the 40 steps of toy on each side, got 8 for validation'],
  ])('refuses %j', (more, message) => {
    expect(() => seriesWindows('toy', series, { ...plain, ...more })).toThrow(message);
  });
});

describe('files', () => {
  const csv = `${['2020', '2019', 'note'].join()}\n${Array.from({ length: steps }, (_, t) => `${t + 100},${t},${t % 3}\n`).join('')}`;

  test('CSV: columns are channels, in the order asked for', async () => {
    const path = join(folder, 'a.csv');
    await writeFile(path, csv);
    using data = await loadSeries({ kind: 'series', path, columns: ['2020', '2019'], targets: ['2019'], ...plain });
    const { inputs, targets } = all(data.train);
    expect(inputs[0]?.slice(0, 4)).toEqual([100, 0, 101, 1]);
    expect(targets[0]).toEqual([5, 6]);
    using whole = await loadSeries({ kind: 'series', path, ...plain });
    expect(whole.train.inputShape).toEqual([5, 3]);
    expect(whole.fitted.channels).toEqual(['2020', '2019', 'note']);
    await expect(loadSeries({ kind: 'series', path, targets: ['202'], ...plain })).rejects.toThrow(
      "did you mean '2020'?",
    );
    await writeFile(path, csv.replace('105,5,', '105,,'));
    await expect(loadSeries({ kind: 'series', path, ...plain })).rejects.toThrow(
      /expected a finite number in row 6, column "2019" of .*a\.csv, got NaN - fill it in/,
    );
  });

  test('.npy: one channel or several', async () => {
    const path = join(folder, 'a.npy');
    await writeNpy(path, { values: series.values as Float64Array<ArrayBuffer>, shape: [steps, 3] });
    using data = await loadSeries({ kind: 'series', path, columns: ['2', '0'], ...plain });
    expect(all(data.train).inputs[0]?.slice(0, 4)).toEqual([200, 0, 201, 1]);
    await writeNpy(path, { values: Int16Array.from({ length: steps }, (_, t) => t), shape: [steps] });
    using one = await loadSeries({ kind: 'series', path, ...plain });
    expect(all(one.train).targets[0]).toEqual([5, 6]);
    await expect(loadSeries({ kind: 'series', path, columns: ['1'], ...plain })).rejects.toThrow(
      'expected a column "1"',
    );
    await writeNpy(path, { values: new Float32Array(8), shape: [2, 2, 2] });
    await expect(loadSeries({ kind: 'series', path, ...plain })).rejects.toThrow(
      'got float32 [2, 2, 2] - reshape them',
    );
  });

  test('the digest is of the values', async () => {
    const digests = async (text: string, name: string): Promise<string[]> => {
      await writeFile(join(folder, name), text);
      using data = await loadSeries({ kind: 'series', path: join(folder, name), ...plain });
      return [data.train.digest, data.validation.digest];
    };
    const own = await digests(csv, 'one.csv');
    expect(await digests(csv.replaceAll('\n', '\r\n'), 'two.csv')).toEqual(own);
    expect(await digests(csv.replace('139,39,', '139,38,'), 'three.csv')).toEqual([
      own[0],
      expect.not.stringMatching(own[1] ?? ''),
    ]);
  });
});

describe('seasonal', () => {
  test('without noise: the two seasons, with phases of its own for each channel', () => {
    const values = seasonal({ key, steps: 1008, channels: 2, noise: 0 });
    for (const channel of [0, 1]) {
      const own = Array.from({ length: 1008 }, (_, t) => values[2 * t + channel] ?? Number.NaN);
      for (let t = 0; t + 168 < 1008; t += 13) expect(own[t + 168]).toBeCloseTo(own[t] ?? Number.NaN, 9);
      const power = (period: number): number => {
        let [re, im] = [0, 0];
        for (const [t, x] of own.entries()) {
          re += x * Math.cos((2 * Math.PI * t) / period);
          im += x * Math.sin((2 * Math.PI * t) / period);
        }
        return (2 * Math.hypot(re, im)) / own.length;
      };
      expect(power(24)).toBeCloseTo(1, 9);
      expect(power(168)).toBeCloseTo(0.5, 9);
      expect(power(48)).toBeCloseTo(0, 9);
    }
    expect(values[0]).not.toBeCloseTo(values[1] ?? 0, 3);
  });

  test('the noise has the given deviation and a memory of 0.8', () => {
    const count = 50_000;
    const [clean, noisy] = [0, 0.5].map((noise) => seasonal({ key, steps: count, noise }));
    const n = Array.from(noisy ?? [], (value, t) => value - (clean?.[t] ?? 0));
    const variance = n.reduce((sum, each) => sum + each ** 2, 0) / count;
    const lag = n.slice(1).reduce((sum, each, t) => sum + each * (n[t] ?? 0), 0) / count / variance;
    // Correlated by 0.8 a step the variance has (1 + 0.64) / (1 − 0.64) times the error of independent draws: 5 of these.
    expect(Math.abs(variance / 0.25 - 1)).toBeLessThan(5 * Math.sqrt((2 / count) * (1.64 / 0.36)));
    expect(Math.abs(lag - 0.8)).toBeLessThan(5 * Math.sqrt((1 - 0.64) / count));
  });

  test('more steps do not change the first ones; another key does', () => {
    const values = seasonal({ key, steps: 50, channels: 2 });
    expect(seasonal({ key, steps: 90, channels: 2 }).subarray(0, 100)).toEqual(values);
    expect(seasonal({ key: deriveKey(key, 1), steps: 50, channels: 2 })).not.toEqual(values);
    using data = generateSeasonal({ kind: 'seasonal', steps: 200, channels: 2, input: 24, horizon: 6 }, key);
    expect(data.train).toMatchObject({ name: 'seasonal/train', inputShape: [24, 2], targetShape: [12] });
  });

  test.each([
    [{ steps: 0 }, 'expected a whole number from 1 as steps'],
    [{ channels: 0 }, 'as channels, got 0'],
    [{ noise: -1 }, 'expected a number from 0 as noise'],
  ])('refuses %j', (more, message) => {
    expect(() => seasonal({ key, steps: 10, ...more })).toThrow(message);
  });
});
