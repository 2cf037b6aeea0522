import { fromTypedArray, setNumThreads, stats } from '@shallows/torch';
import { describe, expect, test } from 'vitest';
import { settledTensors } from '../../../../tests/support/settled-tensors.js';
import { arrayDataset } from '../data/array-dataset.js';
import { type Dataset, loadData } from '../data/index.js';
import { applyPolicy, Policy } from '../depth/index.js';
import { residualMlp, transformerDecoder } from '../models/index.js';
import { Adam, constantSchedule, huberLoss, type Module } from '../nn/index.js';
import { deriveKey, rootKey, uniform } from '../random/index.js';
import { gapOf, objectiveOf, type TrainEvent } from './index.js';
import { type FitResult, Trainer } from './trainer.js';
import type { TrainerOptions } from './trainer-options.js';

setNumThreads(1);
const key = rootKey(3);

async function fit(model: Module, train: Dataset, validation: Dataset, options: Partial<TrainerOptions> = {}) {
  using _ = model;
  const optimizer = new Adam(model.parameters(), { lr: 0.01 });
  const events: TrainEvent[] = [];
  const policy = Policy({ drop: 0.2 });
  const trainer = new Trainer({
    model,
    modelName: 'net',
    train,
    validation,
    source: (epoch) => train.batches({ batchSize: 32, key, epoch, shuffle: true }),
    batchSize: 32,
    optimizer,
    schedule: constantSchedule(),
    policy,
    sites: applyPolicy(model, policy),
    key,
    duration: '12ep',
    microbatches: 2,
    ...options,
    callbacks: [{ onEvent: (event) => void events.push(event) }],
  });
  try {
    return { result: (await trainer.fit()) satisfies FitResult, events };
  } finally {
    optimizer.dispose();
  }
}

/** Texts over an alphabet of 8 in which each token follows from the one before it. */
function texts(name: string, rows: number): Dataset {
  const length = 9;
  const tokens = new BigInt64Array(rows * length);
  for (let row = 0; row < rows; row++) {
    let token = Math.floor(8 * uniform(deriveKey(key, name), row));
    for (let i = 0; i < length; i++) {
      tokens[row * length + i] = BigInt(token);
      token = (3 * token + 1) % 8;
    }
  }
  const all = fromTypedArray(tokens, [rows, length]);
  const inputs = all.narrow(1, 0, 8).clone();
  const targets = all.narrow(1, 1, 8).clone();
  all.dispose();
  return arrayDataset({ name, task: 'language', digest: name, inputs, targets, vocabulary: 8 });
}

describe('a run of numbers', () => {
  test('lowers the squared error, and reports rmse, mae and r2', async () => {
    using data = await loadData({ kind: 'friedman', train: 256, validation: 128, noise: 0 });
    const make = (): Module =>
      residualMlp({ inputs: 10, outputs: 1, width: 32, blocks: 2, key: deriveKey(key, 'model') });
    const { result, events } = await fit(make(), data.train, data.validation);
    const { metrics } = result;
    expect(events[0]).toMatchObject({
      task: 'regression',
      primary: { name: 'rmse', better: 'lower' },
      optimizer: 'adam',
    });
    expect(Object.keys(metrics?.validation ?? {})).toEqual(['loss', 'rmse', 'mae', 'r2']);
    expect(metrics?.validation.rmse).toBeCloseTo(Math.sqrt(metrics?.validation.loss ?? 0), 12);
    expect(metrics?.validation.r2).toBeGreaterThan(0.1);
    const { train, validation, gap } = metrics ?? {};
    expect(gap?.rmse).toBe((validation?.rmse ?? 0) - (train?.rmse ?? 0));
    expect(gap?.r2).toBe((train?.r2 ?? 0) - (validation?.r2 ?? 0));
    // Another loss is minimised, and the plain one is still what evaluation reports.
    const other = await fit(make(), data.train, data.validation, { loss: (y, t) => huberLoss(y, t), duration: '2ep' });
    const { loss, rmse } = other.result.metrics?.validation ?? { loss: 0 };
    expect(loss).toBeCloseTo((rmse ?? 0) ** 2, 9);
    const trained = other.events.find((event) => event.kind === 'epoch-end');
    expect(trained?.kind === 'epoch-end' && trained.trainLoss).toBeLessThan(loss);
  });

  test('refuses outputs of another shape, where a loss over all pairs would be learnt', async () => {
    using data = await loadData({ kind: 'friedman', train: 64, validation: 32 });
    const model = residualMlp({ inputs: 10, outputs: 3, width: 8, blocks: 1, key });
    await expect(fit(model, data.train, data.validation)).rejects.toThrow(/expected .*\[16, 1\]|\[16, 3\]/);
  });
});

describe('a run of tokens', () => {
  test('learns which token follows, and reports perplexity', async () => {
    using train = texts('train', 256);
    using validation = texts('validation', 64);
    const model = transformerDecoder({ vocabulary: 8, length: 8, dim: 16, depth: 2, heads: 2, key });
    const { result, events } = await fit(model, train, validation, { duration: '8ep', microbatches: 1 });
    expect(events[0]).toMatchObject({ task: 'language', primary: { name: 'perplexity', better: 'lower' } });
    const metrics = result.metrics?.validation;
    expect(metrics?.perplexity).toBeCloseTo(Math.exp(metrics?.loss ?? 0), 9);
    expect(metrics?.accuracy).toBeGreaterThan(0.95);
    expect(result.metrics?.gap.perplexity).toBe((metrics?.perplexity ?? 0) - (result.metrics?.train.perplexity ?? 0));
  });

  test('frees what it makes', async () => {
    using train = texts('train', 64);
    const before = await settledTensors();
    await fit(transformerDecoder({ vocabulary: 8, length: 8, dim: 16, depth: 2, heads: 2, key }), train, train, {
      duration: '2ep',
      precision: 'bfloat16',
      onNonFinite: 'skip',
    });
    expect(stats().liveTensors).toBe(before);
  });
});

test('a gap is positive where a model overfits, whichever way a metric is better', () => {
  const objective = objectiveOf({ task: 'classification', targetShape: [] });
  expect(gapOf(objective, { loss: 0.1, accuracy: 0.75 }, { loss: 0.5, accuracy: 0.5 })).toEqual({
    loss: 0.4,
    accuracy: 0.25,
  });
});
