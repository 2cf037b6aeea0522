import { describe, expect, test } from 'vitest';
import { keep, noGrad, scope, stats, type Tensor, TorchError, tensor, zeros } from './index.js';

const live = (): number => stats().liveTensors;

describe('scope', () => {
  test('frees what was made inside and keeps what is returned', () => {
    const before = live();
    const kept = scope(() => {
      const a = zeros([10]);
      const b = a.add(1);
      return b.mul(2);
    });
    expect(live()).toBe(before + 1);
    expect(kept.disposed).toBe(false);
    kept.dispose();
    expect(live()).toBe(before);
  });

  test.each<[string, (t: Tensor) => unknown, (result: never) => Tensor]>([
    ['an array', (t) => [1, [t]], (r: [number, [Tensor]]) => r[1][0]],
    ['an object', (t) => ({ a: { b: t } }), (r: { a: { b: Tensor } }) => r.a.b],
    ['a map', (t) => new Map([['x', t]]), (r: Map<string, Tensor>) => r.get('x') as Tensor],
    ['a set', (t) => new Set([t]), (r: Set<Tensor>) => [...r][0] as Tensor],
    [
      'a cycle',
      (t) => {
        const o: Record<string, unknown> = { t };
        o['o'] = o;
        return o;
      },
      (r: { t: Tensor }) => r.t,
    ],
    [
      'a class instance',
      (t) =>
        new (class {
          field = t;
        })(),
      (r: { field: Tensor }) => r.field,
    ],
  ])('keeps tensors in %s', (_, wrap, unwrap) => {
    const before = live();
    const result = scope(() => wrap(zeros([1]).add(1)));
    expect(live()).toBe(before + 1);
    expect(unwrap(result as never).item()).toBe(1);
    unwrap(result as never).dispose();
  });

  test('what leaves an inner scope belongs to the outer one', () => {
    const before = live();
    scope(() => {
      const inner = scope(() => zeros([1]));
      expect(inner.disposed).toBe(false);
      expect(live()).toBe(before + 1);
    });
    expect(live()).toBe(before);
  });

  test('frees everything when it throws', () => {
    const before = live();
    expect(() =>
      scope(() => {
        zeros([1]);
        scope(() => {
          zeros([1]);
          throw new Error('on purpose');
        });
      }),
    ).toThrow('on purpose');
    expect(live()).toBe(before);
    scope(() => zeros([1]).item());
    expect(live()).toBe(before);
  });

  test('keep takes a tensor out of all scopes', () => {
    const before = live();
    let cached: Tensor | undefined;
    scope(() =>
      scope(() => {
        cached = keep(zeros([1]));
        keep(cached);
      }),
    );
    expect(cached?.disposed).toBe(false);
    expect(live()).toBe(before + 1);
    cached?.dispose();
  });

  test('tensors from outside are not its business', () => {
    const outside = zeros([1]);
    scope(() => outside.add_(1));
    expect(outside.item()).toBe(1);
    outside.dispose();
  });

  test('dispose inside, also twice, is fine', () => {
    const before = live();
    scope(() => {
      const x = zeros([1]);
      x.dispose();
      x.dispose();
    });
    expect(live()).toBe(before);
  });

  test('an asynchronous function is an error', () => {
    expect(() => scope(async () => 1)).toThrow(TorchError);
    expect(() => noGrad(async () => 1)).toThrow(/expected a synchronous function/);
  });

  test('a thousand tensors are freed at once', () => {
    const before = live();
    scope(() => {
      for (let i = 0; i < 1000; i++) zeros([10]);
      expect(live()).toBe(before + 1000);
    });
    expect(live()).toBe(before);
  });

  test('re-entered from an argument while an operator reads its arguments', () => {
    const x = zeros([2]);
    const result = scope(() =>
      x.add(1, {
        get alpha() {
          return scope(() => zeros([3]).add(2).sum().item());
        },
      }),
    );
    expect([...result.toArray()]).toEqual([6, 6]);
  });
});

describe('using', () => {
  test('frees at the end of the block', () => {
    const before = live();
    {
      using x = zeros([1]);
      using y = x.add(1);
      expect(y.item()).toBe(1);
      expect(live()).toBe(before + 2);
    }
    expect(live()).toBe(before);
  });
});

describe('in place', () => {
  test('an operator that writes in place returns the same object', () => {
    const before = live();
    const x = tensor([1, 2]);
    expect(x.add_(1)).toBe(x);
    expect(x.mul_(x)).toBe(x);
    expect(x.requiresGrad_()).toBe(x);
    expect(noGrad(() => x.zero_())).toBe(x);
    expect(live()).toBe(before + 1);
    x.dispose();
  });
});
