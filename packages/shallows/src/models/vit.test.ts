import { noGrad, randn, scope, setNumThreads, stats, type Tensor, trace } from '@shallows/torch';
import { beforeAll, describe, expect, test } from 'vitest';
import { ShallowsError } from '../errors.js';
import { trainingPass } from '../nn/index.js';
import { rootKey } from '../random/index.js';
import { type VitOptions, vit, vitSizes } from './index.js';

const key = rootKey(1);
const tiny = { size: 'ti', patch: 4, image: 8, classes: 3, dim: 12, depth: 2, heads: 3, key } as const;
const numbers = (x: Tensor): number[] => Array.from(x.toArray(), Number);
const deviation = (values: readonly number[]): number =>
  Math.sqrt(values.reduce((sum, each) => sum + each ** 2, 0) / values.length);

beforeAll(() => setNumThreads(1));

// Keys, shapes, outputs and gradients are compared with timm's in tests/conformance/transformers.test.ts.
describe('vit', () => {
  test('the sizes of the papers', () => {
    expect(vitSizes.ti).toEqual({ dim: 192, depth: 12, heads: 3 });
    expect(vitSizes.l).toEqual({ dim: 1024, depth: 24, heads: 16 });
    using model = vit({ size: 'ti', classes: 1000, key });
    expect(model.parameterCount).toBe(5_717_416);
    expect(model.blocks).toHaveLength(12);
  });

  test('weights start as in timm, a function of the key alone and another in every layer', () => {
    using model = vit({ ...tiny, dim: 96, layerScale: 0.1 });
    for (const [name, parameter] of model.namedParameters()) {
      const values = numbers(parameter);
      if (/patch_embed/.test(name)) {
        // U(−1/√fanIn, 1/√fanIn).
        expect(Math.max(...values.map(Math.abs)), name).toBeLessThanOrEqual(1 / Math.sqrt(48));
      } else if (/ls\d/.test(name)) expect(new Set(values), name).toEqual(new Set([Math.fround(0.1)]));
      else if (/bias$/.test(name)) expect(new Set(values), name).toEqual(new Set([0]));
      else if (/norm/.test(name)) expect(new Set(values), name).toEqual(new Set([1]));
      else {
        const std = name === 'cls_token' ? 1e-6 : 0.02;
        // 99.9 % of draws lie within 3.29 standard errors.
        expect(Math.abs(deviation(values) / std - 1), name).toBeLessThan(3.2905 / Math.sqrt(2 * values.length));
      }
    }
    using same = vit({ ...tiny, dim: 96, layerScale: 0.1 });
    using other = vit({ ...tiny, dim: 96, layerScale: 0.1, key: rootKey(2) });
    const drawn = Object.entries(model.stateDict()).filter(([, each]) => new Set(numbers(each)).size > 2);
    for (const [name, each] of drawn) {
      expect(numbers(same.stateDict()[name] as Tensor)).toEqual(numbers(each));
      expect(numbers(other.stateDict()[name] as Tensor), name).not.toEqual(numbers(each));
    }
    expect(new Set(drawn.map(([, each]) => numbers(each).slice(0, 8).join())).size).toBe(drawn.length);
  });

  test('pictures to logits in float32, float64 and bfloat16, with nothing left behind', () => {
    scope(() => {
      const x = randn([2, 3, 8, 8]);
      const wanted = noGrad(() => vit(tiny).forward(x));
      expect(wanted.shape).toEqual([2, 3]);
      for (const [dtype, tolerance] of [
        ['float64', { rtol: 1e-4, atol: 1e-5 }],
        ['bfloat16', { rtol: 0.05, atol: 0.05 }],
      ] as const) {
        const model = vit(tiny).to({ dtype });
        const input = x.to(dtype);
        const before = stats().liveTensors;
        for (const logits of [model.forward(input), model.forward(input, trainingPass())]) {
          expect(logits.dtype).toBe(dtype);
          expect(logits).toBeAllclose(wanted, tolerance);
          logits.dispose();
        }
        expect(stats().liveTensors).toBe(before);
      }
    });
  });

  test('calls what timm calls, one attention a block', () => {
    scope(() => {
      const model = vit({ ...tiny, depth: 1 });
      const x = randn([2, 3, 8, 8]);
      const calls = trace(() => model.forward(x)).calls.map(({ op }) => op.replace(/^(aten|shallows)::/, ''));
      const attention = 'linear reshape permute unbind scaled_dot_product_attention transpose reshape linear';
      expect(calls.join(' ')).toBe(
        `conv2d flatten transpose expand cat add_ layer_norm ${attention} add layer_norm linear gelu linear add ` +
          'select layer_norm linear',
      );
    });
  });

  test('what whole patches leave over is not looked at', () => {
    scope(() => {
      const model = vit({ ...tiny, image: [9, 11] });
      expect(model.posEmbed.shape).toEqual([1, 5, 12]);
      const x = randn([1, 3, 9, 11]);
      const cut = x.narrow(2, 0, 8).narrow(3, 0, 8);
      expect(numbers(model.forward(x))).toEqual(numbers(vit(tiny).forward(cut)));
    });
  });

  test.each([
    [{ size: 'xl' }, 'vit: size: expected ti, s, b or l, got "xl" - write vit('],
    [{ classes: 0, channels: 0 }, 'vit: classes: expected a whole number from 1, got 0; channels: expected'],
    [{ patch: 0 }, 'vit: patch: expected a whole number from 1 or two, got 0'],
    [{ image: null }, 'vit: image: expected a whole number from 1 or two, got null'],
    [{ patch: [4, 9] }, 'vit: patch: expected at most the image, got [4, 9] - write patches that fit'],
    [{ heads: 5 }, 'vit: heads: expected a divisor of the dim 12, got 5'],
    [{ depth: 1.5 }, 'vit: depth: expected a whole number from 1, got 1.5'],
    [{ mlpRatio: 0.01 }, 'vit: mlpRatio: expected a number with a hidden feature for a dim of 12, got 0.01'],
    [{ layerScale: Number.NaN }, 'vit: layerScale: expected null or a number, got NaN'],
    [{ key: 1 }, 'vit: key: expected a key of rootKey or deriveKey, got 1'],
  ])('%o is an error', (options, message) => {
    const before = stats().liveTensors;
    const make = (): unknown => vit({ ...tiny, ...options } as VitOptions);
    expect(make).toThrow(ShallowsError);
    expect(make).toThrow(message);
    expect(stats().liveTensors).toBe(before);
  });

  test('pictures of another size are an error', () => {
    using model = vit(tiny);
    for (const shape of [
      [1, 3, 8, 9],
      [3, 8, 8],
    ]) {
      using x = randn(shape);
      expect(() => model.forward(x)).toThrow(
        `VisionTransformer: expected pictures [B, C, 8, 8], got [${shape.join(', ')}] - resize them`,
      );
    }
  });
});
