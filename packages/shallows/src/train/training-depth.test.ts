import { randn, scope, stats } from '@shallows/torch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  bytesOf,
  expectClose,
  fitterOf,
  runKey as key,
  resnet,
  smallPictures,
  transformer,
  weightsOf as weights,
} from '../../../../tests/support/fit.js';
import { settledTensors } from '../../../../tests/support/settled-tensors.js';
import type { DataSplits } from '../data/index.js';
import { findSites, type PolicyOptions } from '../depth/index.js';
import type { Module } from '../nn/index.js';

let data: DataSplits;
beforeAll(async () => {
  data = await smallPictures();
});
afterAll(() => data.dispose());
const fit = fitterOf(() => data);

describe('what the optimizer does about a dropped branch', () => {
  // The last block is dropped in every step, the first one never.
  const rates = { schedule: 'list', rates: [0, 0.5, 1] } as const;
  const moved = async (depth: PolicyOptions): Promise<boolean[]> => {
    const before = scope(() => {
      using model = resnet();
      return Object.fromEntries(
        Array.from(model.namedParameters(), ([name, each]) => [name, Array.from(each.toArray(), Number)]),
      );
    });
    using fitted = await fit(resnet, depth, { decay: 0.1, duration: '3ba' });
    const after = weights(fitted);
    return ['layer1.0.conv1.weight', 'layer3.0.conv1.weight', 'layer3.0.bn2.weight'].map(
      (name) => JSON.stringify(after[name]) !== JSON.stringify(before[name]),
    );
  };

  test.each(['gate', 'mask'] as const)('frozen: nothing, with execution %s', async (execution) => {
    expect(await moved({ ...rates, execution })).toEqual([true, false, false]);
  });

  test.each(['gate', 'mask'] as const)('zero: decay acts, with execution %s', async (execution) => {
    expect(await moved({ ...rates, execution, optimizer: 'zero' })).toEqual([true, true, true]);
  });

  test('a masked branch is computed, and saves nothing', async () => {
    using fitted = await fit(resnet, { drop: 0.5, schedule: 'uniform', execution: 'mask' });
    expect(fitted.result.depth).toMatchObject({ expectedActive: 1.5, workSaved: 0, workSavedIdeal: 0 });
  });

  test('execution changes no weight', async () => {
    for (const optimizer of ['frozen', 'zero'] as const) {
      const depth = { drop: 0.5, schedule: 'uniform', optimizer } as const;
      using gate = await fit(resnet, depth, { decay: 0.1 });
      using mask = await fit(resnet, { ...depth, execution: 'mask' }, { decay: 0.1 });
      expectClose(gate, mask);
    }
  });

  test('a branch that one of two microbatches kept has learnt from it', async () => {
    const depth = { drop: 0.5, schedule: 'uniform' } as const;
    using frozen = await fit(resnet, depth, { microbatches: 2, decay: 0.1 });
    using zero = await fit(resnet, { ...depth, optimizer: 'zero' }, { microbatches: 2, decay: 0.1 });
    expect(bytesOf(frozen)).not.toBe(bytesOf(zero));
  });
});

describe('rates over time', () => {
  test('are in every batch event, and evaluation counts branches as they are then', async () => {
    const scales: number[][] = [];
    const model = resnet();
    const time = { kind: 'warmup', length: '0.5dur' } as const;
    using fitted = await fit(
      () => model,
      { drop: 0.8, schedule: 'uniform', scale: 'paper', time },
      {
        duration: '4ep',
        callbacks: [
          {
            onEvent: ({ kind }) => {
              if (kind === 'evaluation') scales.push(findSites(model).map((site) => site.evaluationScale));
            },
          },
        ],
      },
    );
    expect(fitted.of('batch-end').map(({ factor }) => factor)).toEqual([
      0,
      1 / 6,
      2 / 6,
      3 / 6,
      4 / 6,
      5 / 6,
      1,
      1,
      1,
      1,
      1,
      1,
    ]);
    // After 3, 6, 9 and 12 batches.
    expect(scales.map(([first]) => first)).toEqual([1 - 0.5 * 0.8, 1 - 0.8, 1 - 0.8, 1 - 0.8]);
    expect(fitted.result.factor).toBe(1);
  });

  test('leave the model as the end of the schedule wants it, also where it was interrupted', async () => {
    const controller = new AbortController();
    using fitted = await fit(
      resnet,
      { drop: 0.8, schedule: 'uniform', scale: 'paper', time: { kind: 'warmup', length: '8ba' } },
      {
        duration: '4ep',
        signal: controller.signal,
        callbacks: [
          { onEvent: (event) => void (event.kind === 'batch-end' && event.at.batch === 4 && controller.abort()) },
        ],
      },
    );
    expect(fitted.result).toMatchObject({ reason: 'interrupted', factor: 0.5 });
    expect(findSites(fitted.model).map((site) => site.evaluationScale)).toEqual([0.6, 0.6, 0.6]);
  });
});

describe('a run with rows', () => {
  test('reports samples, and work saved', async () => {
    using fitted = await fit(transformer, { drop: 0.5, unit: 'row', rows: 'window' }, { duration: '4ep' });
    const { depth } = fitted.result;
    expect(depth?.sites).toHaveLength(6);
    for (const { opportunities, requested, realised, alarm } of depth?.sites ?? []) {
      expect(opportunities).toBe(4 * 48);
      expect(Math.abs(realised - requested)).toBeLessThan(0.08);
      expect(alarm).toBe(false);
    }
    const active = fitted.of('batch-end').map((event) => event.active);
    expect(active.some((each) => each % 1 !== 0)).toBe(true);
    expect(depth?.realisedActive).toBeCloseTo(active.reduce((a, b) => a + b, 0) / active.length, 9);
  });
});

describe('execution auto', () => {
  test('is settled by a measurement before the first step, and says what it found', async () => {
    const depth = { drop: 0.5, unit: 'row', rows: 'window', execution: 'auto' } as const;
    using fitted = await fit(transformer, depth, { microbatches: 2 });
    const executions = fitted.of('fit-start')[0]?.executions ?? [];
    expect(executions.map(({ site }) => site)).toEqual(fitted.result.depth?.sites.map(({ name }) => name));
    for (const { execution, ms, why } of executions) {
      expect(['subset', 'mask']).toContain(execution);
      if (ms !== null) expect(why).toMatch(/with \d of 8 rows kept$/);
    }
    // Layer norm treats rows alone: what is computed and left out makes no difference but for rounding.
    using subset = await fit(transformer, { ...depth, execution: 'subset' }, { microbatches: 2 });
    expectClose(fitted, subset);
    expect(subset.of('fit-start')[0]?.executions).toBeNull();
  });

  test('is gate where blocks are dropped, bit for bit', async () => {
    const depth = { drop: 0.5, schedule: 'uniform' } as const;
    using auto = await fit(resnet, { ...depth, execution: 'auto' });
    using gate = await fit(resnet, depth);
    expect(bytesOf(auto)).toBe(bytesOf(gate));
    expect(auto.of('fit-start')[0]?.executions?.map(({ execution }) => execution)).toEqual(['gate', 'gate', 'gate']);
  });
});

describe('activation checkpointing', () => {
  test.each<[string, () => Module, PolicyOptions | null]>([
    ['blocks', resnet, { drop: 0.5, schedule: 'uniform' }],
    ['rows', resnet, { drop: 0.5, schedule: 'uniform', unit: 'row' }],
    ['rows of a transformer', transformer, { drop: 0.5, unit: 'row' }],
    ['nothing', resnet, null],
  ])('trains the same network, bit for bit, when it drops %s', async (_, make, depth) => {
    using plain = await fit(make, depth);
    using checkpointed = await fit(make, depth, { checkpoint: true });
    expect(bytesOf(checkpointed)).toBe(bytesOf(plain));
    expect(checkpointed.result.depth).toEqual(plain.result.depth);
  });
});

test('activation checkpointing runs what was kept twice', async () => {
  for (const checkpoint of [false, true]) {
    let runs = 0;
    const counting = (): Module => {
      const model = resnet();
      for (const [, module] of model.namedModules()) {
        if (!('branch' in module) || typeof module.branch !== 'function') continue;
        const { branch } = module;
        const counted = (...args: unknown[]): unknown => {
          runs++;
          return branch.apply(module, args);
        };
        Object.defineProperty(module, 'branch', { value: counted });
      }
      return model;
    };
    using fitted = await fit(counting, { drop: 0.5 }, { checkpoint, duration: '4ba', evaluateEvery: '4ba' });
    const kept = fitted.of('batch-end').reduce((sum, { active }) => sum + active, 0);
    // Both sets are evaluated in one batch each, work is measured once, and so are the branches for checkpointing.
    expect(runs).toBe((checkpoint ? 2 * kept + 3 : kept) + 3 * (1 + 1 + 1));
  }
});

describe('warnings', () => {
  test('are told at the start, and about drop rates at the end', async () => {
    // Ten rows of one batch at rate 0.15 keep ⌊8.5⌋ = 8 in every step: 20 % are dropped, which is no accident.
    using fitted = await fit(
      transformer,
      { drop: 0.15, schedule: 'uniform', unit: 'row', count: 'dinov2', scale: 'realised' },
      {
        warnings: ['mind the gap'],
        source: (epoch) => data.train.batches({ batchSize: 10, key, epoch, shuffle: true, rows: 40 }),
        batchSize: 10,
        duration: '60ep',
        evaluateEvery: '60ep',
      },
    );
    expect(fitted.events.map(({ kind }) => kind).slice(0, 3)).toEqual(['fit-start', 'warning', 'batch-end']);
    const [first, last, ...none] = fitted.of('warning');
    expect(first).toMatchObject({ topic: 'advice', message: 'mind the gap' });
    expect(last?.topic).toBe('drop-rates');
    expect(last?.message).toMatch(
      /^the drop rates of 6 blocks are outside of what chance explains \(false alarms: 0\.1 % of runs\): blocks\.0\.attention dropped 20\.0 % of 2400 instead of 15\.0 %, .*, and 3 more - look for/,
    );
    expect(none).toEqual([]);
    expect(fitted.events.at(-2)?.kind).toBe('warning');
  });

  test('are none for an honest run', async () => {
    using fitted = await fit(resnet, { drop: 0.5 });
    expect(fitted.of('warning')).toEqual([]);
  });
});

test('all of it frees what it makes', async () => {
  const depth = { drop: 0.5, unit: 'row', rows: 'window', execution: 'mask', optimizer: 'zero' } as const;
  const before = await settledTensors();
  for (let i = 0; i < 2; i++) (await fit(transformer, depth, { microbatches: 3, checkpoint: true })).model.dispose();
  expect(stats().liveTensors).toBe(before);
  expect(scope(() => randn([1]).shape)).toEqual([1]);
});
