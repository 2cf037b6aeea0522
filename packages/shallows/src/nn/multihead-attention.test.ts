import { readFileSync } from 'node:fs';
import { fromTypedArray, noGrad, ops, randn, scope, setNumThreads, type Tensor, tensor } from '@shallows/torch';
import { beforeAll, describe, expect, test } from 'vitest';
import { ShallowsError } from '../errors.js';
import { rootKey } from '../random/index.js';
import { type AttentionMasks, MultiheadAttention, type MultiheadAttentionOptions } from './index.js';

interface Expected {
  readonly output: readonly number[];
  readonly weights: readonly number[];
  readonly gradInputs: readonly (readonly number[])[];
  readonly grads: Readonly<Record<string, readonly number[]>>;
}

const reference: { readonly cases: Record<string, Expected> } = JSON.parse(
  readFileSync(new URL('fixtures/multihead_attention.json', import.meta.url), 'utf8'),
);
const key = rootKey(1);
const [dim, heads, batch, tokens, others] = [6, 2, 2, 3, 4];

/** The numbers of `values` in fixtures/multihead_attention.py. */
function values(shape: readonly number[], salt: number): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  const numbers = Float64Array.from({ length: count }, (_, i) => ((i * 7919 + salt * 104729) % 1999) / 1000 - 1);
  return fromTypedArray(numbers, shape);
}

const padding = (): Tensor =>
  tensor([
    [false, false, true, false],
    [false, true, false, true],
  ]);
const hidden = (): Tensor =>
  tensor([
    [false, true, false, false],
    [true, false, false, false],
    [false, false, true, false],
  ]);

interface Case {
  readonly options: Omit<MultiheadAttentionOptions, 'key'>;
  readonly alone: boolean;
  readonly masks: () => AttentionMasks;
  readonly average?: boolean;
}
const none = (): AttentionMasks => ({});
const cases: Record<string, Case> = {
  'self-attention': { options: {}, alone: true, masks: none },
  'self-attention, batch first, causal': {
    options: { batchFirst: true },
    alone: true,
    masks: () => ({ isCausal: true }),
  },
  'other keys and values': { options: {}, alone: false, masks: none },
  'without bias, weights by head': {
    options: { bias: false, batchFirst: true },
    alone: false,
    masks: none,
    average: false,
  },
  'features of keys and values': { options: { kdim: 5, vdim: 3 }, alone: false, masks: none },
  padding: { options: { batchFirst: true }, alone: false, masks: () => ({ keyPaddingMask: padding() }) },
  'attention mask': { options: {}, alone: false, masks: () => ({ attnMask: hidden() }) },
  'both masks': {
    options: {},
    alone: false,
    masks: () => ({ attnMask: hidden(), keyPaddingMask: padding() }),
  },
  'floats by head, and padding': {
    options: {},
    alone: false,
    masks: () => ({ attnMask: values([batch * heads, tokens, others], 7), keyPaddingMask: padding() }),
    average: false,
  },
};

beforeAll(() => setNumThreads(1));

describe('against PyTorch (fixtures/multihead_attention.py), float64', () => {
  test('every case has its options here', () => {
    expect(Object.keys(cases)).toEqual(Object.keys(reference.cases));
  });

  test.each(
    Object.entries(reference.cases).flatMap(([name, expected]) =>
      (['float64', 'float32'] as const).map((dtype) => [name, dtype, expected] as const),
    ),
  )('%s, %s: output, weights and every gradient', (name, dtype, expected) => {
    const close = dtype === 'float64' ? { rtol: 1e-9, atol: 1e-11 } : { rtol: 1e-5, atol: 1e-6 };
    scope(() => {
      const { options, alone, masks, average = true } = cases[name] as Case;
      const module = new MultiheadAttention(dim, heads, { key, ...options }).to({ dtype });
      for (const [i, parameter] of module.parameters().entries()) {
        noGrad(() => ops.aten.copy_(parameter, values(parameter.shape, 10 + i).div(2)));
      }
      const { kdim = dim, vdim = dim, batchFirst = false } = options;
      const input = (count: number, features: number, salt: number): Tensor => {
        const x = values(batchFirst ? [batch, count, features] : [count, batch, features], salt).to(dtype);
        const leaf = x.detach();
        leaf.requiresGrad = true;
        return leaf;
      };
      const query = input(tokens, dim, 1);
      const inputs = alone ? [query] : [query, input(others, kdim, 3), input(others, vdim, 4)];
      const own = masks();
      const { output, weights } = module.attend(query, inputs[1], inputs[2], { ...own, average });
      expect(output).toBeAllclose(expected.output, close);
      expect(weights).toBeAllclose(expected.weights, close);
      const fused = module.forward(query, inputs[1], inputs[2], own);
      expect(fused).toBeAllclose(expected.output, close);
      fused.backward(values(fused.shape, 2).to(dtype));
      for (const [i, x] of inputs.entries()) expect(x.grad).toBeAllclose(expected.gradInputs[i] ?? [], close);
      expect(Array.from(module.namedParameters(), ([name]) => name)).toEqual(Object.keys(expected.grads));
      for (const [name, { grad }] of module.namedParameters()) {
        expect(grad, name).toBeAllclose(expected.grads[name] ?? [], close);
      }
    });
  });
});

describe('MultiheadAttention', () => {
  test('causality beside a mask hides what either hides', () => {
    scope(() => {
      const attention = new MultiheadAttention(dim, heads, { key, batchFirst: true });
      const x = randn([batch, tokens, dim]);
      const later = [
        [false, true, true],
        [false, false, true],
        [false, false, false],
      ];
      const keyPaddingMask = tensor([
        [false, true, false],
        [false, false, false],
      ]);
      const both = { keyPaddingMask, isCausal: true };
      const wanted = attention.forward(x, x, x, { keyPaddingMask, attnMask: tensor(later) });
      expect(attention.forward(x, x, x, both)).toBeAllclose(wanted, { rtol: 1e-5, atol: 1e-6 });
      expect(attention.attend(x, x, x, both).output).toBeAllclose(wanted, { rtol: 1e-5, atol: 1e-6 });
      expect(attention.forward(x, x, x, { keyPaddingMask })).not.toBeAllclose(wanted, { rtol: 1e-3 });
    });
  });

  test('the way over the weights has the gradients of the fused one', () => {
    scope(() => {
      const attention = new MultiheadAttention(dim, heads, { key, batchFirst: true }).to({ dtype: 'float64' });
      const masks = { attnMask: hidden(), keyPaddingMask: padding(), isCausal: true };
      const [x, y] = [values([batch, tokens, dim], 1), values([batch, others, dim], 2)];
      const gradients = (output: Tensor): Tensor[] => {
        for (const each of attention.parameters()) each.grad = null;
        output.pow(2).sum().backward();
        return attention.parameters().map(({ grad }) => grad?.clone() as Tensor);
      };
      const fused = gradients(attention.forward(x, y, y, masks));
      const slow = gradients(attention.attend(x, y, y, masks).output);
      for (const [i, each] of slow.entries())
        expect(each).toBeAllclose(fused[i] as Tensor, { rtol: 1e-9, atol: 1e-11 });
    });
  });

  test('a query that may look nowhere gets nothing, and finite gradients, both ways', () => {
    scope(() => {
      const attention = new MultiheadAttention(dim, heads, { key, batchFirst: true });
      const all = tensor([[true, true, true, true]]);
      const x = randn([1, tokens, dim]);
      const y = randn([1, others, dim]);
      const masks = { keyPaddingMask: all };
      for (const output of [attention.forward(x, y, y, masks), attention.attend(x, y, y, masks).output]) {
        // Biases are 0 at the start.
        expect(Array.from(output.toArray(), Number).every((each) => each === 0)).toBe(true);
        output.sum().backward();
        for (const { grad } of attention.parameters()) {
          expect(Array.from(grad?.toArray() ?? [Number.NaN], Number).every(Number.isFinite)).toBe(true);
        }
      }
    });
  });

  test('starts from Xavier’s bounds and biases of 0', () => {
    using attention = new MultiheadAttention(32, 4, { key });
    const numbers = (x: Tensor | null): number[] => Array.from(x?.toArray() ?? [], Number);
    const bound = Math.sqrt(6 / (32 + 96));
    const most = Math.max(...numbers(attention.inProjWeight).map(Math.abs));
    expect(most).toBeLessThanOrEqual(bound);
    expect(most).toBeGreaterThan(0.99 * bound);
    for (const bias of [attention.inProjBias, attention.outProj.bias]) {
      expect(numbers(bias).every((each) => each === 0)).toBe(true);
    }
  });

  test('wrong arguments', () => {
    expect(() => new MultiheadAttention(6, 4, { key, kdim: 0 })).toThrow(
      'MultiheadAttention: heads: expected a divisor of the embedDim 6, got 4; kdim: expected a whole number from 1, got 0 - ',
    );
    using attention = new MultiheadAttention(6, 2, { key });
    using x = randn([3, 2, 6]);
    using y = randn([4, 1, 6]);
    using mask = tensor([[true, false]]);
    using numbers = tensor([
      [1n, 0n, 0n],
      [1n, 0n, 0n],
      [1n, 0n, 0n],
    ]);
    expect(() => attention.forward(x, y)).toThrow(ShallowsError);
    expect(() => attention.forward(x, y)).toThrow(
      'MultiheadAttention: expected [T, B, E], [S, B, E] and [S, B, E], got [3, 2, 6], [4, 1, 6], [4, 1, 6] - say batchFirst',
    );
    expect(() => attention.forward(x, x, x, { keyPaddingMask: mask })).toThrow(
      'keyPaddingMask: expected [2, 3], got [1, 2]',
    );
    expect(() => attention.forward(x, x, x, { attnMask: mask })).toThrow(
      'attnMask: expected [3, 3] or [4, 3, 3], got [1, 2]',
    );
    expect(() => attention.forward(x, x, x, { attnMask: numbers })).toThrow(
      'attnMask: expected bool, true where nothing is seen, or floats that are added, got int64',
    );
  });
});
