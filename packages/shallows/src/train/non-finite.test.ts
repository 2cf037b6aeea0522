import { stats } from '@shallows/torch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bytesOf, fitterOf, resnet, runKey, smallPictures, transformer } from '../../../../tests/support/fit.js';
import { settledTensors } from '../../../../tests/support/settled-tensors.js';
import type { DataSplits } from '../data/index.js';
import type { Algorithm } from './algorithm.js';

let data: DataSplits;
beforeAll(async () => {
  data = await smallPictures();
});
afterAll(() => data.dispose());
const fit = fitterOf(() => data);

/** Makes the loss of some batches NaN, and what the batch does to running means too. */
function poison(...batches: readonly number[]): Algorithm {
  return {
    name: 'poison',
    onBatchStart: (_, batch) => {
      if (batches.includes(batch.batch)) batch.inputs = batch.inputs.mul(Number.NaN);
    },
  };
}

/** Makes gradients of some batches infinite, while losses stay finite. */
function explode(...batches: readonly number[]): Algorithm {
  return {
    name: 'explode',
    onMicrobatchEnd: (training, step) => {
      if (!batches.includes(step.batch)) return;
      for (const [, each] of training.model.namedParameters()) each.grad = each.grad?.div(0) ?? null;
    },
  };
}

const rowsOf = (batch: number): number[] => {
  const source = data.train.batches({ batchSize: 16, key: runKey, epoch: Math.floor(batch / 3), shuffle: true });
  const { inputs, targets, indices } = source.at(batch % 3);
  inputs.dispose();
  targets.dispose();
  return [...indices];
};

describe('stop', () => {
  test.each([1, 3, 100])('names the first such batch where every loss of %d is read back', async (logEvery) => {
    const events: unknown[] = [];
    const before = await settledTensors();
    const failing = fit(resnet, null, {
      algorithms: [poison(4)],
      duration: '9ep',
      logEvery,
      callbacks: [{ onEvent: (event) => void (event.kind === 'non-finite' && events.push(event)) }],
    });
    await expect(failing).rejects.toThrow(
      `Trainer: expected a finite loss, got NaN in batch 5 (epoch 1, batch 1 of it, rows ${rowsOf(4).slice(0, 8).join(', ')} and 8 more`,
    );
    expect(events).toMatchObject([
      { action: 'stop', epoch: 1, batch: 1, indices: rowsOf(4), loss: Number.NaN, lrFactor: 1 },
    ]);
    expect(stats().liveTensors).toBe(before);
  });

  test('is found at the end of the run too', async () => {
    await expect(fit(resnet, null, { algorithms: [poison(1)], duration: '2ba', logEvery: 100 })).rejects.toThrow(
      'got NaN in batch 2',
    );
  });

  test('no state is taken of weights that are not finite', async () => {
    const saver: Algorithm = {
      name: 'saver',
      onBatchEnd: (training) => void (training.progress.batch === 3 && training.state()),
    };
    await expect(fit(resnet, null, { algorithms: [poison(1), saver], logEvery: 100 })).rejects.toThrow(
      'saver (onBatchEnd): Trainer.state: expected finite weights, got NaN or infinity after batch 3',
    );
  });
});

describe('skip', () => {
  test('leaves the batch out: weights, buffers and momenta are as if it had not been', async () => {
    const skipping: Algorithm = {
      name: 'skipping',
      // The batch before the bad one, and the one after it.
      onBatchEnd: (training) => void states.push([training.progress.batch, bytesOf(training)]),
    };
    const states: [number, string][] = [];
    using fitted = await fit(resnet, null, {
      algorithms: [poison(2), skipping],
      onNonFinite: 'skip',
      logEvery: 1,
      duration: '5ba',
    });
    expect(fitted.of('non-finite')).toMatchObject([
      { action: 'skip', epoch: 0, batch: 2, indices: rowsOf(2), loss: Number.NaN, lrFactor: 1, at: { batch: 3 } },
    ]);
    const [, two, three, four] = states.map(([, bytes]) => bytes);
    expect(three).toBe(two);
    expect(four).not.toBe(three);
    expect(fitted.of('batch-end').map(({ loss }) => loss === null)).toEqual([false, false, true, false, false]);
    const [epoch] = fitted.of('epoch-end');
    const losses = fitted.of('batch-end').map(({ loss }) => loss ?? 0);
    expect(epoch?.trainLoss).toBeCloseTo(((losses[0] ?? 0) + (losses[1] ?? 0)) / 2, 5);
    expect(fitted.result).toMatchObject({ reason: 'done', at: { batch: 5, sample: 80 } });
  });

  test.each(['float32', 'float16'] as const)('sees gradients whose loss is finite, in %s', async (precision) => {
    using fitted = await fit(transformer, null, {
      precision,
      algorithms: [explode(1)],
      microbatches: 2,
      onNonFinite: 'skip',
      duration: '3ba',
    });
    // Gradients of float16 overflow where the scale is too high: that is no event.
    expect(fitted.of('non-finite').map(({ batch, loss }) => [batch, Number.isFinite(loss)])).toEqual(
      precision === 'float32' ? [[1, true]] : [],
    );
    for (const [, each] of fitted.model.namedParameters())
      expect(Array.from(each.toArray(), Number).every(Number.isFinite)).toBe(true);
  });

  test('changes nothing where all is finite', async () => {
    const depth = { drop: 0.5, schedule: 'uniform' } as const;
    using stopping = await fit(resnet, depth);
    using skipping = await fit(resnet, depth, { onNonFinite: 'skip' });
    expect(bytesOf(skipping)).toBe(bytesOf(stopping));
  });

  test('ends where nothing is finite any more', async () => {
    const batches = Array.from({ length: 40 }, (_, i) => i + 2);
    await expect(
      fit(resnet, null, { algorithms: [poison(...batches)], onNonFinite: 'skip', duration: '40ba' }),
    ).rejects.toThrow('Trainer: expected a finite loss within 20 batches, got none up to batch 23');
  });
});

describe('lower', () => {
  test('halves the learning rate from then on, and a resumed run keeps it', async () => {
    const saved: number[] = [];
    const saver: Algorithm = {
      name: 'saver',
      onBatchEnd: (training) => void saved.push(Number(training.state().json['lrFactor'])),
    };
    using fitted = await fit(resnet, null, {
      algorithms: [poison(1, 3), saver],
      onNonFinite: 'lower',
      lr: 0.08,
      duration: '6ba',
    });
    expect(fitted.of('batch-end').map(({ lr }) => lr)).toEqual([0.08, 0.08, 0.04, 0.04, 0.02, 0.02]);
    expect(fitted.of('non-finite').map(({ lrFactor, batch, epoch }) => [lrFactor, epoch, batch])).toEqual([
      [0.5, 0, 1],
      [0.25, 1, 0],
    ]);
    expect(saved).toEqual([1, 0.5, 0.5, 0.25, 0.25, 0.25]);
  });
});
