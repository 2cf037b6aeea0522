import { readFileSync } from 'node:fs';
import { scope, setDeterministic, stats, tensor } from '@shallows/torch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  bytesOf,
  expectClose,
  fitterOf,
  resnet,
  smallPictures,
  transformer,
  weightsOf,
} from '../../../../tests/support/fit.js';
import { settledTensors } from '../../../../tests/support/settled-tensors.js';
import type { DataSplits } from '../data/index.js';
import type { PolicyOptions } from '../depth/index.js';
import type { Module } from '../nn/index.js';
import type { Algorithm } from './algorithm.js';
import { LossScaler } from './loss-scaler.js';

let data: DataSplits;
beforeAll(async () => {
  data = await smallPictures();
});
afterAll(() => data.dispose());
const fit = fitterOf(() => data);

interface ScalerCase {
  readonly settings: Readonly<Record<string, number>>;
  readonly overflows: readonly number[];
  readonly scales: readonly number[];
  readonly unscaled: readonly (readonly (number | null)[])[];
}
const fixture: Readonly<Record<string, ScalerCase>> = JSON.parse(
  readFileSync(new URL('./fixtures/loss-scaler.json', import.meta.url), 'utf8'),
);

describe('LossScaler', () => {
  test.each(Object.entries(fixture))('%s: scales and gradients of PyTorch', (_, { settings, ...steps }) => {
    const { init_scale: scale, growth_factor: growth, backoff_factor: backoff, growth_interval: interval } = settings;
    const given = Object.entries({ scale, growth, backoff, interval }).filter(([, value]) => value !== undefined);
    const scaler = new LossScaler(Object.fromEntries(given));
    scope(() => {
      for (const [i, overflow] of steps.overflows.entries()) {
        const parameter = tensor([1, 1], { requiresGrad: true });
        scaler.scaled(parameter.mul(3).sum()).backward();
        if (overflow === 1) parameter.grad = tensor([Number.POSITIVE_INFINITY, 3 * scaler.scale]);
        const found = scaler.unscale([parameter, tensor([1], { requiresGrad: true })]);
        expect(found.item()).toBe(overflow);
        const grad = Array.from(parameter.grad?.toArray() ?? [], Number);
        expect(grad.map((each) => (Number.isFinite(each) ? each : null))).toEqual(steps.unscaled[i]);
        scaler.update(overflow === 0);
        expect(scaler.scale).toBe(steps.scales[i]);
      }
    });
    const copy = new LossScaler();
    copy.loadStateDict(scaler.stateDict());
    expect(copy.stateDict()).toEqual(scaler.stateDict());
  });

  test('finds nothing where there are no gradients', () => {
    scope(() => expect(new LossScaler().unscale([]).item()).toBe(0));
  });

  test('refuses settings and states that make no sense', () => {
    expect(() => new LossScaler({ scale: 0 })).toThrow('LossScaler: scale: expected a number above 0, got 0');
    expect(() => new LossScaler({ growth: 0.5 })).toThrow('growth: expected a factor from 1, got 0.5');
    expect(() => new LossScaler({ backoff: 1 })).toThrow('backoff: expected a factor between 0 and 1, got 1');
    expect(() => new LossScaler({ interval: 1.5 })).toThrow('interval: expected a whole number from 1, got 1.5');
    expect(() => new LossScaler().loadStateDict({ scale: 'much' })).toThrow(
      'LossScaler.loadStateDict: expected a scale',
    );
  });
});

describe('precision', () => {
  test.each<['bfloat16' | 'float16', string, () => Module, PolicyOptions | null, number]>([
    ['bfloat16', 'convolutions', resnet, { drop: 0.5 }, 0.05],
    ['float16', 'convolutions', resnet, { drop: 0.5 }, 0.01],
    ['bfloat16', 'rows of convolutions', resnet, { drop: 0.5, unit: 'row' }, 0.05],
    ['bfloat16', 'attention', transformer, null, 0.01],
    ['bfloat16', 'windows of rows', transformer, { drop: 0.5, unit: 'row', rows: 'window' }, 0.01],
    ['bfloat16', 'masked rows', transformer, { drop: 0.5, unit: 'row', execution: 'mask' }, 0.01],
    ['float16', 'rows of attention', transformer, { drop: 0.5, unit: 'row' }, 0.01],
  ])('%s, %s: float32 but for rounding, with weights of 32 bits', async (precision, _, make, depth, atol) => {
    using wide = await fit(make, depth, { duration: '3ba', logEvery: 1 });
    using narrow = await fit(make, depth, { duration: '3ba', logEvery: 1, precision });
    expectClose(narrow, wide, { rtol: 0.05, atol });
    expect(bytesOf(narrow)).not.toBe(bytesOf(wide));
    for (const [, each] of narrow.model.namedParameters()) expect(each.dtype).toBe('float32');
    for (const [i, { loss }] of narrow.of('batch-end').entries())
      expect(Math.abs((loss ?? Number.NaN) - (wide.of('batch-end')[i]?.loss ?? 0))).toBeLessThan(0.1);
  });

  test('outputs come to the loss in 32 bits, from products in 16', async () => {
    const dtypes: unknown[] = [];
    const watcher: Algorithm = {
      name: 'watcher',
      onForwardEnd: (_, step) => void dtypes.push(step.outputs?.dtype),
    };
    using _ = await fit(transformer, null, { precision: 'bfloat16', algorithms: [watcher], duration: '1ba' });
    expect(dtypes).toEqual(['float32']);
  });

  test('branches that are computed again run in it too', async () => {
    const depth = { drop: 0.5, schedule: 'uniform' } as const;
    using plain = await fit(resnet, depth, { precision: 'bfloat16' });
    using again = await fit(resnet, depth, { precision: 'bfloat16', checkpoint: true });
    expect(bytesOf(again)).toBe(bytesOf(plain));
  });

  test('a step that overflows is left out, and the scale falls until none does', async () => {
    const before = await settledTensors();
    {
      using fitted = await fit(resnet, null, {
        precision: 'float16',
        lossScaling: { scale: 2 ** 40 },
        duration: '10ep',
      });
      const [first, ...later] = fitted.of('epoch-end').map(({ lossScale }) => lossScale ?? 0);
      expect(first).toBe(2 ** 37);
      expect(Math.min(...later)).toBeGreaterThan(2 ** 10);
      expect(fitted.of('non-finite')).toEqual([]);
      using untrained = resnet();
      expect(weightsOf(fitted)).not.toEqual(weightsOf({ model: untrained }));
    }
    expect(stats().liveTensors).toBe(before);
  });

  test('an unknown one is an error', async () => {
    await expect(fit(resnet, null, { precision: 'bf16' as never })).rejects.toThrow(
      'Trainer: expected precision of float32, bfloat16, float16, got "bf16"',
    );
  });
});

describe('channels last', () => {
  test('is the same computation but for rounding', async () => {
    const depth = { drop: 0.5, schedule: 'uniform' } as const;
    using rows = await fit(resnet, depth, { duration: '3ba' });
    using channels = await fit(resnet, depth, { duration: '3ba', channelsLast: true });
    expectClose(channels, rows);
    const filters = [...channels.model.namedParameters()].filter(([, { ndim }]) => ndim === 4);
    expect(filters.length).toBeGreaterThan(0);
    for (const [name, each] of filters) expect(each.isContiguous({ memoryFormat: 'channels_last' }), name).toBe(true);
    expect(channels.of('fit-start')[0]?.channelsLast).toBe(true);
  });

  test('auto measures, says what it chose and leaves no trace', async () => {
    using auto = await fit(resnet, null, { duration: '3ba', channelsLast: 'auto' });
    const channelsLast = auto.of('fit-start')[0]?.channelsLast ?? false;
    using chosen = await fit(resnet, null, { duration: '3ba', channelsLast });
    expect(bytesOf(auto)).toBe(bytesOf(chosen));
  });

  test('auto is no for a model without pictures to convolve', async () => {
    using auto = await fit(transformer, null, { duration: '1ba', channelsLast: 'auto' });
    expect(typeof auto.of('fit-start')[0]?.channelsLast).toBe('boolean');
  });
});

test('deterministic holds for the run and is given back', async () => {
  const seen: boolean[] = [];
  const look = (): void => {
    const before = setDeterministic(true);
    seen.push(before);
    setDeterministic(before);
  };
  look();
  using fitted = await fit(resnet, null, {
    deterministic: true,
    duration: '1ba',
    algorithms: [{ name: 'look', onBatchEnd: look }],
  });
  look();
  expect(seen).toEqual([false, true, false]);
  expect(fitted.of('fit-start')[0]?.deterministic).toBe(true);
});
