import { setNumThreads, stats } from '@shallows/torch';
import { afterAll, describe, expect, test } from 'vitest';
import { settledTensors } from '../../../../tests/support/settled-tensors.js';
import { batches, type DataSplits, loadData } from '../data/index.js';
import { applyPolicy, measureWork, Policy } from '../depth/index.js';
import { type CifarResnet, cifarResnet } from '../models/index.js';
import { constantSchedule, evaluation, SGD } from '../nn/index.js';
import { deriveKey, rootKey } from '../random/index.js';
import type { TrainEvent } from './events.js';
import { type FitResult, Trainer } from './trainer.js';
import type { TrainerOptions } from './trainer-options.js';

setNumThreads(1);
const data: DataSplits = await loadData({ kind: 'textures', train: 40, validation: 16, noise: 0.1, size: 8 });
afterAll(() => data.dispose());

interface Fitted {
  readonly model: CifarResnet;
  readonly result: FitResult;
  readonly events: readonly TrainEvent[];
}

async function fit(overrides: Partial<TrainerOptions> & { drop?: number; lr?: number } = {}): Promise<Fitted> {
  const { drop = 0.5, lr = 0.05, ...options } = overrides;
  const key = rootKey(7);
  const model = cifarResnet({ depth: 8, classes: 10, key: deriveKey(key, 'model') });
  const policy = Policy({ drop });
  const optimizer = new SGD(model.parameters(), { lr, momentum: 0.9, nesterov: true });
  const events: TrainEvent[] = [];
  const trainer = new Trainer({
    model,
    modelName: 'cifar-resnet-8',
    train: data.train,
    validation: data.validation,
    source: (epoch) => batches(data.train, { batchSize: 16, key, epoch, shuffle: true }),
    batchSize: 16,
    optimizer,
    schedule: constantSchedule(),
    policy: drop > 0 ? policy : null,
    sites: applyPolicy(model, policy),
    work: null,
    key,
    duration: '2ep',
    ...options,
    callbacks: [{ onEvent: (event) => void events.push(event) }, ...(options.callbacks ?? [])],
  });
  try {
    return { model, result: await trainer.fit(), events };
  } finally {
    optimizer.dispose();
  }
}

const kinds = ({ events }: Fitted): string =>
  events.map(({ kind }) => kind.replace(/-.*/, (rest) => rest[1] ?? '')).join(' ');
const bytesOf = (model: CifarResnet): string =>
  Object.values(model.stateDict())
    .map((each) => Buffer.from(each.toBytes()).toString('base64'))
    .join();

describe('Trainer', () => {
  test('tells its callbacks of every batch, epoch and evaluation, in order', async () => {
    const fitted = await fit();
    using _ = fitted.model;
    expect(kinds(fitted)).toBe(
      'fits batche batche batche epoche evaluation batche batche batche epoche evaluation fite',
    );
    const last = fitted.events.at(-1);
    expect(last?.at).toMatchObject({ epoch: 2, batch: 6, sample: 80, fraction: 1 });
    expect(fitted.result.reason).toBe('done');
    expect(fitted.events[0]).toMatchObject({ totalBatches: 6, totalEpochs: 2, batchesPerEpoch: 3, batchSize: 16 });
  });

  test('two runs with one seed are equal bit for bit, another seed differs', async () => {
    const [a, b, c] = [await fit(), await fit(), await fit({ key: rootKey(8) })];
    expect(bytesOf(b.model)).toBe(bytesOf(a.model));
    expect(bytesOf(c.model)).not.toBe(bytesOf(a.model));
    for (const { model } of [a, b, c]) model.dispose();
  });

  test('evaluates both sides in evaluation mode, and the gap is their difference', async () => {
    const { result, model } = await fit();
    using _ = model;
    const { metrics } = result;
    expect(Number(((metrics?.train.accuracy ?? 0) * 40).toFixed(9)) % 1).toBe(0);
    expect(Number(((metrics?.validation.accuracy ?? 0) * 16).toFixed(9)) % 1).toBe(0);
    expect(metrics?.validation.loss).toBeGreaterThan(0);
    expect(metrics?.gap.accuracy).toBe((metrics?.train.accuracy ?? 0) - (metrics?.validation.accuracy ?? 0));
    expect(metrics?.gap.loss).toBe((metrics?.validation.loss ?? 0) - (metrics?.train.loss ?? 0));
  });

  test('reports the depth of what ran, and none without a policy', async () => {
    const work = (() => {
      using model = cifarResnet({ depth: 8, classes: 10, key: rootKey(0) });
      applyPolicy(model, Policy({ drop: 0.5 }));
      using batch = batches(data.train, { batchSize: 1 }).at(0).inputs;
      return measureWork((pass) => model.forward(batch, pass));
    })();
    const dropped = await fit({ work, duration: '20ep' });
    const { depth, timing } = dropped.result;
    expect(depth?.sites.map(({ opportunities }) => opportunities)).toEqual([60, 60, 60]);
    expect(depth?.expectedActive).toBeCloseTo(2, 12);
    const active = dropped.events.flatMap((event) => (event.kind === 'batch-end' ? [event.active] : []));
    expect(depth?.realisedActive).toBeCloseTo(active.reduce((sum, each) => sum + each, 0) / 60, 12);
    expect(depth?.workSaved).toBeGreaterThan(0.1);
    expect(timing?.medianFullStepMs).toBeGreaterThan(0);
    expect(timing?.medianDroppedStepMs).toBeGreaterThan(0);
    const plain = await fit({ drop: 0 });
    expect(plain.result.depth).toBeNull();
    expect(plain.result.timing?.medianDroppedStepMs).toBeNull();
    for (const { model } of [dropped, plain]) model.dispose();
  });

  test('an aborted signal ends the run after the current step', async () => {
    const controller = new AbortController();
    const stop = {
      onEvent: (event: TrainEvent) => event.kind === 'batch-end' && event.at.batch === 2 && controller.abort(),
    };
    const fitted = await fit({ signal: controller.signal, callbacks: [stop as never] });
    using _ = fitted.model;
    expect(fitted.result.reason).toBe('interrupted');
    expect(fitted.result.at.batch).toBe(2);
    expect(kinds(fitted)).toBe('fits batche batche fite');
  });

  test.each([
    ['4ba', 4],
    ['33sp', 3],
    ['0.5ep', 2],
  ])('a duration of %s takes %d batches', async (duration, expected) => {
    const { result, model, events } = await fit({ duration });
    using _ = model;
    expect(result.at.batch).toBe(expected);
    expect(result.metrics).not.toBeNull();
    // An epoch that the run does not get to the end of is told of too.
    const epochs = events.filter(({ kind }) => kind === 'epoch-end');
    expect(epochs.at(-1)?.at.batch).toBe(expected);
    expect(epochs).toHaveLength(Math.ceil(expected / 3));
  });

  test('a duration on the clock ends', async () => {
    const { result, model } = await fit({ duration: '0.2sec' });
    using _ = model;
    expect(result.reason).toBe('done');
    expect(result.at.fraction).toBe(1);
  });

  test.each(['0ep', '1dur'])('a duration of %s is an error', async (duration) => {
    await expect(fit({ duration })).rejects.toThrow(/Trainer: expected a duration above 0/);
  });

  test('a loss that is not finite stops the run and says where', async () => {
    await expect(fit({ lr: 1e30, logEvery: 1 })).rejects.toThrow(
      /expected a finite loss, got (NaN|Infinity) in batch \d \(epoch 0, batch \d of it, rows \d+, /,
    );
  });

  test('frees what it makes', async () => {
    const before = await settledTensors();
    const { model } = await fit();
    model.dispose();
    expect(stats().liveTensors).toBe(before);
    expect(evaluation.training).toBe(false);
  });
});
