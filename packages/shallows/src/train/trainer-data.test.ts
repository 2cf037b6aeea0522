import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bytesOf, fitterOf, resnet, runKey, smallPictures } from '../../../../tests/support/fit.js';
import type { BatchSource, DataSplits } from '../data/index.js';
import type { Algorithm } from './algorithm.js';

let data: DataSplits;
beforeAll(async () => {
  data = await smallPictures();
});
afterAll(() => data.dispose());
const fit = fitterOf(() => data);

const plain = (epoch: number): BatchSource => data.train.batches({ batchSize: 16, key: runKey, epoch, shuffle: true });

/** The same batches from somewhere that must be waited for. */
function slow(said: string[], failing = -1): (epoch: number) => BatchSource {
  return (epoch) => {
    const source = plain(epoch);
    let ready = -1;
    return {
      length: source.length,
      at(i) {
        if (i > ready) throw new Error(`batch ${i} was not prepared`);
        return source.at(i);
      },
      async prepare(i) {
        await sleep(15);
        if (3 * epoch + i === failing) throw new Error('a hole in the disk');
        ready = Math.max(ready, i);
      },
      async close() {
        await sleep(1);
        said.push(`closed ${epoch}`);
      },
    };
  };
}

describe('a source that must be waited for', () => {
  test('gives the same run, is closed after each epoch, and its waits are told apart from work', async () => {
    const said: string[] = [];
    using waiting = await fit(resnet, null, { source: slow(said) });
    using memory = await fit(resnet, null, { source: plain });
    expect(bytesOf(waiting)).toBe(bytesOf(memory));
    // One look at the first epoch says how many batches there are.
    expect(said).toEqual(['closed 0', 'closed 1']);
    const [first] = waiting.of('batch-end');
    expect(first?.dataWaitMs).toBeGreaterThan(10);
    const [epoch] = waiting.of('epoch-end');
    const waits = waiting.of('batch-end').slice(0, 3);
    expect(epoch?.dataWaitMs).toBeCloseTo(
      waits.reduce((sum, { dataWaitMs }) => sum + dataWaitMs, 0),
      9,
    );
  });

  test('is closed where it fails, and where the run does', async () => {
    const said: string[] = [];
    await expect(fit(resnet, null, { source: slow(said, 4) })).rejects.toThrow('a hole in the disk');
    expect(said).toEqual(['closed 0', 'closed 1']);
    const thrower: Algorithm = {
      name: 'thrower',
      onBatchEnd: () => {
        throw new Error('no more');
      },
    };
    await expect(fit(resnet, null, { source: slow(said), algorithms: [thrower] })).rejects.toThrow('no more');
    expect(said).toEqual(['closed 0', 'closed 1', 'closed 0']);
  });
});

test('an epoch of another length is an error', async () => {
  const source = (epoch: number): BatchSource => (epoch === 0 ? plain(0) : data.train.batches({ batchSize: 24 }));
  await expect(fit(resnet, null, { source })).rejects.toThrow(
    'Trainer: expected 3 batches in epoch 1, as in the first, got 2 - give a source whose epochs are alike',
  );
});

test('a source without batches is an error', async () => {
  const source = (): BatchSource => ({ length: 0, at: () => plain(0).at(0) });
  await expect(fit(resnet, null, { source })).rejects.toThrow('expected at least one batch in an epoch, got none');
});

test('a device that is not there is an error', async () => {
  await expect(fit(resnet, null, { device: 'cuda:7' })).rejects.toThrow(/cuda|CUDA/);
});

test('what a run needed is told in its end', async () => {
  using fitted = await fit(resnet, null, { duration: '1ba' });
  expect(fitted.result.peakMemoryBytes).toBeGreaterThan(50e6);
});

test('a schedule that listens is told a metric of the task', async () => {
  const told: number[] = [];
  const schedule = Object.assign(() => 1, {
    report: (metric: number) => void told.push(metric),
    stateDict: () => null,
    loadStateDict: () => {},
  });
  using fitted = await fit(resnet, null, { schedule, scheduleMetric: 'accuracy' });
  expect(told).toEqual(fitted.of('evaluation').map(({ validation }) => validation.accuracy));
  await expect(fit(resnet, null, { schedule, scheduleMetric: 'f1' })).rejects.toThrow(
    "Trainer: expected scheduleMetric of loss, accuracy, got 'f1' - name a metric of the task",
  );
});
