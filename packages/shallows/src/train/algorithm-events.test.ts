import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bytesOf, fitterOf, resnet, smallPictures, transformer } from '../../../../tests/support/fit.js';
import type { DataSplits } from '../data/index.js';
import type { Algorithm, Step, Training, WholeBatch } from './algorithm.js';
import type { AlgorithmEvent } from './handlers.js';

let data: DataSplits;
beforeAll(async () => {
  data = await smallPictures();
});
afterAll(() => data.dispose());
const fit = fitterOf(() => data);

const all: readonly AlgorithmEvent[] = [
  'onFitStart',
  'onFitEnd',
  'onEpochStart',
  'onEpochEnd',
  'onBatchStart',
  'onMicrobatchStart',
  'onForwardStart',
  'onForwardEnd',
  'onLossStart',
  'onLossEnd',
  'onBackwardStart',
  'onBackwardEnd',
  'onMicrobatchEnd',
  'onOptimizerStepStart',
  'onOptimizerStepEnd',
  'onBatchEnd',
  'onEvaluationStart',
  'onEvaluationEnd',
  'onCheckpointStart',
  'onCheckpointEnd',
];

/** Says every event that it is asked about. */
function speaker(name: string, said: string[]): Algorithm {
  const handlers = all.map((event) => [event, () => void said.push(`${name} ${event.slice(2)}`)]);
  return { name, ...Object.fromEntries(handlers) };
}

test('every event comes in its order, the given one at each start and the reverse at each end', async () => {
  const said: string[] = [];
  using _ = await fit(resnet, null, {
    algorithms: [speaker('a', said), speaker('b', said)],
    microbatches: 2,
    duration: '1ba',
    callbacks: [{ onEvent: ({ kind }) => void said.push(kind) }],
  });
  const starts = (event: string): string[] => [`a ${event}Start`, `b ${event}Start`];
  const ends = (event: string): string[] => [`b ${event}End`, `a ${event}End`];
  const part = [
    ...starts('Microbatch'),
    ...starts('Forward'),
    ...ends('Forward'),
    ...starts('Loss'),
    ...ends('Loss'),
    ...starts('Backward'),
    ...ends('Backward'),
    ...ends('Microbatch'),
  ];
  expect(said).toEqual([
    ...starts('Fit'),
    'fit-start',
    ...starts('Epoch'),
    ...starts('Batch'),
    ...part,
    ...part,
    ...starts('OptimizerStep'),
    ...ends('OptimizerStep'),
    ...ends('Batch'),
    'batch-end',
    ...ends('Epoch'),
    'epoch-end',
    ...starts('Evaluation'),
    ...ends('Evaluation'),
    'evaluation',
    ...ends('Fit'),
    'fit-end',
  ]);
});

describe('what algorithms see', () => {
  test('of a step, and of its microbatches', async () => {
    const steps: Pick<Step, 'batch' | 'microbatch' | 'microbatches' | 'firstRow'>[] = [];
    const rows: number[][] = [];
    const keys = new Set<string>();
    let whole: WholeBatch | null = null;
    const watcher: Algorithm = {
      name: 'watcher',
      onBatchStart: (_, batch) => {
        whole = batch;
        expect(batch.inputs.shape).toEqual([16, 3, 8, 8]);
      },
      onLossEnd: (training, step) => {
        const { batch, microbatch, microbatches, firstRow, indices } = step;
        steps.push({ batch, microbatch, microbatches, firstRow });
        rows.push([...indices]);
        keys.add(JSON.stringify(step.key));
        expect(step.key).toEqual(whole?.key);
        expect(step.outputs?.shape).toEqual([indices.length, 10]);
        expect(step.loss?.shape).toEqual([]);
        expect(training.progress.batch).toBe(batch);
      },
      onBatchEnd: (training) => {
        expect(rows.splice(0).flat()).toEqual([...(whole?.indices ?? [])]);
        expect(training.progress.batch).toBe((whole?.batch ?? -1) + 1);
      },
    };
    using _ = await fit(resnet, null, { algorithms: [watcher], microbatches: 3, duration: '2ba' });
    const parts = [0, 6, 11].map((firstRow, microbatch) => ({ microbatch, microbatches: 3, firstRow }));
    expect(steps).toEqual([0, 1].flatMap((batch) => parts.map((part) => ({ batch, ...part }))));
    expect(keys.size).toBe(2);
  });

  test('of the run', async () => {
    let seen: Training | null = null;
    const watcher: Algorithm = {
      name: 'watcher',
      options: { strength: 1 },
      onFitStart: (training) => {
        seen = training;
        expect(training).toMatchObject({
          precision: 'bfloat16',
          world: { rank: 0, size: 1 },
          ended: null,
          evaluation: null,
        });
        expect(training.data).toMatchObject({ task: 'classification', inputShape: [3, 8, 8], size: 48, batchSize: 16 });
        expect(training.data.classes).toHaveLength(10);
        expect(training.timeline).toMatchObject({ batchesPerEpoch: 3, duration: 6 });
        using row = training.exampleRow();
        expect(row.shape).toEqual([1, 3, 8, 8]);
      },
      onEvaluationEnd: (training, evaluation) => expect(training.evaluation).toBe(evaluation),
      onFitEnd: (training) => expect(training.ended).toBe('done'),
    };
    using fitted = await fit(resnet, null, { algorithms: [watcher], precision: 'bfloat16' });
    expect(seen).not.toBeNull();
    expect(fitted.of('fit-start')[0]).toMatchObject({
      algorithms: [{ name: 'watcher', options: { strength: 1 } }],
      precision: 'bfloat16',
      worldSize: 1,
      device: 'cpu',
      optimizer: 'sgd',
    });
  });
});

describe('what algorithms change', () => {
  test('inputs, targets, outputs and the loss are what is learnt from', async () => {
    using plain = await fit(resnet, null, { duration: '2ba' });
    const same: Algorithm = {
      name: 'same',
      onBatchStart: (_, batch) => {
        batch.inputs = batch.inputs.mul(1);
        batch.targets = batch.targets.clone();
      },
      onForwardStart: (_, step) => {
        step.inputs = step.inputs.clone();
      },
      onForwardEnd: (_, step) => {
        step.outputs = step.outputs?.mul(1) ?? null;
      },
      onLossEnd: (_, step) => {
        step.loss = step.loss?.mul(1) ?? null;
      },
    };
    using copied = await fit(resnet, null, { algorithms: [same], duration: '2ba' });
    expect(bytesOf(copied)).toBe(bytesOf(plain));
    const turned: Algorithm = {
      name: 'turned',
      onBatchStart: (_, batch) => {
        batch.inputs = batch.inputs.flip([3]);
      },
    };
    using flipped = await fit(resnet, null, { algorithms: [turned], duration: '2ba' });
    expect(bytesOf(flipped)).not.toBe(bytesOf(plain));
    const doubled: Algorithm = {
      name: 'doubled',
      onLossEnd: (_, step) => {
        step.loss = step.loss?.mul(2) ?? null;
      },
    };
    using twice = await fit(resnet, null, { algorithms: [doubled], duration: '1ba' });
    expect(twice.of('batch-end')[0]?.loss).toBeCloseTo(2 * (plain.of('batch-end')[0]?.loss ?? 0), 5);
  });

  test('another loss, from the next forward pass on', async () => {
    const halving: Algorithm = {
      name: 'halving',
      onFitStart: (training) => {
        const { loss } = training;
        training.loss = (outputs, targets) => loss(outputs, targets).mul(0.5);
      },
    };
    using plain = await fit(resnet, null, { duration: '1ba' });
    using halved = await fit(resnet, null, { algorithms: [halving], duration: '1ba' });
    expect(halved.of('batch-end')[0]?.loss).toBeCloseTo((plain.of('batch-end')[0]?.loss ?? 0) / 2, 5);
    expect(halved.of('evaluation')[0]?.validation.loss).toBeGreaterThan(1);
  });

  test('the end of the run', async () => {
    const stopper: Algorithm = {
      name: 'stopper',
      onEpochEnd: (training) => {
        if (training.progress.epoch === 1) training.stop('good enough');
      },
    };
    using fitted = await fit(resnet, null, { algorithms: [stopper], duration: '5ep' });
    expect(fitted.result).toMatchObject({ reason: 'stopped', why: 'good enough', at: { epoch: 1, batch: 3 } });
    expect(fitted.result.metrics).not.toBeNull();
  });

  test('warnings and norms are told', async () => {
    const talker: Algorithm = {
      name: 'talker',
      onFitStart: (training) => training.warn('before'),
      onOptimizerStepStart: (training) => {
        training.gradNorm = training.exampleRow().sum().add(7);
        if (training.progress.batch === 2) training.warn('in a step');
      },
    };
    using fitted = await fit(resnet, null, { algorithms: [talker], logEvery: 2 });
    expect(fitted.of('warning').map(({ topic, message, at }) => [topic, message, at.batch])).toEqual([
      ['algorithm', 'before', 0],
      ['algorithm', 'in a step', 3],
    ]);
    expect(fitted.of('batch-end').map(({ gradNorm }) => gradNorm)).toEqual([7, 7, null, 7, null, 7]);
  });
});

test('the norm of the gradient is measured where a loss is read back', async () => {
  using fitted = await fit(transformer, null, { logGradNorm: true, logEvery: 2 });
  const norms = fitted.of('batch-end').map(({ gradNorm }) => gradNorm);
  expect(norms.map((norm) => norm === null)).toEqual([false, false, true, false, true, false]);
  expect(norms[0]).toBeGreaterThan(0);
});

describe('errors', () => {
  const thrower = (event: AlgorithmEvent): Algorithm => ({
    name: 'thrower',
    [event]: () => {
      throw new Error('no more');
    },
  });

  test.each(all.filter((event) => !/Checkpoint/.test(event)))(
    'in %s name the algorithm and the event',
    async (event) => {
      const said: string[] = [];
      const other = { name: 'other', onFitEnd: () => void said.push('ended') };
      const failing = fit(resnet, null, { algorithms: [other, thrower(event)], duration: '1ba' });
      await expect(failing).rejects.toThrow(`thrower (${event}): no more`);
      expect(said).toEqual(event === 'onFitEnd' ? [] : ['ended']);
    },
  );

  test('an algorithm after the one that failed to start is not ended', async () => {
    const said: string[] = [];
    const ended = (name: string): Algorithm => ({ name, onFitEnd: () => void said.push(name) });
    const algorithms = [ended('first'), { ...thrower('onFitStart'), ...ended('thrower') }, ended('last')];
    await expect(fit(resnet, null, { algorithms })).rejects.toThrow('thrower (onFitStart): no more');
    expect(said).toEqual(['thrower', 'first']);
  });

  test('a handler inside of a step that waits is one', async () => {
    const waiting = { name: 'waiting', onLossEnd: async () => {} } as unknown as Algorithm;
    await expect(fit(resnet, null, { algorithms: [waiting] })).rejects.toThrow(
      'waiting (onLossEnd): expected a synchronous handler, got one that returns a promise',
    );
  });

  test('a loss that was taken away is one', async () => {
    const taker: Algorithm = {
      name: 'taker',
      onLossEnd: (_, step) => {
        step.loss = null;
      },
    };
    await expect(fit(resnet, null, { algorithms: [taker] })).rejects.toThrow('expected a loss after the handlers');
  });

  test('two of one name are one', async () => {
    const twin = { name: 'twin' };
    await expect(fit(resnet, null, { algorithms: [twin, twin] })).rejects.toThrow(
      "Trainer: expected algorithms with names of their own, got 'twin' twice",
    );
  });
});
