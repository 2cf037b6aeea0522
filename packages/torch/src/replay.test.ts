import { describe, expect, test } from 'vitest';
import { noGrad, Operator, ops, Replay, randn, scope, stats, type Tensor, tensor, trace } from './index.js';

const relu_ = new Operator('aten::relu_');
const unbind = new Operator('aten::unbind', 'int');

/** A few layers, then something that depends on `by`. */
function compute(x: Tensor, replay: Replay, by: number): Tensor {
  const hidden = scope(() => {
    const first = x.mul(2).add(1);
    return relu_.call([first]) as Tensor;
  });
  const [top, bottom] = unbind.call([hidden]) as [Tensor, Tensor];
  const sum = top.add(bottom, { alpha: ops.aten.size.int(hidden, 0) as number });
  replay.mark();
  return sum.mul(by).add(x.select(0, 0));
}

describe('Replay', () => {
  const x = randn([2, 3]);

  test('computes the first part once, and gives the same results to the last bit', () => {
    using replay = new Replay();
    noGrad(() =>
      scope(() => {
        const first = replay.record(() => compute(x, replay, 2));
        expect(replay.isMarked).toBe(true);
        for (const by of [2, 3, 5]) {
          const { result, calls } = trace(() => replay.run(() => compute(x, replay, by)));
          using plain = new Replay();
          expect(result).toBeAllclose(compute(x, plain, by), { rtol: 0, atol: 0 });
          // What came before the mark was not called.
          expect(calls.map(({ op }) => op)).toEqual(['aten::mul', 'aten::select', 'aten::add']);
        }
        expect(first.shape).toEqual([3]);
        expect(replay.isIntact).toBe(true);
      }),
    );
  });

  test('holds what is in use at the mark alone, and frees it', () => {
    const before = stats();
    {
      using replay = new Replay();
      scope(() => {
        replay.record(() => compute(x, replay, 2));
      });
      expect(stats().liveTensors).toBeGreaterThan(before.liveTensors);
      scope(() => {
        replay.run(() => compute(x, replay, 2));
      });
    }
    expect(stats()).toEqual(before);
  });

  test('knows when what it holds was written to', () => {
    using replay = new Replay();
    scope(() => {
      const write = (): Tensor => {
        const y = x.add(1);
        replay.mark();
        return relu_.call([y]) as Tensor;
      };
      replay.record(write);
      expect(replay.isIntact).toBe(false);
    });
  });

  test('other code than was recorded is an error, and leaves nothing behind', () => {
    using replay = new Replay();
    scope(() => {
      expect(() => replay.run(() => x)).toThrow('expected a recording with a mark, got none');
      replay.record(() => compute(x, replay, 2));
      expect(() => replay.run(() => x.add(1))).toThrow(
        /expected the call of aten::mul\S* that was recorded, got aten::add/,
      );
      expect(() => replay.run(() => x.mul(2))).toThrow(/expected the 6 calls that were recorded, got 1/);
      expect(() =>
        replay.record(() => {
          throw new Error('no');
        }),
      ).toThrow('no');
      expect(replay.isMarked).toBe(false);
      expect(x.add(1)).toBeAllclose(ops.aten.add(x, tensor(1)) as Tensor);
    });
  });

  test('a value that was read on the way is the one of before', () => {
    using replay = new Replay();
    const read = (): Tensor => {
      const most = x.max().item();
      replay.mark();
      return x.mul(most);
    };
    scope(() => {
      const first = replay.record(read);
      expect(replay.run(read)).toBeAllclose(first, { rtol: 0, atol: 0 });
    });
  });
});
