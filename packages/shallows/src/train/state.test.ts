import { setTimeout as sleep } from 'node:timers/promises';
import { stats, type Tensor } from '@shallows/torch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bytesOf, fitterOf, resnet, smallPictures, transformer } from '../../../../tests/support/fit.js';
import { settledTensors } from '../../../../tests/support/settled-tensors.js';
import { copySnapshot, type HeldSnapshot, shadowing } from '../../../../tests/support/snapshots.js';
import type { DataSplits } from '../data/index.js';
import { Adam } from '../nn/index.js';
import { rootKey } from '../random/index.js';
import type { Algorithm } from './algorithm.js';
import type { CheckpointFacts, TrainEvent } from './events.js';
import type { AlgorithmEvent } from './handlers.js';
import type { Trainer } from './trainer.js';

let data: DataSplits;
beforeAll(async () => {
  data = await smallPictures();
});
afterAll(() => data.dispose());
const fit = fitterOf(() => data);

/** A snapshot after the second batch. */
async function snapshotOf(make = resnet, options: Parameters<typeof fit>[2] = {}): Promise<HeldSnapshot> {
  const held: HeldSnapshot[] = [];
  const saver: Algorithm = {
    name: 'saver',
    onBatchEnd: ({ progress, state }) => {
      if (progress.batch === 2) held.push(copySnapshot(state));
    },
  };
  using _ = await fit(make, null, { ...options, algorithms: [saver, ...(options.algorithms ?? [])] });
  const [first] = held;
  if (first === undefined) throw new Error('expected a snapshot');
  return first;
}

const loading = (snapshot: HeldSnapshot) => (trainer: Trainer) => trainer.load(snapshot);

describe('state', () => {
  test.each<AlgorithmEvent>([
    'onFitStart',
    'onBatchStart',
    'onForwardEnd',
    'onBackwardEnd',
    'onMicrobatchEnd',
    'onOptimizerStepEnd',
    'onEvaluationStart',
    'onEvaluationEnd',
  ])('is refused in %s', async (event) => {
    const asker: Algorithm = { name: 'asker', [event]: (training: { state(): unknown }) => void training.state() };
    await expect(fit(resnet, null, { algorithms: [asker], duration: '1ba' })).rejects.toThrow(
      `asker (${event}): Trainer.state: expected a run between two operations, got one in the middle of`,
    );
  });

  test('may be asked for before the run, and in its end', async () => {
    const held: HeldSnapshot[] = [];
    using _ = await fit(resnet, null, {
      algorithms: [{ name: 'saver', onFitEnd: ({ state }) => void held.push(copySnapshot(state)) }],
      before: (trainer) => void held.push(copySnapshot(() => trainer.state())),
    });
    const batches = held.map(({ json }) => (json['clock'] as { batch: number }).batch);
    expect(batches).toEqual([0, 6]);
    for (const { dispose } of held) dispose();
  });

  test('tensors are named by what they belong to', async () => {
    const snapshot = await snapshotOf(resnet, { algorithms: [shadowing()] });
    const names = Object.keys(snapshot.tensors);
    expect(names).toContain('model.conv1.weight');
    expect(names).toContain('optimizer.0.momentum_buffer');
    expect(names).toContain('algorithm.shadowing.conv1.weight');
    expect(names).toContain('trainer.loss_sum');
    expect(JSON.parse(JSON.stringify(snapshot.json))).toEqual(snapshot.json);
    snapshot.dispose();
  });
});

describe('load', () => {
  test('refuses a snapshot of another run, and says what differs', async () => {
    const snapshot = await snapshotOf();
    const other = (options: Parameters<typeof fit>[2], make = resnet) =>
      fit(make, null, { ...options, before: loading(snapshot) });
    await expect(other({ key: rootKey(8) })).rejects.toThrow(
      'Trainer.load: expected the key 0000000000000007, got 0000000000000008 - give the trainer what the snapshot',
    );
    const source = (epoch: number) => data.train.batches({ batchSize: 24, key: rootKey(7), epoch, shuffle: true });
    await expect(other({ batchSize: 24, source })).rejects.toThrow(
      'expected batches of 16, got 24; batches in an epoch: 3, got 2',
    );
    await expect(
      other({ train: data.validation, source: () => data.validation.batches({ batchSize: 4 }) }),
    ).rejects.toThrow(/expected the training data [0-9a-f]{16}, got [0-9a-f]{16}/);
    await expect(other({}, transformer)).rejects.toThrow('loadStateDict');
    await expect(other({ optimizer: (model) => new Adam(model.parameters(), { lr: 0.1 }) })).rejects.toThrow(/Adam/);
    snapshot.dispose();
  });

  test('refuses what is no snapshot, and one whose algorithm is missing', async () => {
    const before = await settledTensors();
    await expect(
      fit(resnet, null, { before: (trainer) => trainer.load({ tensors: {}, json: { format: 2 } }) }),
    ).rejects.toThrow('Trainer.load: expected the snapshot of a trainer, got format:');
    const snapshot = await snapshotOf(resnet, { algorithms: [shadowing()] });
    await expect(fit(resnet, null, { before: loading(snapshot) })).rejects.toThrow(
      'Trainer.load: expected the algorithms shadowing, got none - give the trainer shadowing too',
    );
    snapshot.dispose();
    expect(stats().liveTensors).toBeLessThanOrEqual(before + 200);
  });

  test('goes on under other settings, and warns of them', async () => {
    const snapshot = await snapshotOf();
    using fitted = await fit(resnet, null, {
      precision: 'bfloat16',
      microbatches: 2,
      duration: '3ep',
      before: (trainer) => trainer.load(snapshot, { from: 'there', skipped: [{ path: 'newer', why: 'torn' }] }),
    });
    snapshot.dispose();
    expect(fitted.events.map(({ kind }) => kind).slice(0, 4)).toEqual(['fit-start', 'resumed', 'warning', 'warning']);
    expect(fitted.of('resumed')[0]).toMatchObject({
      at: { batch: 2 },
      from: 'there',
      skipped: [{ path: 'newer', why: 'torn' }],
    });
    expect(fitted.of('warning').map(({ topic, message }) => `${topic}: ${message}`)).toEqual([
      'resume: goes on with precision bfloat16 instead of float32: not bit for bit what would have followed',
      'resume: goes on with microbatches 2 instead of 1: not bit for bit what would have followed',
    ]);
    expect(fitted.result.at.batch).toBe(9);
  });

  test('is refused while the trainer runs, as is a second run', async () => {
    const said: string[] = [];
    let trainer: Trainer | null = null;
    using _ = await fit(resnet, null, {
      duration: '1ba',
      before: (made) => {
        trainer = made;
      },
      callbacks: [
        {
          onEvent: async ({ kind }) => {
            if (kind !== 'batch-end') return;
            await trainer?.fit().catch((error: Error) => said.push(error.message));
            try {
              trainer?.load({ tensors: {}, json: {} });
            } catch (error) {
              said.push((error as Error).message);
            }
          },
        },
      ],
    });
    expect(said).toEqual([
      'Trainer.fit: expected a trainer at rest, got one that is running - wait for it',
      'Trainer.load: expected a trainer at rest, got one that is running - load before fit()',
    ]);
  });
});

describe('a run on the clock', () => {
  test('goes on from the time that had passed', async () => {
    const controller = new AbortController();
    const held: HeldSnapshot[] = [];
    using _ = await fit(resnet, null, {
      duration: '60sec',
      signal: controller.signal,
      callbacks: [{ onEvent: ({ kind }) => void (kind === 'batch-end' && controller.abort()) }],
      algorithms: [{ name: 'saver', onFitEnd: ({ state }) => void held.push(copySnapshot(state)) }],
    });
    const [snapshot] = held as [HeldSnapshot];
    const clock = snapshot.json['clock'] as Record<string, number>;
    const late = { ...snapshot, json: { ...snapshot.json, clock: { ...clock, elapsedMs: 59_999 } } };
    await sleep(5);
    using resumed = await fit(resnet, null, {
      duration: '60sec',
      before: (trainer) => trainer.load(late),
      algorithms: [{ name: 'saver' }],
    });
    expect(resumed.result.at.elapsedMs).toBeGreaterThanOrEqual(60_000);
    expect(resumed.result.at.batch).toBeLessThan(5);
    snapshot.dispose();
  });
});

test('a run that was interrupted goes on from the state in its end, bit for bit', async () => {
  const asked: string[] = [];
  const saver = (held: HeldSnapshot[]): Algorithm => ({
    name: 'saver',
    onFitEnd: ({ state, ended, progress }) => {
      held.push(copySnapshot(state));
      asked.push(`${ended} ${progress.batch}`);
    },
  });
  for (const at of [2, 3, 5]) {
    const held: HeldSnapshot[] = [];
    const controller = new AbortController();
    using whole = await fit(resnet, { drop: 0.5 });
    const abort = {
      onEvent: ({ kind, at: { batch } }: TrainEvent) =>
        void (kind === 'batch-end' && batch === at && controller.abort()),
    };
    using first = await fit(
      resnet,
      { drop: 0.5 },
      { signal: controller.signal, callbacks: [abort], algorithms: [saver(held)] },
    );
    expect(first.events.map(({ kind }) => kind).filter((kind) => kind === 'evaluation')).toHaveLength(at > 3 ? 1 : 0);
    const [snapshot] = held as [HeldSnapshot];
    using second = await fit(resnet, { drop: 0.5 }, { before: loading(snapshot), algorithms: [saver(held)] });
    expect(bytesOf(second)).toBe(bytesOf(whole));
    const told = [...first.events, ...second.events]
      .map(({ kind }) => kind)
      .filter((kind) => !/fit|resumed/.test(kind));
    expect(told).toEqual(whole.events.map(({ kind }) => kind).filter((kind) => !/fit/.test(kind)));
    for (const { dispose } of held) dispose();
  }
  expect(asked).toEqual(['interrupted 2', 'done 6', 'interrupted 3', 'done 6', 'interrupted 5', 'done 6']);
});

describe('checkpoint', () => {
  const facts = (path: string): CheckpointFacts => ({ path, bytes: 7 });

  test('is taken between its events, written while the run goes on, and told once it is written', async () => {
    const said: string[] = [];
    const release: (() => void)[] = [];
    const names: string[][] = [];
    const saver: Algorithm = {
      name: 'saver',
      onBatchEnd: async (training) => {
        const { batch } = training.progress;
        said.push(`batch ${batch}`);
        if (batch === 4) for (const each of release) each();
        if (batch > 2) return;
        await training.checkpoint(`ba${batch}`, (snapshot) => {
          said.push(`save ${batch}`);
          names.push(Object.keys(snapshot.tensors));
          return new Promise((resolve) => release.push(() => resolve(facts(`to/ba${batch}`))));
        });
        said.push(`going on ${batch}`);
      },
      onCheckpointStart: () => void said.push('start'),
      onCheckpointEnd: () => void said.push('end'),
    };
    using fitted = await fit(resnet, null, { algorithms: [saver] });
    expect(said.slice(0, 10)).toEqual([
      ...['batch 1', 'start', 'save 1', 'end', 'going on 1'],
      ...['batch 2', 'start', 'save 2', 'end', 'going on 2'],
    ]);
    expect(names[0]).toContain('model.conv1.weight');
    expect(fitted.of('checkpoint')).toMatchObject([
      { name: 'ba1', at: { batch: 1 }, path: 'to/ba1', bytes: 7, failure: null },
      { name: 'ba2', at: { batch: 2 }, path: 'to/ba2', bytes: 7, failure: null },
    ]);
    const told = fitted.events.findIndex(({ kind }) => kind === 'checkpoint');
    expect(fitted.events.slice(0, told).filter(({ kind }) => kind === 'batch-end')).toHaveLength(4);
    for (const { saveMs, stallMs } of fitted.of('checkpoint')) expect(saveMs).toBeGreaterThanOrEqual(stallMs);
  });

  test('one that fails is told, and the run goes on; one that is not done is waited for', async () => {
    const saver: Algorithm = {
      name: 'saver',
      onEpochEnd: (training) =>
        training.checkpoint('last', () =>
          training.progress.epoch === 1 ? Promise.reject(new Error('disk full')) : sleep(30).then(() => facts('late')),
        ),
    };
    using fitted = await fit(resnet, null, { algorithms: [saver] });
    expect(fitted.of('checkpoint')).toMatchObject([
      { failure: 'disk full', path: null, bytes: null, at: { epoch: 1 } },
      { failure: null, path: 'late', at: { epoch: 2 } },
    ]);
    expect(fitted.events.at(-1)?.kind).toBe('fit-end');
  });

  test('frees what it makes, gradients too', async () => {
    const before = await settledTensors();
    let gradients: readonly Tensor[] = [];
    const saver: Algorithm = {
      name: 'saver',
      onOptimizerStepStart: (training) => {
        void training.checkpoint('gradients', (snapshot) => {
          gradients = Object.entries(snapshot.tensors).flatMap(([name, each]) =>
            name.startsWith('gradient.') ? [each] : [],
          );
          return Promise.resolve(facts('x'));
        });
      },
    };
    {
      using fitted = await fit(resnet, null, { algorithms: [saver], duration: '2ba' });
      expect(fitted.of('checkpoint')).toHaveLength(2);
      expect(gradients.length).toBeGreaterThan(0);
    }
    expect(stats().liveTensors).toBe(before);
  });
});
