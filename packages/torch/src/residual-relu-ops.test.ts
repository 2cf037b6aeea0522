import { describe, expect, test } from 'vitest';
import { bits, gradients, leaf, values, weigh } from '../../../tests/support/unstructured.js';
import { cat, grad, ops, type Tensor, tensor, zeros } from './index.js';

/** Each of `a` with each of `b` and each of `c`. */
function combinations<A, B, C>(a: readonly A[], b: readonly B[], c: readonly C[]): [A, B, C][] {
  return a.flatMap((x) => b.flatMap((y) => c.map((z): [A, B, C] => [x, y, z])));
}

const { join_window, join_rows } = ops.shallows;
const scale = 1 / 0.7;

describe('a join with a relu', () => {
  const kept: Record<string, (shortcut: Tensor, branch: Tensor, by: number, rectify: 'kept' | 'all') => Tensor> = {
    window: (shortcut, branch, by, rectify) => join_window(shortcut, branch, 1, by, { rectify }),
    rows: (shortcut, branch, by, rectify) => join_rows(shortcut, branch, tensor([2n, 1n]), by, { rectify }),
  };
  const order: Record<string, readonly number[]> = { window: [0, 1], rows: [1, 0] };
  /** The rows one by one: rows 1 and 2 of 4 are sums. */
  const composed = (kind: string, shortcut: Tensor, branch: Tensor, by: number, rectify: string): Tensor =>
    cat(
      [0, 1, 2, 3].map((row) => {
        const mine = shortcut.narrow(0, row, 1);
        const from = row === 1 || row === 2 ? (order[kind]?.[row - 1] as number) : -1;
        if (from < 0) return rectify === 'all' ? mine.relu() : mine;
        return mine.add(branch.narrow(0, from, 1), { alpha: by }).relu();
      }),
    );
  const cases = (['window', 'rows'] as const).flatMap((kind) =>
    (['kept', 'all'] as const).map((rectify) => [kind, rectify] as const),
  );

  test.each(cases)('%s, %s: values and gradients of the composed rows, to the last bit', (kind, rectify) => {
    // The second row is longer than the loops take at a time, and neither is a number of whole bytes of bits.
    const sizes = [
      [3, 5, 2],
      [3, 29, 31],
    ];
    for (const [dtype, by, size] of combinations(['float32', 'float64'] as const, [1, scale], sizes)) {
      const [shortcut, branch] = [leaf([4, ...size], dtype), leaf([2, ...size], dtype, 2)];
      const run = kept[kind] as (typeof kept)[string];
      const [ours, plain] = [run(shortcut, branch, by, rectify), composed(kind, shortcut, branch, by, rectify)];
      expect(bits(ours.add(0))).toBe(bits(plain.add(0)));
      const expected = gradients(() => plain, [shortcut, branch]);
      for (const [i, each] of gradients(() => ours, [shortcut, branch]).entries()) {
        expect(bits(each?.add(0) as Tensor)).toBe(bits(expected[i]?.add(0) as Tensor));
      }
    }
  });

  test.each(cases)('%s, %s: half precision and other memory formats', (kind, rectify) => {
    const run = kept[kind] as (typeof kept)[string];
    for (const dtype of ['bfloat16', 'float16'] as const) {
      const [shortcut, branch] = [leaf([4, 40], dtype), leaf([2, 40], dtype, 2)];
      const plain = composed(kind, shortcut.to('float32'), branch.to('float32'), scale, rectify).to(dtype);
      const out = run(shortcut, branch, scale, rectify);
      expect(bits(out.add(0))).toBe(bits(plain.add(0)));
      for (const each of gradients(() => out, [shortcut, branch])) expect(each?.dtype).toBe(dtype);
    }
    const [shortcut, branch] = [leaf([4, 3, 5, 2], 'float32'), leaf([2, 3, 5, 2], 'float32', 2)];
    const last = { memoryFormat: 'channels_last' } as const;
    for (const [a, b] of [
      [shortcut.contiguous(last), branch.contiguous(last)],
      [shortcut.contiguous(last), branch],
      [shortcut, branch.contiguous(last)],
    ] as const) {
      const out = run(a, b, scale, rectify);
      const plain = composed(kind, shortcut, branch, scale, rectify);
      expect(out).toBeAllclose(plain, { rtol: 0, atol: 0 });
      const expected = gradients(() => plain, [shortcut, branch]);
      for (const [i, each] of gradients(() => out, [shortcut, branch]).entries()) {
        expect(each).toBeAllclose(expected[i] as Tensor, { rtol: 0, atol: 0 });
      }
      // A gradient that lies otherwise in memory than the sum.
      const across = grad(run(a, b, scale, rectify), [shortcut, branch], {
        gradOutputs: [values([4, 3, 5, 2], 'float32', 9).contiguous(last)],
      });
      for (const [i, each] of across.entries()) {
        expect(each).toBeAllclose(expected[i] as Tensor, { rtol: 0, atol: 0 });
      }
    }
  });

  test.each(cases)(
    '%s, %s: gradients lie in memory as the batch does, in whatever order one comes',
    (kind, rectify) => {
      const last = { memoryFormat: 'channels_last' } as const;
      const [shortcut, branch] = [leaf([4, 3, 5, 2], 'float32'), leaf([2, 3, 5, 2], 'float32', 2)];
      const run = kept[kind] as (typeof kept)[string];
      const inner: Tensor[] = [shortcut.contiguous(last), branch.contiguous(last)];
      const out = run(inner[0] as Tensor, inner[1] as Tensor, scale, rectify);
      const found = grad(out, inner, { gradOutputs: [values([4, 3, 5, 2], 'float32', 9)] });
      for (const each of found) expect(each?.isContiguous(last)).toBe(true);
    },
  );

  test.each(cases)('%s, %s: can be differentiated twice', (kind, rectify) => {
    const second = (fn: (shortcut: Tensor, branch: Tensor) => Tensor): (Tensor | null)[] => {
      const inputs = [leaf([4, 3]), leaf([2, 3], 'float64', 2)] as const;
      const out = fn(inputs[0].pow(2), inputs[1].pow(3));
      const [first] = grad(weigh(out), [inputs[1]], { createGraph: true });
      return grad(weigh((first as Tensor).pow(2)), inputs, { allowUnused: true });
    };
    const expected = second((a, b) => composed(kind, a, b, scale, rectify));
    for (const [i, each] of second((a, b) => (kept[kind] as (typeof kept)[string])(a, b, scale, rectify)).entries()) {
      // What does not depend on an input has no gradient, or zeros.
      const shape = [4 - 2 * i, 3];
      expect(each ?? zeros(shape)).toBeAllclose(expected[i] ?? zeros(shape), { rtol: 1e-13, atol: 1e-14 });
    }
  });

  test('changes no gradient that somebody else holds', () => {
    for (const [, run] of Object.entries(kept)) {
      const [shortcut, branch] = [leaf([4, 3]), leaf([2, 3], 'float64', 2)];
      const given = values([4, 3], 'float64', 3);
      const before = bits(given);
      grad(run(shortcut, branch, 2, 'all'), [shortcut, branch], { gradOutputs: [given] });
      expect(bits(given)).toBe(before);
    }
  });

  test('NaN goes through, as through a relu', () => {
    const branch = tensor([Number.NaN, 1], { shape: [2, 1] });
    expect(join_window(zeros([4, 1]), branch, 1, 1, { rectify: 'all' })).toBeAllclose([0, Number.NaN, 1, 0]);
  });

  test('refuses other words, and complex numbers', () => {
    const x = zeros([4, 3]);
    expect(() => join_window(x, x, 0, 1, { rectify: 'some' as 'all' })).toThrow(
      /expected 'rectify' to be none, kept or all, got 'some'/,
    );
    const z = zeros([4, 3], { dtype: 'complex64' });
    expect(() => join_window(z, z, 0, 1, { rectify: 'all' })).toThrow(/expected real tensors to rectify/);
  });
});
