import { randn, scope, setNumThreads, type Tensor, tensor, trace } from '@shallows/torch';
import { beforeAll, describe, expect, test } from 'vitest';
import { Module, MultiheadAttention, monteCarloPass, rowKeysSlot, SelfAttention, trainingPass } from '../nn/index.js';
import { deriveKey, rootKey } from '../random/index.js';
import { Dropout, nameDropouts } from './index.js';

const key = rootKey(11);
const numbers = (x: Tensor): number[] => Array.from(x.toArray(), Number);
const close = { rtol: 1e-4, atol: 1e-5 };

/** Passes weights on and remembers them; says that it is active. */
class Watching extends Module {
  seen: Tensor | null = null;

  isActive(): boolean {
    return true;
  }

  override forward(x: Tensor): Tensor {
    this.seen = x;
    return x;
  }
}

beforeAll(() => setNumThreads(1));

describe('SelfAttention with dropped weights', () => {
  test('is the fused operator but for the dropout: with masks, causal, and for queries that may look nowhere', () => {
    scope(() => {
      const mask = tensor([[[[true, true, false, true]]], [[[true, false, true, true]]]]);
      const nowhere = tensor([[[[false, false, false, false]]], [[[true, true, true, true]]]]);
      const added = randn([2, 1, 4, 4]);
      for (const [causal, own] of [
        [false, null],
        [true, null],
        [false, mask],
        [false, nowhere],
        [false, added],
      ] as const) {
        const attnDrop = new Watching();
        const options = { heads: 2, key, causal };
        const plain = new SelfAttention(6, options);
        const watched = new SelfAttention(6, { ...options, attnDrop });
        const x = randn([2, 4, 6]);
        const fused = trace(() => plain.forward(x, own));
        const slow = trace(() => watched.forward(x, own, trainingPass({ key })));
        const isFused = ({ op }: { readonly op: string }): boolean => op.includes('scaled_dot_product_attention');
        expect(fused.calls.some(isFused)).toBe(true);
        expect(slow.calls.some(isFused)).toBe(false);
        expect(slow.result).toBeAllclose(fused.result, close);
        const sums = numbers(attnDrop.seen?.sum([-1]) as Tensor);
        expect(sums.every((each) => Math.abs(each - 1) < 1e-5 || each === 0)).toBe(true);
      }
    });
  });

  test('weights are dropped and scaled after the softmax; evaluation is fused', () => {
    scope(() => {
      const model = new SelfAttention(6, { heads: 2, key, attnDrop: new Dropout(0.5), projDrop: new Dropout(0.25) });
      expect(nameDropouts(model).map(({ name }) => name)).toEqual(['attn_drop', 'proj_drop']);
      const x = randn([3, 50, 6]);
      const { calls } = trace(() => model.forward(x));
      expect(calls.map(({ op }) => op)).toContain('aten::scaled_dot_product_attention');
      const y = model.forward(x, null, trainingPass({ key }));
      expect(y).not.toBeAllclose(model.forward(x), { rtol: 0.1 });
      const gone = numbers(y).filter((each) => each === 0).length / 900;
      expect(Math.abs(gone - 0.25)).toBeLessThan(3.2905 * Math.sqrt((0.25 * 0.75) / 900));
    });
  });
});

describe.each([
  [
    'SelfAttention',
    () => new SelfAttention(6, { heads: 2, key, attnDrop: new Dropout(0.5), projDrop: new Dropout(0.5) }),
    0,
  ],
  [
    'MultiheadAttention, batch first',
    () => new MultiheadAttention(6, 2, { key, batchFirst: true, dropout: new Dropout(0.5) }),
    0,
  ],
  ['MultiheadAttention', () => new MultiheadAttention(6, 2, { key, dropout: new Dropout(0.5) }), 1],
] as const)('%s', (_, make, rowDim) => {
  test('rows with keys have the masks that they have alone', () => {
    scope(() => {
      const model: SelfAttention | MultiheadAttention = make();
      nameDropouts(model);
      const x = randn(rowDim === 0 ? [4, 5, 6] : [5, 4, 6]);
      const keys = [0, 1, 2, 3].map((i) => deriveKey(key, i));
      const of = (rows: Tensor, own: typeof keys): Tensor => {
        const pass = monteCarloPass({ key }).with(rowKeysSlot, own);
        return model instanceof SelfAttention
          ? model.forward(rows, null, pass)
          : model.forward(rows, rows, rows, {}, pass);
      };
      const whole = of(x, keys);
      for (let row = 0; row < 4; row++) {
        const alone = of(x.narrow(rowDim, row, 1), keys.slice(row, row + 1));
        expect(whole.narrow(rowDim, row, 1)).toBeAllclose(alone, close);
      }
      expect(of(x, [...keys].reverse())).not.toBeAllclose(whole, { rtol: 0.1 });
    });
  });
});

test('MultiheadAttention gives back the weights that it used', () => {
  scope(() => {
    const model = new MultiheadAttention(6, 2, { key, batchFirst: true, dropout: new Dropout(0.5) });
    nameDropouts(model);
    const x = randn([2, 30, 6]);
    const { weights, output } = model.attend(x, x, x, { average: false }, trainingPass({ key }));
    const flat = numbers(weights);
    const gone = flat.filter((each) => each === 0).length / flat.length;
    expect(Math.abs(gone - 0.5)).toBeLessThan((3.2905 * 0.5) / Math.sqrt(flat.length));
    expect(output).toBeAllclose(model.forward(x, x, x, {}, trainingPass({ key })), close);
  });
});
