import { ones, rand, randn, scope, setNumThreads, stats, type Tensor, trace, zeros } from '@shallows/torch';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { family, type Member } from '../../../../tests/support/dropout-family.js';
import { ShallowsError } from '../errors.js';
import { evaluation, monteCarloPass, rowKeysSlot, trainingPass } from '../nn/index.js';
import { deriveKey, generator, rootKey } from '../random/index.js';
import { activeDropoutsSlot, dropoutFactorSlot, dropoutMomentSlot } from './index.js';

const key = rootKey(5);
const timeline = { batchSize: 4, batchesPerEpoch: 10, duration: 20 };
const name = 'place';
const training = (seed = 5) => trainingPass({ key: rootKey(seed) });
const numbers = (x: Tensor | null): number[] => Array.from(x?.toArray() ?? [], Number);
/** Numbers in [0.5, 1.5): none is 0, so what is 0 was dropped. */
const input = ({ shape }: Member): Tensor => rand(shape, { generator: generator(key) }).add(0.5);
/** What callers without types may pass. */
const any = <T>(value: unknown): T => value as T;

beforeAll(() => setNumThreads(1));
afterEach(() => setNumThreads(1));

describe.each(family.map((member) => [member.kind, member] as const))('%s', (kind, member) => {
  const { make, run, call, drops, rows } = member;
  const forward = (x: Tensor, rate: number, seed = 5): Tensor => run(make(rate, name), x, training(seed));

  test('evaluation, and rate 0 in training, give x itself without an operator', () => {
    scope(() => {
      const x = input(member);
      for (const [rate, pass] of [
        [0.5, evaluation],
        [0, training()],
        [0, monteCarloPass({ key })],
      ] as const) {
        const { result, calls } = trace(() => [run(make(rate, name), x, pass), call(x, rate, pass, name)]);
        expect(result[0]).toBe(x);
        expect(result[1]).toBe(x);
        // The tokens of a text are made by the test.
        expect(calls.filter(({ op }) => !/arange|unsqueeze|expand/.test(op))).toEqual([]);
      }
      expect([make(0.5).isActive(evaluation), make(0).isActive(training()), make(0.5).isActive(training())]).toEqual([
        false,
        false,
        true,
      ]);
    });
  });

  test.runIf(drops)('rate 1 gives zeros, and a gradient of zeros', () => {
    scope(() => {
      const x = input(member);
      x.requiresGrad = true;
      const y = forward(x, 1);
      expect(numbers(y).every((each) => each === 0)).toBe(true);
      y.sum().backward();
      expect(numbers(x.grad).every((each) => each === 0)).toBe(true);
      expect(numbers(x.grad)).toHaveLength(numbers(x).length);
    });
  });

  test.runIf(drops)('NaN and ∞ in what is dropped do not leak, forward or backward', () => {
    scope(() => {
      const clean = input(member);
      const y = forward(clean, 0.5);
      // Where dropped: 0, or where SELU saturates.
      const gone = y.le(0);
      const share = gone.to('float32').mean().item();
      expect(share).toBeGreaterThan(0.1);
      expect(share).toBeLessThan(0.9);
      for (const poison of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        const x = clean.maskedFill(gone, poison);
        x.requiresGrad = true;
        const poisoned = forward(x, 0.5);
        expect(numbers(poisoned)).toEqual(numbers(y));
        poisoned.backward(zeros(y.shape).maskedFill(gone, poison));
        expect(numbers(x.grad).every((each) => each === 0)).toBe(true);
      }
    });
  });

  test.runIf(kind === 'gaussian-dropout')('what is no number stays where it is', () => {
    scope(() => {
      const x = input(member);
      x.reshape([-1]).narrow(0, 3, 1).fill_(Number.NaN);
      expect(numbers(forward(x, 0.3)).flatMap((each, i) => (Number.isNaN(each) ? [i] : []))).toEqual([3]);
    });
  });

  test.each(['float32', 'float64', 'float16', 'bfloat16'] as const)(
    'shape, dtype and the gradient of what is kept, %s',
    (dtype) => {
      scope(() => {
        const x = input(member).to(dtype).detach();
        x.requiresGrad = true;
        const y = forward(x, 0.4);
        expect([y.shape, y.dtype]).toEqual([x.shape, dtype]);
        y.backward(ones(y.shape, { dtype }));
        expect(x.grad?.dtype).toBe(dtype);
        // Linear in x but for the alpha dropouts, which add a constant.
        if (kind.includes('alpha')) return;
        const close = dtype === 'float64' ? 1e-12 : dtype === 'float32' ? 1e-6 : dtype === 'float16' ? 2e-3 : 1.6e-2;
        expect(x.grad?.mul(x).to('float64')).toBeAllclose(y.detach().to('float64'), { rtol: close, atol: 0 });
      });
    },
  );

  test.runIf(member.scale !== null)('half precision is scaled in float32, in one rounding', () => {
    scope(() => {
      for (const [dtype, rate] of [
        ['bfloat16', 0.1],
        ['float16', 0.3],
      ] as const) {
        const x = input(member).to(dtype);
        const y = forward(x, rate);
        const wanted = x
          .to('float32')
          .mul(member.scale?.(rate) ?? 1)
          .to(dtype);
        expect(numbers(y)).toEqual(numbers(wanted.maskedFill(y.eq(0), 0)));
      }
    });
  });

  test('integers, bools and complex numbers are refused, also where nothing is dropped', () => {
    scope(() => {
      for (const dtype of ['int64', 'int32', 'uint8', 'bool', 'complex64'] as const) {
        const x = ones(member.shape, { dtype });
        for (const pass of [training(), evaluation]) {
          expect(() => run(make(0.5, name), x, pass)).toThrow(ShallowsError);
          expect(() => call(x, 0.5, pass, name)).toThrow(`got ${dtype} - what is kept is scaled: convert it first`);
        }
      }
    });
  });

  test.each([Number.NaN, -0.1, 1.0001, Number.POSITIVE_INFINITY, '0.5', null, undefined, {}, true])(
    'a rate of %s is refused: when made, when set, when called',
    (rate) => {
      if (rate === undefined) return;
      expect(() => make(any(rate))).toThrow(/rate: expected a drop rate in \[0, 1[\])], got/);
      const module = make(0.25);
      expect(() => {
        module.rate = any(rate);
      }).toThrow(ShallowsError);
      expect(module.rate).toBe(0.25);
      expect(() => call(zeros([1]), any(rate), evaluation, name)).toThrow(
        /p: expected a drop rate in \[0, 1[\])], got/,
      );
    },
  );

  test.runIf(!drops)('a rate of 1 has no variance', () => {
    expect(() => make(1)).toThrow('expected a drop rate in [0, 1), got 1');
  });

  test('the rate of a live module can be set', () => {
    scope(() => {
      const x = input(member);
      const module = make(0.5, name);
      module.rate = 0;
      expect(run(module, x, training())).toBe(x);
      module.rate = 0.2;
      expect(numbers(run(module, x, training()))).toEqual(numbers(forward(x, 0.2)));
    });
  });

  test('a name and a key are needed to draw', () => {
    scope(() => {
      const x = input(member);
      expect(() => run(make(0.5), x, training())).toThrow(
        'expected the name of the place that drops, got "" - call nameDropouts',
      );
      expect(() => run(make(0.5, name), x, trainingPass())).toThrow(
        "expected a pass with a key at 'place', got one without",
      );
      expect(() => call(x, 0.5, trainingPass(), name)).toThrow(ShallowsError);
      expect(run(make(0), x, trainingPass())).toBe(x);
    });
  });

  test('draws are a function of key, name and count of calls, whoever draws before and whatever the threads', () => {
    scope(() => {
      const x = input(member);
      const y = numbers(forward(x, 0.5));
      expect(numbers(call(x, 0.5, training(), name))).toEqual(y);
      const pass = training();
      call(x, 0.5, pass, 'another place');
      randn([50]);
      setNumThreads(2);
      expect(numbers(call(x, 0.5, pass, name))).toEqual(y);
      expect(numbers(run(make(0.5, name), x, monteCarloPass({ key })))).toEqual(y);
      // The second call of one pass, another place, another key.
      const others = [call(x, 0.5, pass, name), call(x, 0.5, training(), 'place2'), forward(x, 0.5, 6)].map(numbers);
      expect(new Set([y, ...others].map(String)).size).toBe(4);
      const again = training();
      call(x, 0.5, again, name);
      expect(numbers(call(x, 0.5, again, name))).toEqual(others[0]);
    });
  });

  test.runIf(rows)('with keys for rows, a row has one mask whatever batch it is in', () => {
    scope(() => {
      const x = input(member);
      const keys = Array.from({ length: x.shape[0] ?? 0 }, (_, i) => deriveKey(key, 'request', i));
      const of = (x: Tensor, own: typeof keys, seed = 5) =>
        run(make(0.5, name), x, monteCarloPass({ key: rootKey(seed) }).with(rowKeysSlot, own));
      const whole = of(x, keys);
      for (const [start, length] of [
        [0, 1],
        [2, 3],
        [5, 1],
      ] as const) {
        const part = of(x.narrow(0, start, length), keys.slice(start, start + length));
        expect(numbers(part)).toEqual(numbers(whole.narrow(0, start, length)));
      }
      const flipped = of(x.flip([0]), [...keys].reverse());
      expect(numbers(flipped.flip([0]))).toEqual(numbers(whole));
      // Rows differ, and so do the pass's keys; rows with one key do not.
      const alike = of(x.narrow(0, 0, 1).expand(x.shape), keys);
      expect(numbers(alike.narrow(0, 0, 1))).not.toEqual(numbers(alike.narrow(0, 1, 1)));
      expect(numbers(of(x, keys, 6))).not.toEqual(numbers(whole));
      const same = of(
        x.narrow(0, 0, 1).expand(x.shape),
        keys.map(() => keys[3] as (typeof keys)[number]),
      );
      expect(numbers(same.narrow(0, 0, 1))).toEqual(numbers(same.narrow(0, 4, 1)));
      // All 64 bits of a key count.
      const { hi, lo } = keys[0] as (typeof keys)[number];
      const others = keys.map((_, i) =>
        i % 2 === 0 ? { hi, lo } : i === 1 ? { hi: (hi ^ 1) >>> 0, lo } : { hi, lo: (lo ^ 1) >>> 0 },
      );
      const halves = of(x.narrow(0, 0, 1).expand(x.shape), others)
        .unbind(0)
        .map((row) => String(numbers(row)));
      expect(halves[2]).toBe(halves[0]);
      expect(new Set(halves.slice(1, 4)).size).toBe(3);
      expect(() => of(x, keys.slice(1))).toThrow('expected 5 rows, as the pass has keys for them, got 6 - ');
    });
  });

  test('a factor and a schedule lower the rate; a pass can leave places out', () => {
    scope(() => {
      const x = input(member);
      const half = numbers(forward(x, 0.25));
      expect(numbers(run(make(0.5, name), x, training().with(dropoutFactorSlot, 0.5)))).toEqual(half);
      expect(numbers(call(x, 0.5, training().with(dropoutFactorSlot, 0.5), name))).toEqual(half);
      expect(run(make(0.5, name), x, training().with(dropoutFactorSlot, 0))).toBe(x);
      expect(() => call(x, 0.5, training().with(dropoutFactorSlot, 1.5), name)).toThrow('expected a factor in [0, 1]');
      const module = make(0.5, name);
      module.site.schedule = { kind: 'warmup', length: '10ba' };
      const at = (batch: number) => training().with(dropoutMomentSlot, { batch, timeline });
      expect(numbers(run(module, x, at(5)))).toEqual(half);
      expect(run(module, x, at(0))).toBe(x);
      expect(() => run(module, x, training())).toThrow("expected the moment of the run for the schedule of 'place'");
      expect(numbers(run(module, x, monteCarloPass({ key })))).toEqual(numbers(forward(x, 0.5)));
      expect(() => {
        module.site.schedule = any({ kind: 'sometimes' });
      }).toThrow(/schedule\.kind: expected constant/);
      expect(run(make(0.5, name), x, training().with(activeDropoutsSlot, new Set(['other'])))).toBe(x);
    });
  });

  test('leaves no tensor behind, and takes empty batches', () => {
    scope(() => {
      const x = input(member);
      const module = make(0.5, name);
      const before = stats().liveTensors;
      for (let i = 0; i < 5; i++) scope(() => void run(module, x, training(i)));
      expect(stats().liveTensors).toBe(before);
      expect(run(module, x.narrow(0, 0, 0), training()).shape[0]).toBe(0);
    });
  });
});
