import { describe, expect, test } from 'vitest';
import {
  autocast,
  autocastDType,
  checkpoint,
  determinism,
  enableGrad,
  functional,
  noGrad,
  ops,
  peakMemory,
  randn,
  scope,
  setDeterministic,
  stats,
  type Tensor,
  TorchError,
  tensor,
  zeros,
} from './index.js';

const product = (a: Tensor, b: Tensor): Tensor => a.matmul(b);

describe('autocast', () => {
  test.each(['bfloat16', 'float16'] as const)('%s: products in 16 bits, weights and gradients in 32', (dtype) => {
    scope(() => {
      const x = randn([4, 3]);
      const weight = randn([3, 2], { requiresGrad: true });
      const y = autocast({ dtype }, () => product(x, weight));
      expect(y.dtype).toBe(dtype);
      y.float().sum().backward();
      expect(weight.grad?.dtype).toBe('float32');
      expect(product(x, weight).dtype).toBe('float32');
      const expected = product(x.to(dtype), weight.to(dtype));
      expect(Array.from(y.toArray(), Number)).toEqual(Array.from(expected.toArray(), Number));
    });
  });

  test('holds where it is told, and ends with an error too', () => {
    expect(autocastDType()).toBeNull();
    autocast({ dtype: 'bfloat16' }, () => {
      expect(autocastDType()).toBe('bfloat16');
      autocast({ dtype: 'float16' }, () => expect(autocastDType()).toBe('float16'));
      autocast({ dtype: null }, () => {
        expect(autocastDType()).toBeNull();
        scope(() => expect(product(zeros([1, 1]), zeros([1, 1])).dtype).toBe('float32'));
      });
      expect(autocastDType()).toBe('bfloat16');
    });
    expect(() =>
      autocast({ dtype: 'bfloat16' }, () => {
        throw new Error('no more');
      }),
    ).toThrow('no more');
    expect(autocastDType()).toBeNull();
  });

  test('casts a weight once, and lets go of it in the end', () => {
    const before = stats();
    scope(() => {
      const x = randn([4, 3]);
      const weight = randn([3, 3], { requiresGrad: true });
      const bytes = stats().bytes;
      autocast({ dtype: 'bfloat16' }, () => {
        const y = product(product(x, weight), weight);
        expect(y.dtype).toBe('bfloat16');
      });
      expect(stats().bytes - bytes).toBeLessThan(4 * 3 * 4 * 2);
    });
    expect(stats()).toEqual(before);
  });

  test('is that of the forward pass in a checkpoint of the backward pass', () => {
    scope(() => {
      const x = randn([8, 5], { requiresGrad: true });
      const weight = randn([5, 5], { requiresGrad: true });
      const branch = (input: Tensor): Tensor => functional.relu(product(input, weight)).matmul(weight);
      const gradients = (run: () => Tensor): unknown[] => {
        weight.grad = null;
        x.grad = null;
        autocast({ dtype: 'bfloat16' }, run).float().sum().backward();
        return [weight.grad, x.grad].map((each) => Array.from((each as Tensor | null)?.toArray() ?? [], Number));
      };
      const seen: unknown[] = [];
      const again = gradients(() =>
        checkpoint(
          ([input], recomputing) => {
            seen.push([recomputing, autocastDType()]);
            return branch(input as Tensor);
          },
          [x],
          [weight],
        ),
      );
      expect(again).toEqual(gradients(() => branch(x)));
      expect(seen).toEqual([
        [false, 'bfloat16'],
        [true, 'bfloat16'],
      ]);
      expect(autocastDType()).toBeNull();
    });
  });

  test('refuses what it cannot do', () => {
    expect(() => autocast({ dtype: 'float32' as never }, () => 0)).toThrow(
      'autocast: expected a dtype of bfloat16, float16 or null, got float32',
    );
    expect(() => autocast({ dtype: 'bfloat16', device: 'abacus' }, () => 0)).toThrow(TorchError);
    expect(() => autocast({ dtype: 'bfloat16' }, () => Promise.resolve(0))).toThrow('expected a synchronous function');
    expect(autocastDType()).toBeNull();
  });

  test('does not mind gradients being off', () => {
    scope(() => {
      const weight = randn([3, 3], { requiresGrad: true });
      autocast({ dtype: 'bfloat16' }, () => {
        noGrad(() => product(weight, weight));
        // What was cast without a graph must not serve where there is one.
        enableGrad(() => product(weight, weight).sum().backward());
      });
      expect(weight.grad).not.toBeNull();
    });
  });
});

describe('determinism', () => {
  test('is a switch, and says how it stands', () => {
    expect(setDeterministic(true)).toBe(false);
    try {
      expect(determinism()).toMatchObject({ deterministicAlgorithms: true, deterministicCuDNN: true });
      // An operator without a deterministic way says so.
      scope(() =>
        expect(() => {
          const x = zeros([4]);
          ops.aten.put_(x, tensor([0n, 0n]), tensor([1, 2]));
        }).toThrow(/determin/),
      );
    } finally {
      expect(setDeterministic(false)).toBe(true);
    }
    expect(determinism()).toMatchObject({ deterministicAlgorithms: false, deterministicCuDNN: false });
  });
});

test('the peak memory of the CPU is not counted', () => {
  expect(peakMemory('cpu')).toBe(0);
  expect(() => peakMemory('abacus')).toThrow(TorchError);
});
