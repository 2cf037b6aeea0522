import {
  type DType,
  fromTypedArray,
  manualSeed,
  ones,
  ops,
  rand,
  scope,
  stats,
  type Tensor,
  tensor,
} from '@shallows/torch';
import { describe, expect, test } from 'vitest';
import { ShallowsError } from '../../errors.js';
import { Sequential } from '../../nn/index.js';
import { Module } from '../../nn/module.js';
import { evaluation, monteCarloPass, type Pass, trainingPass } from '../../nn/pass.js';
import { rowKeysSlot } from '../../nn/row-keys.js';
import { spreadSlot } from '../../nn/spread.js';
import { deriveKey, rootKey, uniforms } from '../../random/index.js';
import { drawPlan } from '../plan/plan.js';
import { withPlan } from '../plan/planned-pass.js';
import { Policy } from '../policy/policy.js';
import { rateSites } from '../policy/rate-sites.js';
import { binomialInterval } from '../proof/binomial.js';
import { DropPath, nameDropPaths, StochasticDepth, stochasticDepth } from './drop-path.js';

const key = rootKey(11);
const pass = trainingPass({ key });
const at = (step: number): Pass => trainingPass({ key: deriveKey(key, 'step', step) });
const values = (x: Tensor | null): number[] => Array.from(x?.toArray() ?? [], Number);
const named = { name: 'place' };
const rates = [0.001, 0.002, 0.004, 0.01, 0.1, 0.5, 0.9];
const dtypes = ['float32', 'float16', 'bfloat16'] as const satisfies DType[];
/** 1/(1 − p) as the dtype holds it. */
const scaleIn = (p: number, dtype: DType): number => tensor([1 / (1 - p)], { dtype }).item();

describe('the mask', () => {
  test.each([1, 2, 3, 4, 5])('rank %i: row by row, or the whole batch', (rank) => {
    const x = ones([64, 3, 2, 2, 2].slice(0, rank));
    const width = x.numel / 64;
    const rows = values(stochasticDepth(x, 0.5, 'row', pass, named));
    for (let row = 0; row < 64; row++) {
      expect(new Set(rows.slice(row * width, (row + 1) * width)).size).toBe(1);
    }
    expect(new Set(rows)).toEqual(new Set([0, 2]));
    const batches = Array.from({ length: 20 }, (_, step) => stochasticDepth(x, 0.5, 'batch', at(step), named));
    expect(batches.every((y) => new Set(values(y)).size === 1)).toBe(true);
    expect(new Set(batches.map((y) => values(y)[0]))).toEqual(new Set([0, 2]));
    for (const y of batches) expect(y.shape).toEqual(x.shape);
  });

  test('where rows have keys each goes by its own, alone and for several passes at once', () => {
    scope(() => {
      const x = ones([8, 2]);
      const keysOf = (t: number) => Array.from({ length: 8 }, (_, row) => deriveKey(key, row, t));
      for (const mode of ['row', 'batch'] as const) {
        const of = (rows: Tensor, own: ReturnType<typeof keysOf>): number[] =>
          values(stochasticDepth(rows, 0.5, mode, monteCarloPass({ key }).with(rowKeysSlot, own), named));
        const [first, second] = [of(x, keysOf(0)), of(x, keysOf(1))];
        expect(first).not.toEqual(second);
        expect(of(x.narrow(0, 2, 3), keysOf(0).slice(2, 5))).toEqual(first.slice(4, 10));
        const both = monteCarloPass({ key })
          .with(rowKeysSlot, [...keysOf(0), ...keysOf(1)])
          .with(spreadSlot, { rows: 8, passes: 2 });
        const together = stochasticDepth(x, 0.5, mode, both, named);
        expect([together.shape, values(together)]).toEqual([
          [16, 2],
          [...first, ...second],
        ]);
      }
    });
  });

  test('a tensor without dimensions is a batch of its own', () => {
    const drawn = Array.from({ length: 20 }, (_, step) => stochasticDepth(tensor(3), 0.5, 'batch', at(step), named));
    expect(new Set(drawn.map((y) => y.item()))).toEqual(new Set([0, 6]));
    expect(drawn.every((y) => y.shape.length === 0)).toBe(true);
  });

  describe.each(dtypes)('in %s', (dtype) => {
    test.each(rates)('rate %f: only 0 and 1/(1 − p), and as often as asked (99.9 %% bounds for all)', (p) => {
      const rows = 40_000;
      const y = stochasticDepth(ones([rows, 1], { dtype }), p, 'row', pass, named);
      expect(y.dtype).toBe(dtype);
      const got = values(y);
      expect([...new Set(got)].toSorted()).toEqual([0, scaleIn(p, dtype)].toSorted());
      // Bonferroni over the 21 rates and dtypes, two modes.
      const [lo, hi] = binomialInterval(rows, p, 0.001 / 42);
      const dropped = got.filter((value) => value === 0).length;
      expect(dropped).toBeGreaterThanOrEqual(lo);
      expect(dropped).toBeLessThanOrEqual(hi);
    });

    test.each(rates)('rate %f, whole batches', (p) => {
      scope(() => {
        const x = ones([2, 2], { dtype });
        const draws = 5000;
        const dropped = Array.from({ length: draws }, (_, step) =>
          scope(() => ops.aten.select(stochasticDepth(x, p, 'batch', at(step), named).flatten(), 0, 3).item()),
        ).filter((value) => value === 0).length;
        const [lo, hi] = binomialInterval(draws, p, 0.001 / 42);
        expect(dropped).toBeGreaterThanOrEqual(lo);
        expect(dropped).toBeLessThanOrEqual(hi);
      });
    });

    // The factor is applied in float32 and the product rounded once: over many values the roundings cancel. A factor that is
    // itself rounded to bfloat16, as torchvision's and timm's are, is off by 0.16 % at p = 0.1.
    test('the mean of what is kept is right to 0.02 %', () => {
      scope(() => {
        const spread = uniforms(rootKey(5), 200_000).map((u) => 1 + u);
        const x = fromTypedArray(spread, [spread.length, 1], { dtype });
        const read = values(x);
        for (const p of [0.1, 0.3, 0.7]) {
          let [sum, expected] = [0, 0];
          values(stochasticDepth(x, p, 'row', pass, named)).forEach((value, i) => {
            if (value === 0) return;
            sum += value;
            expected += (read[i] ?? 0) / (1 - p);
          });
          expect(Math.abs(sum / expected - 1)).toBeLessThan(2e-4);
        }
      });
    });
  });

  test('without scaling what is kept stays as it is', () => {
    const y = stochasticDepth(ones([100, 2]), 0.5, 'row', pass, { name: 'a', scaleByKeep: false });
    expect(new Set(values(y))).toEqual(new Set([0, 1]));
  });

  test('float64 and complex numbers', () => {
    const x = ones([100, 2], { dtype: 'float64' });
    expect(new Set(values(stochasticDepth(x, 0.1, 'row', pass, named)))).toEqual(new Set([0, 1 / 0.9]));
    expect(stochasticDepth(x.to('complex64'), 0.1, 'row', pass, named).dtype).toBe('complex64');
  });

  test('an empty batch stays one', () => {
    expect(stochasticDepth(ones([0, 3]), 0.5, 'row', pass, named).shape).toEqual([0, 3]);
  });
});

describe('what is drawn', () => {
  const x = ones([256, 1]);
  const draw = (each: Pass, name = 'a'): string => values(stochasticDepth(x, 0.5, 'row', each, { name })).join();

  test('is a function of key and name: equal twice, whatever ran between', () => {
    const first = draw(pass);
    manualSeed(3);
    rand([5]);
    draw(pass, 'b');
    expect(draw(trainingPass({ key: rootKey(11) }))).toBe(first);
    expect(draw(pass, 'b')).not.toBe(first);
    expect(draw(at(1))).not.toBe(first);
    expect(draw(monteCarloPass({ key }))).toBe(first);
  });

  test('follows the step, microbatch and rank of a plan, so that one key may serve many passes', () => {
    const policy = Policy({ drop: 0.5, ranks: 'independent' });
    const sites = rateSites(policy, ['site']);
    const planned = (step: number, microbatch = 0, rank = 0): Pass =>
      withPlan(pass, drawPlan(policy, sites, { key, step, microbatch, rank }));
    const drawn = [draw(pass), draw(planned(0)), draw(planned(1)), draw(planned(0, 1)), draw(planned(0, 0, 1))];
    expect(new Set(drawn).size).toBe(5);
    expect(draw(planned(1))).toBe(drawn[2]);
  });

  test('places and steps are independent (false alarm 0.1 % each)', () => {
    const signs = (each: Pass, name: string): number[] =>
      values(stochasticDepth(ones([4096, 1]), 0.5, 'row', each, { name })).map((value) => value - 1);
    const one = signs(at(1), 'a');
    for (const other of [signs(at(1), 'b'), signs(at(2), 'a')]) {
      const product = one.reduce((sum, sign, i) => sum + sign * (other[i] ?? 0), 0);
      expect(Math.abs(product)).toBeLessThan(3.2905 * Math.sqrt(4096));
    }
  });

  test('never touches the generator that others share', () => {
    manualSeed(5);
    const next = values(rand([3]));
    manualSeed(5);
    draw(pass);
    expect(values(rand([3]))).toEqual(next);
  });
});

describe('rate 0, evaluation and rate 1', () => {
  const x = ones([4, 2]);

  test('rate 0 and evaluation give the tensor itself, and need neither key nor name', () => {
    expect(stochasticDepth(x, 0, 'row', trainingPass())).toBe(x);
    expect(stochasticDepth(x, 0.5, 'row')).toBe(x);
    expect(stochasticDepth(x, 1, 'batch', evaluation)).toBe(x);
  });

  test.each(['row', 'batch'] as const)('rate 1, %s: zeros, never NaN, and gradients of 0', (mode) => {
    for (const dtype of dtypes) {
      const input = tensor(
        [
          [1, Number.NaN],
          [Number.POSITIVE_INFINITY, -2],
        ],
        { dtype, requiresGrad: true },
      );
      const y = stochasticDepth(input, 1, mode, pass, named);
      expect(values(y)).toEqual([0, 0, 0, 0]);
      y.backward(ones([2, 2], { dtype }));
      expect(values(input.grad)).toEqual([0, 0, 0, 0]);
    }
  });
});

describe('gradients', () => {
  test('1/(1 − p) times the upstream one where kept, 0 where dropped', () => {
    const input = ones([50, 2], { requiresGrad: true });
    const y = stochasticDepth(input, 0.75, 'row', pass, named);
    const upstream = Float32Array.from({ length: 100 }, (_, i) => i + 1);
    y.backward(tensor(upstream, { shape: [50, 2] }));
    const out = values(y);
    expect(values(input.grad)).toEqual(out.map((value, i) => (value === 0 ? 0 : 4 * (i + 1))));
    expect(out.filter((value) => value === 4).length).toBeGreaterThan(0);
  });

  test('NaN and infinity in dropped rows leak neither forwards nor backwards', () => {
    const clean = values(stochasticDepth(ones([64, 1]), 0.5, 'row', pass, named));
    const poisoned = clean.map((value, i) => (value !== 0 ? 1 : i % 2 === 0 ? Number.NaN : Number.NEGATIVE_INFINITY));
    const input = tensor(poisoned, { shape: [64, 1], requiresGrad: true });
    const y = stochasticDepth(input, 0.5, 'row', pass, named);
    expect(values(y)).toEqual(clean);
    y.backward(ones([64, 1]));
    expect(values(input.grad)).toEqual(clean);
  });

  test('temporaries end with the call', () => {
    scope(() => {
      const x = ones([8, 2]);
      const before = stats().liveTensors;
      const y = stochasticDepth(x, 0.5, 'row', pass, named);
      expect(y.shape).toEqual([8, 2]);
      expect(stats().liveTensors).toBe(before + 1);
    });
  });
});

describe('refuses', () => {
  const x = ones([2, 2]);

  test.each([-0.1, 1.1, 5, Number.NaN, Number.POSITIVE_INFINITY, '0.5', null])(
    'the rate %s, in evaluation too',
    (p) => {
      for (const each of [pass, evaluation]) {
        expect(() => stochasticDepth(x, p as number, 'row', each, named)).toThrow(ShallowsError);
      }
      // torchvision's constructor takes p = 5 and the mode 'zzz'.
      expect(() => new StochasticDepth(p as number, 'row')).toThrow('StochasticDepth: p: expected a number in [0, 1]');
      expect(() => new DropPath(p as number)).toThrow('DropPath: p: expected a number in [0, 1]');
    },
  );

  test('an unknown mode, all at once with the rate', () => {
    expect(() => new StochasticDepth(5, 'zzz' as 'row')).toThrow(
      'StochasticDepth: p: expected a number in [0, 1], got 5; mode: expected row or batch, got "zzz" - write new StochasticDepth(0.1, \'row\', { name })',
    );
    expect(() => stochasticDepth(x, 0.5, '' as 'row', pass, named)).toThrow('mode: expected row or batch');
  });

  test('integers, and a batch without rows', () => {
    for (const dtype of ['int64', 'bool', 'uint8'] as const) {
      expect(() => stochasticDepth(ones([2], { dtype }), 0.5, 'row', pass, named)).toThrow(
        `expected a tensor of floating-point numbers, got ${dtype}`,
      );
    }
    expect(() => stochasticDepth(tensor(1), 0.5, 'row', pass, named)).toThrow(
      'expected a tensor with rows, got shape []',
    );
  });

  test('a random pass without a key, and a place without a name', () => {
    expect(() => stochasticDepth(x, 0.5, 'row', trainingPass(), named)).toThrow('expected a pass with a key');
    expect(() => stochasticDepth(x, 0.5, 'row', pass)).toThrow('expected the name of the place that drops, got ""');
    expect(() => new DropPath(0.5).forward(x, pass)).toThrow('or call nameDropPaths(model)');
  });
});

describe('modules', () => {
  const x = ones([32, 2]);

  test('are the function, and hold no state', () => {
    const y = values(stochasticDepth(x, 0.5, 'row', pass, named));
    expect(values(new StochasticDepth(0.5, 'row', named).forward(x, pass))).toEqual(y);
    expect(values(new DropPath(0.5, named).forward(x, pass))).toEqual(y);
    expect(new Set(values(new DropPath(0.5, { ...named, scaleByKeep: false }).forward(x, pass)))).toEqual(
      new Set([0, 1]),
    );
    expect(new DropPath().forward(x, pass)).toBe(x);
    expect(new DropPath(0.5, named).forward(x)).toBe(x);
    expect(new DropPath(0.5).stateDict()).toEqual({});
  });

  test('are named by their paths; given names stay, and meet nowhere', () => {
    class Block extends Module {
      readonly dropPath1 = new DropPath(0.5);
      readonly dropPath2: StochasticDepth;

      constructor(name = '') {
        super();
        this.dropPath2 = new StochasticDepth(0.5, 'batch', { name });
      }

      override forward(input: Tensor, each: Pass = evaluation): Tensor {
        return this.dropPath2.forward(this.dropPath1.forward(input, each), each);
      }
    }
    const model = new Sequential(new Block(), new Block('mine'));
    expect(nameDropPaths(model)).toEqual(['0.drop_path1', '0.drop_path2', '1.drop_path1', 'mine']);
    expect(nameDropPaths(model)).toEqual(['0.drop_path1', '0.drop_path2', '1.drop_path1', 'mine']);
    expect(() => model.forward(x, pass)).not.toThrow();
    expect(() => nameDropPaths(new Sequential(new Block('same'), new Block('same')))).toThrow('got "same" twice');
    expect(nameDropPaths(new DropPath(0.1))).toEqual(['dropPath']);
  });
});
