import { setNumThreads } from '@shallows/torch';
import { afterAll, describe, expect, test } from 'vitest';
import { batches, type DataSplits, loadData } from '../data/index.js';
import { Dropout, type DropRate } from '../dropout/index.js';
import { constantSchedule, Flatten, Linear, type Pass, ReLU, Sequential, SGD } from '../nn/index.js';
import { deriveKey, rootKey } from '../random/index.js';
import { Trainer } from './trainer.js';
import type { TrainerOptions } from './trainer-options.js';

setNumThreads(1);
const data: DataSplits = await loadData({ kind: 'textures', train: 40, validation: 16, noise: 0.1, size: 8 });
afterAll(() => data.dispose());

const key = rootKey(7);

/** Trains a model of the user's own with one dropout, and gives its weights and the rates at which it dropped. */
async function fit(rate: DropRate, options: Partial<TrainerOptions> = {}) {
  const rates: number[] = [];
  class Watched extends Dropout {
    override forward(...[x, pass]: Parameters<Dropout['forward']>) {
      if (pass?.training === true) rates.push(this.site.rateIn(pass as Pass));
      return super.forward(x, pass);
    }
  }
  const model = new Sequential(
    new Flatten(),
    new Linear(192, 16, { key: deriveKey(key, 'first') }),
    new ReLU(),
    new Watched(rate),
    new Linear(16, 10, { key: deriveKey(key, 'second') }),
  );
  const optimizer = new SGD(model.parameters(), { lr: 0.05 });
  const trainer = new Trainer({
    model,
    modelName: 'own',
    train: data.train,
    validation: data.validation,
    source: (epoch) => batches(data.train, { batchSize: 16, key, epoch, shuffle: true }),
    batchSize: 16,
    optimizer,
    schedule: constantSchedule(),
    policy: null,
    sites: [],
    work: null,
    key,
    duration: '2ep',
    ...options,
  });
  await trainer.fit();
  const weights = Object.values(model.stateDict()).map((each) => Array.from(each.toArray(), Number));
  optimizer.dispose();
  model.dispose();
  return { rates, weights };
}

describe('a trainer and dropout', () => {
  test('names the dropouts of a model, and two runs of one key are equal bit for bit', async () => {
    const [a, b, plain] = [await fit(0.5), await fit(0.5), await fit(0)];
    expect(b.weights).toEqual(a.weights);
    expect(plain.weights).not.toEqual(a.weights);
    expect((await fit(0.5, { key: rootKey(8) })).weights).not.toEqual(a.weights);
  });

  test('tells rates with a schedule how far the run is, at every batch', async () => {
    const { rates } = await fit({ rate: 0.5, schedule: { kind: 'warmup', length: '1ep' } });
    expect(rates.map((rate) => Number(rate.toFixed(6)))).toEqual([0, 0.166667, 0.333333, 0.5, 0.5, 0.5]);
  });

  test('two dropouts of one name are an error before anything runs', async () => {
    const twins = new Sequential(new Dropout(0.1, { name: 'twin' }), new Dropout(0.1, { name: 'twin' }));
    await expect(fit(0.5, { model: twins })).rejects.toThrow("nameDropouts: expected each name once, got 'twin' twice");
  });
});
