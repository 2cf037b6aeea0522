import { describe, expect, test } from 'vitest';
import { bits, gradients, leaf, values, weigh } from '../../../tests/support/unstructured.js';
import {
  cat,
  checkpoint,
  flops,
  grad,
  noGrad,
  Operator,
  ops,
  scope,
  setAllocationLimit,
  type Tensor,
  tensor,
  trace,
  zeros,
} from './index.js';

const { fork_window, fork_rows, join_window, join_rows, join_mask } = ops.shallows;
const where = ops.aten.where;

/** The same by central differences: the functions here are at most quadratic, so only rounding is between the two. */
function differences(fn: (...inputs: Tensor[]) => Tensor, inputs: readonly Tensor[], at: number): number[] {
  const given = inputs[at] as Tensor;
  const step = 1e-3;
  return Array.from({ length: given.numel }, (_, i) => {
    const moved = (by: number): number => {
      const change = new Float64Array(given.numel);
      change[i] = by;
      const others = [...inputs];
      others[at] = given.detach().add(tensor(change, { shape: given.shape }));
      return weigh(fn(...others)).item();
    };
    return (moved(step) - moved(-step)) / (2 * step);
  });
}

const shape = [5, 3, 2];
const B = 5;
const list = [3n, 0n, 4n];
const index = tensor(list);
const flags = [true, false, false, true, true];
const keep = tensor(flags);
const mask = keep.reshape([B, 1, 1]);
const scale = 1 / 0.7;

/** A residual block whose branch is x² · w on some rows, by the operators and composed of others. */
const blocks: Record<string, [(x: Tensor, w: Tensor) => Tensor, (x: Tensor, w: Tensor) => Tensor]> = {};
for (const [start, length] of [
  [1, 3],
  [0, 2],
  [3, 2],
  [0, 5],
  [2, 0],
] as const) {
  blocks[`window of ${length} from ${start}`] = [
    (x, w) => {
      const [some, rest] = fork_window(x, start, length);
      return join_window(rest, some.mul(some).mul(w), start, scale);
    },
    (x, w) => {
      const some = x.narrow(0, start, length);
      const sum = some.add(some.mul(some).mul(w), { alpha: scale });
      return cat([x.narrow(0, 0, start), sum, x.narrow(0, start + length, B - start - length)]);
    },
  ];
}
for (const rows of [list, [], [4n, 3n, 2n, 1n, 0n]]) {
  const picked = tensor(rows, { dtype: 'int64', shape: [rows.length] });
  blocks[`rows [${rows}]`] = [
    (x, w) => {
      const [some, rest] = fork_rows(x, picked);
      return join_rows(rest, some.mul(some).mul(w), picked, scale);
    },
    (x, w) => {
      const some = x.indexSelect(0, picked);
      return x.indexAdd(0, picked, some.mul(some).mul(w), { alpha: scale });
    },
  ];
}
blocks['mask'] = [
  (x, w) => join_mask(x, x.mul(x).mul(w), keep, scale),
  (x, w) => where(mask, x.add(x.mul(x).mul(w), { alpha: scale }), x) as Tensor,
];

describe.each(Object.entries(blocks))('%s', (_, [ours, composed]) => {
  const x = leaf(shape);
  const w = leaf([3, 2], 'float64', 2);

  test('has the values of the composed block', () => {
    expect(ours(x, w)).toBeAllclose(composed(x, w), { rtol: 1e-15 });
  });

  test('has the gradients of the composed block and of central differences', () => {
    const got = gradients(ours, [x, w]);
    for (const [at, each] of gradients(composed, [x, w]).entries()) {
      expect(got[at]).toBeAllclose(each as Tensor, { rtol: 1e-14, atol: 1e-15 });
      expect(got[at]?.flatten()).toBeAllclose(differences(ours, [x, w], at), { rtol: 1e-9, atol: 1e-10 });
    }
  });

  test('can be differentiated twice', () => {
    const second = (fn: (x: Tensor, w: Tensor) => Tensor): (Tensor | null)[] => {
      const [first] = grad(weigh(fn(x, w)), [x], { createGraph: true });
      return grad(weigh((first as Tensor).pow(2)), [x, w], { allowUnused: true });
    };
    const got = second(ours);
    for (const [at, each] of second(composed).entries()) {
      expect(got[at]).toBeAllclose(each as Tensor, { rtol: 1e-13, atol: 1e-14 });
    }
  });
});

describe('fork', () => {
  test('shares memory and the count of changes with what it came from', () => {
    const x = leaf([4, 2]).mul(1);
    const [window, rest] = fork_window(x, 0, 4);
    for (const each of [window, rest, fork_window(x, 1, 2)[1], fork_rows(x, index.narrow(0, 1, 1))[1]]) {
      expect(ops.aten.is_set_to(each, x)).toBe(true);
    }
    // What is saved of one is known to be changed through the other.
    const loss = window.pow(2).sum();
    rest.detach().zero_();
    expect(() => loss.backward()).toThrow(/modified by an inplace operation/);
  });

  test('some neighbours are a view where nothing is recorded, else rows of their own, which keep no batch alive', () => {
    const x = leaf([4, 2]).mul(1);
    const view = noGrad(() => fork_window(x, 1, 2)[0]);
    expect(ops.aten.is_set_to(view, x.narrow(0, 1, 2))).toBe(true);
    const [window, rest] = fork_window(x, 1, 2);
    expect(window).toBeAllclose(x.narrow(0, 1, 2).detach());
    const expected = window.detach().mul(2);
    const loss = window.pow(2).sum();
    rest.detach().zero_();
    const [gradient] = grad(loss, window, { retainGraph: true });
    expect(gradient).toBeAllclose(expected);
  });

  test('rows listed twice count twice, where the gradient is added in place too', () => {
    const x = leaf([4, 2]);
    const loss = (rows: Tensor, batch: Tensor): Tensor => rows.pow(2).sum().add(batch.pow(3).sum());
    const [gradient] = grad(loss(...fork_rows(x, tensor([1n, 3n, 1n]))), x);
    const [expected] = grad(loss(x.indexSelect(0, tensor([1n, 3n, 1n])), x), x);
    expect(gradient).toBeAllclose(expected as Tensor);
  });

  test.each(['window', 'rows'])('%s: lie in memory as the batch does, and their gradients', (kind) => {
    const order = { memoryFormat: 'channels_last' } as const;
    const x = leaf([4, 2, 3, 3], 'float32');
    const run = (batch: Tensor): [Tensor, Tensor] =>
      kind === 'window' ? fork_window(batch, 1, 2) : fork_rows(batch, tensor([1n, 2n]));
    const last = x.contiguous(order);
    const [some, rest] = run(last);
    expect(some.isContiguous(order)).toBe(true);
    expect(some).toBeAllclose(x.narrow(0, 1, 2), { rtol: 0, atol: 0 });
    const loss = (a: Tensor, b: Tensor): Tensor => a.pow(2).sum().add(b.pow(3).sum());
    const [gradient] = grad(loss(some, rest), last);
    expect(gradient?.isContiguous(order)).toBe(true);
    const [expected] = grad(loss(...run(x)), x);
    expect(gradient).toBeAllclose(expected as Tensor, { rtol: 0, atol: 0 });
  });

  test.each(['float32', 'float64', 'float16', 'bfloat16'] as const)(
    'of %s has gradients from either side alone',
    (dtype) => {
      for (const fork of [(x: Tensor) => fork_window(x, 1, 2), (x: Tensor) => fork_rows(x, tensor([1n, 2n]))]) {
        const x = leaf([4, 2], dtype);
        const [some, rest] = fork(x);
        expect(grad(some.mul(2).sum(), x, { retainGraph: true })[0]).toBeAllclose([0, 0, 2, 2, 2, 2, 0, 0]);
        expect(grad(rest.mul(3).sum(), x, { retainGraph: true })[0]).toBeAllclose([3, 3, 3, 3, 3, 3, 3, 3]);
        const both = cat([some.mul(2), rest.mul(3)]).sum();
        const [g] = grad(both, x);
        expect(g).toBeAllclose([3, 3, 5, 5, 5, 5, 3, 3]);
        expect(g?.dtype).toBe(dtype);
      }
    },
  );

  test('of rows listed twice adds their gradients up', () => {
    const x = leaf([3, 1]);
    const [rows, rest] = fork_rows(x, tensor([1n, 1n, 0n]));
    expect(grad(cat([rows.mul(tensor([[1], [10], [100]])), rest]).sum(), x)[0]).toBeAllclose([101, 12, 1]);
  });

  test('changes no gradient that somebody else holds', () => {
    const x = leaf([4, 2]);
    for (const [some, rest] of [fork_window(x, 1, 2), fork_rows(x, tensor([1n, 2n]))]) {
      const [given, part] = [values([4, 2], 'float64', 3), values([2, 2], 'float64', 4)];
      const [before, partBefore] = [bits(given), bits(part)];
      const held = grad([some, rest], [x, rest], { gradOutputs: [part, given] });
      expect([bits(given), bits(part), bits(held[1] as Tensor)]).toEqual([before, partBefore, before]);
      expect(held[0]?.narrow(0, 1, 2)).toBeAllclose(given.narrow(0, 1, 2).add(part));
      // One gradient for both ends of a sum.
      const [same, whole] = fork_window(x, 0, 4);
      const [g] = grad(same.add(whole), x, { gradOutputs: [given] });
      expect(bits(given)).toBe(before);
      expect(g).toBeAllclose(given.mul(2));
    }
  });

  test('takes gradients that are not dense', () => {
    const x = leaf([4, 2]);
    const [window, rest] = fork_window(x, 1, 2);
    // The gradient of a sum is one element for all, here one that nobody else holds.
    expect(grad([window.sum().mul(2), rest.sum().mul(3)], x)[0]).toBeAllclose([3, 3, 5, 5, 5, 5, 3, 3]);
  });

  test('takes any dtype where nothing is to be differentiated', () => {
    expect(fork_window(tensor([1n, 2n, 3n]), 1, 1)[0].toArray()).toEqual(BigInt64Array.of(2n));
    expect(fork_rows(tensor([true, false]), tensor([1n]))[0].dtype).toBe('bool');
  });
});

describe('join', () => {
  const joins = (shortcut: Tensor, branch: Tensor, by: number): Record<string, Tensor> => ({
    window: join_window(shortcut, branch.narrow(0, 1, 2), 1, by),
    rows: join_rows(shortcut, branch.narrow(0, 1, 2), tensor([1n, 2n]), by),
    mask: join_mask(shortcut, branch, tensor([false, true, true, false]), by),
  });

  test.each([
    ['float32', 'float32', 'float32'],
    ['float64', 'float64', 'float64'],
    ['float16', 'float16', 'float16'],
    ['bfloat16', 'bfloat16', 'bfloat16'],
    ['float32', 'bfloat16', 'float32'],
    ['bfloat16', 'float32', 'float32'],
    ['float16', 'bfloat16', 'float32'],
    ['float64', 'float32', 'float64'],
  ] as const)('%s + %s is %s, and gradients have the dtypes of the inputs', (a, b, dtype) => {
    const shortcut = leaf([4, 40], a);
    const branch = leaf([4, 40], b, 2);
    const wide = dtype === 'float64' ? 'float64' : 'float32';
    const middle = shortcut
      .narrow(0, 1, 2)
      .to(wide)
      .add(branch.narrow(0, 1, 2).to(wide), { alpha: scale });
    const expected = cat(
      [shortcut.narrow(0, 0, 1), middle.to(dtype), shortcut.narrow(0, 3, 1)].map((x) => x.to(dtype)),
    );
    for (const [kind, out] of Object.entries(joins(shortcut, branch, scale))) {
      expect(out.dtype, kind).toBe(dtype);
      // All three are one sum to the last bit.
      expect(bits(out), kind).toBe(bits(expected));
      const [forShortcut, forBranch] = gradients(() => out, [shortcut, branch]);
      const upstream = values(out.shape, dtype, 9);
      expect(bits(forShortcut as Tensor), kind).toBe(bits(upstream.to(a)));
      const product = upstream.to(wide).mul(scale).to(dtype).to(b);
      expect(bits(forBranch?.narrow(0, 1, 2) as Tensor), kind).toBe(bits(product.narrow(0, 1, 2)));
    }
  });

  test.each([
    ['bfloat16', 1 / 0.9, 7, 7.78125, 7.75],
    ['float16', 1 / 0.7, 11, 15.7109375, 15.71875],
  ] as const)('%s does not round the scale before it multiplies', (dtype, by, value, right, wrong) => {
    const branch = zeros([4, 300], { dtype }).add(value).requiresGrad_();
    // The product in float64, rounded once; and what a scale in the dtype itself would give.
    expect(
      tensor(by * value)
        .to(dtype)
        .item(),
    ).toBe(right);
    expect(tensor(by).to(dtype).mul(value).item()).toBe(wrong);
    for (const [kind, out] of Object.entries(joins(zeros([4, 300], { dtype }), branch, by))) {
      expect(out.narrow(0, 1, 2).to('float64').mean().item(), kind).toBe(right);
      const [g] = grad(out, branch, { gradOutputs: [zeros([4, 300], { dtype }).add(value)] });
      expect(g?.narrow(0, 1, 2).to('float64').mean().item(), kind).toBe(right);
    }
  });

  test('what a dropped row of the branch holds reaches nothing', () => {
    const branch = tensor([Number.NaN, 1, 2, Number.POSITIVE_INFINITY], { shape: [4, 1], requiresGrad: true });
    const shortcut = values([4, 1], 'float32').requiresGrad_();
    const out = join_mask(shortcut, branch, tensor([false, true, true, false]), 2);
    expect(bits(out.select(0, 0))).toBe(bits(shortcut.select(0, 0)));
    expect(bits(out.select(0, 3))).toBe(bits(shortcut.select(0, 3)));
    // Nor does what its gradient holds.
    const [forShortcut, forBranch] = grad(out, [shortcut, branch], {
      gradOutputs: [tensor([Number.NaN, 1, 2, Number.POSITIVE_INFINITY], { shape: [4, 1] })],
    });
    expect(forBranch).toBeAllclose([0, 2, 4, 0], { rtol: 0, atol: 0 });
    expect(forShortcut).toBeAllclose([Number.NaN, 1, 2, Number.POSITIVE_INFINITY]);
  });

  test('keeps the memory format of the shortcut, whatever the branch has', () => {
    const image = values([4, 3, 2, 5], 'float32');
    const last = image.contiguous({ memoryFormat: 'channels_last' });
    for (const [kind, out] of Object.entries(joins(last, image, 2))) {
      expect(out.isContiguous({ memoryFormat: 'channels_last' }), kind).toBe(true);
      expect(bits(out), kind).toBe(bits(joins(image, last, 2)[kind] as Tensor));
      expect(joins(image, last, 2)[kind]?.isContiguous(), kind).toBe(true);
    }
    const across = values([6, 4], 'float32').t();
    for (const [kind, out] of Object.entries(joins(across, across, 2))) {
      expect(out, kind).toBeAllclose(joins(across.contiguous(), across.contiguous(), 2)[kind] as Tensor);
      expect(out.strides, kind).toEqual(across.strides);
    }
    const one = values([1, 6], 'float32').expand([4, 6]);
    expect(joins(one, one, 2)['window']).toBeAllclose(joins(one.contiguous(), one.contiguous(), 2)['window'] as Tensor);
  });

  test('is a tensor of its own, also where no row is kept', () => {
    const x = values([3, 2]);
    for (const out of [
      join_window(x, x.narrow(0, 0, 0), 1, 2),
      join_rows(x, x.narrow(0, 0, 0), tensor([], { dtype: 'int64' }), 2),
      join_mask(x, x, tensor([false, false, false]), 2),
    ]) {
      expect(bits(out)).toBe(bits(x));
      expect(ops.aten.is_set_to(out, x)).toBe(false);
    }
  });

  test('works without data', () => {
    const x = zeros([4, 3], { device: 'meta', dtype: 'bfloat16', requiresGrad: true });
    const [some, rest] = fork_window(x, 1, 2);
    const [rows, all] = fork_rows(x, tensor([0n, 1n]));
    const out = cat([
      join_window(rest, some, 1, 2),
      join_rows(all, rows, tensor([2n, 1n]), 2),
      join_mask(x, x.mul(2), tensor([true, false, true, true]), 2),
    ]);
    expect([out.device, out.dtype, out.shape]).toEqual(['meta', 'bfloat16', [12, 3]]);
    out.sum().backward();
    expect(x.grad?.shape).toEqual([4, 3]);
  });
});

describe('memory of the backward pass', () => {
  /** x + 2 · x on 8 of 12 rows of 4 MB, and a limit below 12 rows from where the gradient reaches the branch. */
  const gradient = (block: (x: Tensor, branch: (some: Tensor) => Tensor) => Tensor): Tensor =>
    scope(() => {
      const x = zeros([12, 2 ** 20], { requiresGrad: true });
      const branch = (some: Tensor): Tensor =>
        checkpoint(
          ([y], again) => {
            if (again) setAllocationLimit(40e6);
            return (y as Tensor).mul(2);
          },
          [some],
          [],
        );
      try {
        block(x, branch).mul(3).sum().backward();
        return (x.grad as Tensor).select(1, 5).clone();
      } finally {
        setAllocationLimit(Number.POSITIVE_INFINITY);
      }
    });
  const expected = [...Array(4).fill(3), ...Array(8).fill(9)];

  test('the gradient of the whole batch is written in place: none of its size is made', () => {
    const window = gradient((x, branch) => {
      const [some, rest] = fork_window(x, 4, 8);
      return join_window(rest, branch(some), 4, 1);
    });
    expect(window).toBeAllclose(expected);
    const eight = tensor([4n, 5n, 6n, 7n, 8n, 9n, 10n, 11n]);
    const rows = gradient((x, branch) => {
      const [some, rest] = fork_rows(x, eight);
      return join_rows(rest, branch(some), eight, 1);
    });
    expect(rows).toBeAllclose(expected);
  });

  test('the composed block pads with zeros', () => {
    const composed = (x: Tensor, branch: (some: Tensor) => Tensor): Tensor =>
      cat([x.narrow(0, 0, 4), x.narrow(0, 4, 8).add(branch(x.narrow(0, 4, 8)))]);
    expect(() => gradient(composed)).toThrow(/out of memory: expected an allocation of at most 40 MB, got 50 MB/);
  });
});

test('calls are traced, count no products, and are free without a graph', () => {
  const joinWindow = new Operator('shallows::join_window');
  const x = zeros([4, 2]);
  const { calls } = trace(() => joinWindow.call([x, zeros([2, 2]), 1, 1]));
  expect(calls.at(-1)).toMatchObject({ op: 'shallows::join_window', outputs: [{ shape: [4, 2], dtype: 'float32' }] });
  expect(flops(calls)).toBe(0);
  const [window, rest] = fork_window(x, 0, 1);
  expect([window.requiresGrad, rest.requiresGrad, rest.isLeaf]).toEqual([false, false, true]);
});

test('a graph can be used once, or more often where it is retained', () => {
  const x = leaf([4, 2]);
  const run = (): Tensor => {
    const [rows, rest] = fork_rows(x, tensor([2n, 0n]));
    return weigh(join_rows(rest, rows.mul(2), tensor([2n, 0n]), 3));
  };
  const out = run();
  const [first] = grad(out, x, { retainGraph: true });
  const [second] = grad(out, x);
  expect(bits(first as Tensor)).toBe(bits(second as Tensor));
  expect(() => grad(out, x)).toThrow(/backward through the graph a second time/);
});

test('an index that changes between the passes is an error', () => {
  const x = leaf([4, 2]);
  const changing = tensor([2n, 0n]);
  const [rows, rest] = fork_rows(x, changing);
  const out = weigh(join_rows(rest, rows.mul(2), changing, 3));
  changing.fill_(1000);
  expect(() => out.backward()).toThrow(/modified by an inplace operation/);
});
