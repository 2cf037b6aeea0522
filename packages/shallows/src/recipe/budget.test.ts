import { describe, expect, test } from 'vitest';
import type { RegularizationBudget } from '../train/index.js';
import { budgetText } from './budget.js';
import { parseRecipe } from './parse.js';
import { prepareRecipe } from './prepare.js';

const small = `name: small
model: { kind: vit, size: ti, dim: 12, heads: 2, depth: 2, patch: 8 }
data: { kind: textures, train: 48, validation: 20, size: 16, augment: { flip: true, crop: { padding: 2 } } }
optimizer: { kind: adamw, lr: 0.001, weightDecay: 0.05 }
train: { duration: 4ep, batchSize: 16, threads: 1 }
`;

async function budgetOf(...overrides: string[]): Promise<RegularizationBudget> {
  using prepared = await prepareRecipe(parseRecipe(small, { overrides }));
  return prepared.regularization;
}

const rowsOf = ({ rows }: RegularizationBudget) =>
  Object.fromEntries(rows.map(({ name, setting, measures }) => [name, [setting, Number(measures.toFixed(3))]]));

describe('the budget of a recipe', () => {
  test('has all that the recipe says', async () => {
    const budget = await budgetOf(
      'model={kind: vit, size: ti, dim: 12, heads: 2, depth: 2, patch: 8, attnDrop: 0.1, projDrop: 0.05, headDrop: 0.4}',
      'depth={kind: stochastic, drop: 0.4}',
      'algorithms=[{kind: mixup-or-cutmix}, {kind: label-smoothing, smoothing: 0.05}, {kind: ema, halflife: 2ba}]',
    );
    expect(rowsOf(budget)).toEqual({
      // Linear to 0.4 over two layers of two branches each.
      'stochastic depth': ['0.3', 1.2],
      dropout: ['0.4', 2],
      'attention dropout': ['0.1', 0.5],
      'label smoothing': ['0.05', 0.5],
      mixup: ['0.8 in 50 % of the batches', 0.5],
      cutmix: ['1 in 50 % of the batches', 0.5],
      'weight decay': ['0.05 in adamw', 1],
      crop: ['padding 2', 0.25],
      flip: ['on', 0.25],
      'average of weights': ['ema', 0.25],
    });
    expect(budget.total).toBeCloseTo(6.95, 9);
    expect(budget.advice.map(({ code }) => code)).toContain('budget-for-short-training');
  });

  test('knows how long an average and the learning rate take', async () => {
    const codes = async (...overrides: string[]) => (await budgetOf(...overrides)).advice.map(({ code }) => code);
    const ema = (halflife: string) => `algorithms=[{kind: ema, halflife: ${halflife}}]`;
    // 12 batches: a tenth is 1.2 of them.
    expect(await codes(ema('1ba'))).toEqual([]);
    for (const halflife of ['2ba', '1ep', '0.2dur']) expect(await codes(ema(halflife))).toEqual(['slow-average']);
    const stopping = 'algorithms=[{kind: early-stopping}]';
    expect(await codes(stopping, 'schedule={kind: one-cycle}')).toEqual(['stops-before-the-rate-falls']);
    expect(await codes(stopping, 'schedule={kind: constant}')).toEqual([]);
  });

  test('is there for a run on the clock too', async () => {
    const ema = (halflife: string) =>
      budgetOf('train.duration=100sec', `algorithms=[{kind: ema, halflife: ${halflife}}]`);
    expect((await ema('20sec')).advice.map(({ code }) => code)).toEqual(['slow-average']);
    expect((await ema('20ba')).advice).toEqual([]);
  });

  test('in a line', async () => {
    const budget = await budgetOf('model={kind: vit, size: ti, dim: 12, heads: 2, depth: 2, patch: 8, headDrop: 0.4}');
    expect(budgetText({ ...budget, published: null })).toBe(
      'regularization: 3.5 full measures (dropout 0.4, weight decay 0.05 in adamw, crop padding 2, flip on)',
    );
    const published = { name: 'DeiT', total: 5.25, source: 'a paper' };
    expect(budgetText({ ...budget, published })).toMatch(/flip on\); DeiT was published with 5\.3$/);
    expect(budgetText({ ...budget, rows: [] })).toBe('regularization: none');
  });
});
