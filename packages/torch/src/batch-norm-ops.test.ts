import { describe, expect, test } from 'vitest';
import { type DType, grad, ops, setFastKernels, setNumThreads, type Tensor, tensor, trace, zeros } from './index.js';

const { batch_norm } = ops.shallows;

/** Values without structure, a little off centre. */
function values(shape: readonly number[], dtype: DType = 'float64', seed = 1): Tensor {
  const count = shape.reduce((a, b) => a * b, 1);
  return tensor(
    Array.from({ length: count }, (_, i) => Math.sin(12.9898 * (i + 1) + 78.233 * seed) + 0.3 * seed),
    { dtype, shape },
  );
}

interface Outcome {
  readonly y: Tensor;
  readonly gradients: readonly (Tensor | null)[];
  readonly running: readonly Tensor[];
}

/** What a normalisation gives for one batch: y, the gradients of Σ weights · y, and the running statistics. */
function run(
  shape: readonly number[],
  dtype: DType,
  normalise: (x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor) => Tensor,
  prepare: (x: Tensor) => Tensor = (x) => x,
): Outcome {
  const channels = shape[1] ?? 0;
  const x = prepare(values(shape, dtype)).requiresGrad_();
  const [weight, bias] = [values([channels], dtype, 2).requiresGrad_(), values([channels], dtype, 3).requiresGrad_()];
  const running = [values([channels], dtype, 4), values([channels], dtype, 5)] as const;
  const y = normalise(x, weight, bias, ...running);
  return { y, gradients: grad(y.mul(values(shape, dtype, 6)).sum(), [x, weight, bias]), running };
}

const libtorch =
  (relu: boolean) =>
  (x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor): Tensor => {
    const y = ops.aten.batch_norm(x, weight, bias, mean, variance, true, 0.1, 1e-5, true) as Tensor;
    return relu ? y.relu() : y;
  };

const ours =
  (relu: boolean) =>
  (x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor): Tensor =>
    batch_norm(x, weight, bias, mean, variance, 0.1, 1e-5, { relu });

function expectClose(found: Outcome, expected: Outcome, tolerance: { rtol: number; atol: number }): void {
  expect(found.y).toBeAllclose(expected.y, tolerance);
  found.gradients.forEach((each, i) => {
    expect(each).toBeAllclose(expected.gradients[i] as Tensor, tolerance);
  });
  found.running.forEach((each, i) => {
    expect(each).toBeAllclose(expected.running[i] as Tensor, tolerance);
  });
}

const last = (x: Tensor): Tensor => x.contiguous({ memoryFormat: 'channels_last' });
/** In the order of their channels: a few of them, as many as a wide processor takes, more, rows that fill no line. */
const lastShapes = [
  [4, 3, 8, 6],
  [3, 1, 3, 3],
  [7, 16, 9, 11],
  [5, 33, 4, 4],
  [2, 24, 20, 20],
  [40, 300, 3, 2],
  [6, 5, 1, 1],
];

const shapes = [
  [4, 3, 8, 8],
  [2, 5, 7, 9],
  [1, 2, 33, 65],
  [3, 4, 17],
  [2, 3, 3, 3, 5],
  [5, 3, 2, 2],
  [6, 4],
  [1000, 20],
  [33, 500],
];

describe.each([false, true])('relu %s: as batch_norm of libtorch in training', (relu) => {
  test.each(shapes)('[%i, %i, %i, %i, %i]', (...shape) => {
    const sizes = shape.filter((size) => size !== undefined);
    expectClose(run(sizes, 'float64', ours(relu)), run(sizes, 'float64', libtorch(relu)), { rtol: 1e-11, atol: 1e-12 });
    expectClose(run(sizes, 'float32', ours(relu)), run(sizes, 'float32', libtorch(relu)), { rtol: 1e-4, atol: 2e-5 });
  });

  test.each(lastShapes)('channels last: [%i, %i, %i, %i]', (...shape) => {
    const [found, expected] = [ours, libtorch].map((each) => run(shape, 'float64', each(relu), last));
    expectClose(found as Outcome, expected as Outcome, { rtol: 1e-11, atol: 1e-12 });
    const [single, double] = [ours, libtorch].map((each) => run(shape, 'float32', each(relu), last));
    expectClose(single as Outcome, double as Outcome, { rtol: 1e-4, atol: 2e-5 });
    for (const each of [found?.y, found?.gradients[0]])
      expect(each?.isContiguous({ memoryFormat: 'channels_last' })).toBe(true);
  });

  test('half precision and other layouts', () => {
    const turned = (x: Tensor): Tensor => x.transpose(2, 3).contiguous().transpose(2, 3);
    const [found, expected] = [ours, libtorch].map((each) => run([4, 3, 8, 6], 'float64', each(relu), turned));
    expectClose(found as Outcome, expected as Outcome, { rtol: 1e-11, atol: 1e-12 });
    const [half, other] = [ours, libtorch].map((each) => run([4, 3, 8, 8], 'bfloat16', each(relu)));
    expect((half as Outcome).y.equal((other as Outcome).y)).toBe(true);
  });
});

test.each([
  ['side by side', [8, 1, 64, 64]],
  ['one after the other', [32768, 1]],
])('nothing cancels where the mean is far from zero, values %s', (_, shape) => {
  const x = values(shape, 'float32').mul(1e-3).add(1000);
  const y = batch_norm(x, tensor([1]), tensor([0]), null, null, 0.1, 0);
  const wide = x.to('float64');
  const expected = wide.sub(wide.mean()).div(wide.reshape([-1]).std([0], { correction: 0 }));
  // A mean of 1000 has steps of 6e-5 in float32, and the spread is 7e-4.
  expect(y.to('float64')).toBeAllclose(expected, { rtol: 0, atol: 0.06 });
});

test.each([
  ['channels first', (x: Tensor) => x],
  ['channels last', last],
])('does not depend on the threads, %s', (_, prepare) => {
  const results = [1, 2, 4].map((threads) => {
    setNumThreads(threads);
    return run([16, 8, 24, 24], 'float32', ours(true), prepare);
  });
  for (const { y, gradients } of results.slice(1)) {
    expect(y.equal(results[0]?.y as Tensor)).toBe(true);
    gradients.forEach((each, i) => {
      expect(each?.equal(results[0]?.gradients[i] as Tensor)).toBe(true);
    });
  }
  setNumThreads(2);
});

test('with relu it gives the bits of relu after it, forward and backward', () => {
  for (const dtype of ['float32', 'float64'] as const) {
    for (const shape of [
      [4, 16, 8, 8],
      [3, 5, 7, 9],
      [2, 3, 40, 33],
    ]) {
      for (const prepare of [(x: Tensor) => x, last]) {
        const after = run(shape, dtype, (...inputs) => ours(false)(...inputs).relu(), prepare);
        const fused = run(shape, dtype, ours(true), prepare);
        expect(fused.y.equal(after.y)).toBe(true);
        fused.gradients.forEach((each, i) => {
          expect(each?.equal(after.gradients[i] as Tensor)).toBe(true);
        });
      }
    }
  }
});

test("libtorch's own loops, where they are asked for, bit for bit", () => {
  expect(setFastKernels(false)).toBe(true);
  try {
    const [found, expected] = [ours, libtorch].map((each) => run([4, 3, 8, 8], 'float32', each(true))) as [
      Outcome,
      Outcome,
    ];
    expect(found.y.equal(expected.y)).toBe(true);
    found.gradients.forEach((each, i) => {
      expect(each?.equal(expected.gradients[i] as Tensor)).toBe(true);
    });
  } finally {
    expect(setFastKernels(true)).toBe(false);
  }
});

test('its gradient can be differentiated again', () => {
  const twice = (normalise: ReturnType<typeof ours>): Tensor => {
    const x = values([3, 2, 4, 5]).requiresGrad_();
    const weight = values([2], 'float64', 2).requiresGrad_();
    const y = normalise(x, weight, values([2], 'float64', 3), zeros([2], { dtype: 'float64' }), values([2]));
    const [first] = grad(y.square().sum(), [x], { createGraph: true });
    return grad((first as Tensor).mul(values([3, 2, 4, 5], 'float64', 7)).sum(), [weight])[0] as Tensor;
  };
  for (const relu of [false, true]) {
    expect(twice(ours(relu))).toBeAllclose(twice(libtorch(relu)), { rtol: 1e-9, atol: 1e-10 });
  }
});

test('a gradient that others hold is not written to', () => {
  const x = values([4, 2, 8, 8]).requiresGrad_();
  const upstream = values([4, 2, 8, 8], 'float64', 3);
  const before = upstream.clone();
  const y = batch_norm(
    x,
    tensor([1, 2], { dtype: 'float64' }),
    zeros([2], { dtype: 'float64' }),
    null,
    null,
    0.1,
    1e-5,
  );
  grad(y, [x], { gradOutputs: [upstream], retainGraph: true });
  expect(upstream.equal(before)).toBe(true);
});

test('an input that was changed since is noticed', () => {
  const x = values([4, 2, 8, 8]);
  const weight = tensor([1, 2], { dtype: 'float64' }).requiresGrad_();
  const y = batch_norm(x, weight, zeros([2], { dtype: 'float64' }), null, null, 0.1, 1e-5);
  x.add_(1);
  expect(() => grad(y.sum(), [weight])).toThrow('modified by an inplace operation');
});

test('is one operator', () => {
  const { calls } = trace(() => run([2, 3, 4, 4], 'float32', ours(true)));
  expect(calls.map(({ op }) => op)).toContain('shallows::batch_norm');
  expect(calls.map(({ op }) => op)).not.toContain('aten::relu');
});

const [one, two, three] = [[1], [1, 2], [1, 2, 3]].map((each) => tensor(each)) as [Tensor, Tensor, Tensor];
test.each([
  [
    'one value a channel',
    () => batch_norm(zeros([1, 2, 1, 1]), two, two, null, null, 0.1, 1e-5),
    'expected 2 or more values a channel',
  ],
  [
    'no channels',
    () => batch_norm(zeros([4]), one, one, null, null, 0.1, 1e-5),
    'expected a dense floating point x [B, C, …]',
  ],
  [
    'integers',
    () => batch_norm(zeros([4, 2, 5], { dtype: 'int64' }), two, two, null, null, 0.1, 1e-5),
    'expected a dense floating point x',
  ],
  [
    'weight',
    () => batch_norm(zeros([4, 2, 20]), three, two, null, null, 0.1, 1e-5),
    "expected a 'weight' [2], got float32[3]",
  ],
  ['bias', () => batch_norm(zeros([4, 2, 20]), two, one, null, null, 0.1, 1e-5), "expected a 'bias' [2]"],
  [
    'statistics',
    () => batch_norm(zeros([4, 2, 20]), two, two, three, three, 0.1, 1e-5),
    "expected a 'running_mean' [2]",
  ],
  [
    'half of the statistics',
    () => batch_norm(zeros([4, 2, 20]), two, two, two, null, 0.1, 1e-5),
    'expected both running statistics or neither',
  ],
])('refuses %s', (_, call, message) => {
  expect(call).toThrow(message);
});

test('an empty batch gives nothing', () => {
  expect(batch_norm(zeros([0, 2, 4, 4]), two, two, null, null, 0.1, 1e-5).shape).toEqual([0, 2, 4, 4]);
});
