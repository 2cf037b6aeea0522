import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { batches } from './batches.js';
import { loadData } from './load.js';

const path = fileURLToPath(new URL('../../../../../shared/data/cifar10-mini', import.meta.url));

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
