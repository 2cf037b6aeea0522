import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bytesOf, fitterOf, resnet, smallPictures } from '../../../../tests/support/fit.js';
import type { DataSplits } from '../data/index.js';
import { applyPolicy, findSites, Policy } from '../depth/index.js';
import type { TrainEvent } from './events.js';
import { StochasticDepth } from './stochastic-depth.js';

let data: DataSplits;
beforeAll(async () => {
  data = await smallPictures();
});
afterAll(() => data.dispose());
const fit = fitterOf(() => data);

describe('algorithms', () => {
  test('are asked before the first event and before the last, the last one first', async () => {
    const said: string[] = [];
    const algorithm = (name: string) => ({
      name,
      onFitStart: () => void said.push(`${name} starts`),
      onFitEnd: () => void said.push(`${name} ends`),
    });
    using _ = await fit(resnet, null, {
      algorithms: [algorithm('a'), algorithm('b'), { name: 'idle' }],
      duration: '1ba',
      callbacks: [{ onEvent: ({ kind }) => void (/fit/.test(kind) && said.push(kind)) }],
    });
    expect(said).toEqual(['a starts', 'b starts', 'fit-start', 'b ends', 'a ends', 'fit-end']);
  });

  test('end also where the run fails', async () => {
    const said: string[] = [];
    const failing = {
      onEvent: () => {
        throw new Error('no more');
      },
    };
    const algorithm = { name: 'a', onFitEnd: () => void said.push('ended') };
    await expect(fit(resnet, null, { algorithms: [algorithm], callbacks: [failing] })).rejects.toThrow('no more');
    expect(said).toEqual(['ended']);
  });

  test('may put a policy in force', async () => {
    const policy = Policy({ drop: 0.5, schedule: 'uniform' });
    using fitted = await fit(resnet, null, {
      algorithms: [{ name: 'a', onFitStart: (run) => run.useDepth(policy, applyPolicy(run.model, policy)) }],
    });
    expect(fitted.of('fit-start')[0]?.model.sites.map(({ requested }) => requested)).toEqual([0.5, 0.5, 0.5]);
    expect(fitted.result.depth?.sites.map(({ opportunities }) => opportunities)).toEqual([6, 6, 6]);
  });
});

describe('StochasticDepth', () => {
  test('trains as a policy that was applied before, and measures the work', async () => {
    const algorithms = [StochasticDepth({ target: 'BasicBlock', dropRate: 0.5, dropWarmup: '3ba' })];
    using applied = await fit(resnet, { drop: 0.5, time: { kind: 'warmup', length: '3ba' } });
    using inserted = await fit(resnet, null, { algorithms });
    expect(bytesOf(inserted)).toBe(bytesOf(applied));
    expect(inserted.result.depth).toEqual(applied.result.depth);
    expect(inserted.result.depth?.workSavedIdeal).toBeGreaterThan(0.1);
    expect(
      inserted.of('fit-start')[0]?.model.sites.map(({ kind, layer, requested }) => [kind, layer, requested]),
    ).toEqual([1, 2, 3].map((l) => ['basic', l - 1, 0.5 * (l / 3)]));
  });

  test.each([true, false])('gives the model back if asked: %s', async (undoAtEnd) => {
    const algorithms = [StochasticDepth({ dropRate: 0.5, scale: 'paper', undoAtEnd })];
    using fitted = await fit(resnet, null, { algorithms });
    const rate = findSites(fitted.model).map(({ drop, evaluationScale }) => [drop, evaluationScale]);
    expect(rate.at(-1)).toEqual(undoAtEnd ? [0, 1] : [0.5, 0.5]);
    expect(fitted.result.depth?.sites.at(-1)?.requested).toBe(0.5);
  });

  test('gives the model back where the run fails', async () => {
    const model = resnet();
    const before = findSites(model).map(({ drop }) => drop);
    const failing = {
      onEvent: ({ kind }: TrainEvent) => {
        if (kind === 'epoch-end') throw new Error('no more');
      },
    };
    const algorithms = [StochasticDepth({ dropRate: 0.5, undoAtEnd: true })];
    await expect(fit(() => model, null, { algorithms, callbacks: [failing] })).rejects.toThrow('no more');
    expect(findSites(model).map(({ drop }) => drop)).toEqual(before);
  });

  test('stops a run whose target means no block', async () => {
    const algorithms = [StochasticDepth({ target: 'Bottleneck' })];
    await expect(fit(resnet, null, { algorithms })).rejects.toThrow(
      'applyStochasticDepth: expected a block class, a kind or a path of the model, got "Bottleneck"',
    );
  });
});
