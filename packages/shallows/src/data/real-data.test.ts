import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { batches } from './batches.js';
import { loadData } from './load.js';

const shared = (name: string): string => fileURLToPath(new URL(`../../../../../shared/data/${name}`, import.meta.url));
const path = shared('cifar10-mini');
const digits = shared('digits.csv');

test.skipIf(!existsSync(path))('5,000 and 1,000 pictures of CIFAR-10', async () => {
  using data = await loadData({ kind: 'cifar10', path });
  const { train, validation, mean, std } = data;
  expect([train.size, validation.size]).toEqual([5000, 1000]);
  expect(train.classes).toEqual('airplane automobile bird cat deer dog frog horse ship truck'.split(' '));
  for (const count of train.classCounts) expect(count).toBeGreaterThan(400);
  // The whole training set has means 0.4914 0.4822 0.4465 and deviations 0.2470 0.2435 0.2616.
  expect(mean).toBeAllclose([0.4914, 0.4822, 0.4465], { rtol: 0.02 });
  expect(std).toBeAllclose([0.247, 0.2435, 0.2616], { rtol: 0.02 });

  using all = batches(train, { batchSize: 5000, normalise: data }).at(0).inputs;
  const values = all.toArray();
  for (let channel = 0; channel < 3; channel++) {
    let sum = 0;
    let squares = 0;
    for (let row = 0; row < 5000; row++) {
      for (let i = 0; i < 1024; i++) {
        const value = Number(values[(3 * row + channel) * 1024 + i]);
        sum += value;
        squares += value * value;
      }
    }
    expect(sum / 5_120_000).toBeCloseTo(0, 4);
    expect(squares / 5_120_000).toBeCloseTo(1, 4);
  }
});

test.skipIf(!existsSync(digits))('1,797 handwritten digits in CSV, in memory and streamed', async () => {
  const config = { kind: 'csv', path: digits, target: 'label', task: 'classification' } as const;
  using held = await loadData(config);
  using streamed = await loadData({ ...config, stream: true });
  expect(held.train.size + held.validation.size).toBe(1797);
  expect(held.train.inputShape).toEqual([64]);
  expect(held.train.classes).toEqual('0123456789'.split(''));
  expect(streamed.train.digest).toBe(held.train.digest);
  // scikit-learn's load_digits() has between 174 and 183 of each.
  const counts = (held.train.classCounts ?? []).map((count, i) => count + (held.validation.classCounts?.[i] ?? 0));
  expect(counts).toEqual([178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);

  // The mean picture of each class, of the training rows, names three validation rows in four or more.
  const all = (set: typeof held.train) => set.batches({ batchSize: set.size }).at(0);
  const [train, validation] = [all(held.train), all(streamed.validation)];
  const [x, y, vx, vy] = [train.inputs, train.targets, validation.inputs, validation.targets].map((tensor) => {
    const values = Array.from(tensor.toArray(), Number);
    tensor.dispose();
    return values;
  }) as [number[], number[], number[], number[]];
  const means = Array.from({ length: 10 }, (_, digit) => {
    const rows = y.flatMap((label, row) => (label === digit ? [row] : []));
    return Array.from(
      { length: 64 },
      (_, f) => rows.reduce((sum, row) => sum + (x[64 * row + f] ?? 0), 0) / rows.length,
    );
  });
  const right = vy.filter((label, row) => {
    const distances = means.map((mean) =>
      mean.reduce((sum, value, f) => sum + (value - (vx[64 * row + f] ?? 0)) ** 2, 0),
    );
    return distances.indexOf(Math.min(...distances)) === label;
  });
  expect(right.length / vy.length).toBeGreaterThan(0.75);
});
