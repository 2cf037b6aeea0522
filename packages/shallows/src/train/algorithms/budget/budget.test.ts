import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ShallowsError } from '../../../errors.js';
import { cutMix, earlyStopping, ema, gradientClipping, labelSmoothing, mixUp, mixupOrCutmix, swa } from '../index.js';
import { budgetAdviceCodes } from './advice.js';
import { type BudgetOptions, regularizationBudget } from './budget.js';
import { publishedRecipes } from './published.js';
import { type RunRegularizers, regularizersOf } from './regularizers.js';

type Given = readonly [used: RunRegularizers, options?: BudgetOptions];
const codes = ([used, options]: Given): string[] => regularizationBudget(used, options).advice.map(({ code }) => code);
const vit: BudgetOptions = { optimizer: 'adamw', input: 'pictures', parameters: 5.7e6, rows: 1.28e6, epochs: 300 };

describe('the sum', () => {
  test('has a row for each regularizer that is used, in full measures', () => {
    const { rows, total } = regularizationBudget({
      depth: 0.125,
      dropout: 0,
      labelSmoothing: 0.1,
      mixup: 0.8,
      mixupShare: 0.25,
      weightDecay: 1e-3,
      earlyStopping: true,
    });
    expect(rows.map(({ name, setting, measures }) => [name, setting, measures])).toEqual([
      ['stochastic depth', '0.125', 0.5],
      ['label smoothing', '0.1', 1],
      ['mixup', '0.8 in 25 % of the batches', 0.25],
      ['weight decay', '0.001 in sgd', 2],
      ['early stopping', 'on', 0.5],
    ]);
    expect(total).toBeCloseTo(4.25, 12);
    expect(rows.every(({ full }) => full.length > 3)).toBe(true);
  });

  test('counts weight decay as the optimizer does, and augmentation by its strength', () => {
    expect(regularizationBudget({ weightDecay: 0.05 }, { optimizer: 'adamw' }).total).toBeCloseTo(1, 12);
    expect(regularizationBudget({ weightDecay: 5e-4 }, { optimizer: 'sgd' }).total).toBeCloseTo(1, 12);
    const weak = { randAugment: { magnitude: 4.5 }, randomErasing: { probability: 0.25 } };
    const strong = { randAugment: {}, randomErasing: {}, flip: true, crop: { padding: 4 }, randomResizedCrop: {} };
    expect(regularizationBudget({ augmentation: weak }).total).toBeCloseTo(1, 12);
    expect(regularizationBudget({ augmentation: strong }).total).toBeCloseTo(3.25, 12);
  });

  test('of nothing is 0', () => {
    expect(regularizationBudget({})).toEqual({ rows: [], total: 0, published: null, advice: [] });
  });
});

describe('published recipes', () => {
  test.each(publishedRecipes.map((each) => [each.name, each] as const))(
    '%s is its own nearest, without advice',
    (name, recipe) => {
      const budget = regularizationBudget(recipe.regularizers, recipe);
      expect(budget.published).toEqual({ name, total: budget.total, source: recipe.source });
      expect(budget.advice).toEqual([]);
    },
  );

  test('none is like a table', () => {
    expect(regularizationBudget({ dropout: 0.9 }, { parameters: 1e5, rows: 1e4, epochs: 200 }).published).toBeNull();
  });
});

/** For each code: what fires it, and what is nearly the same and does not. */
const cases: Record<string, { readonly fires: readonly [Given, string][]; readonly silent: readonly Given[] }> = {
  'budget-above-published': {
    fires: [
      [
        [{ depth: 0.5, dropout: 0.5, labelSmoothing: 0.3, mixup: 0.8, cutmix: 0 }, vit],
        'All regularizers together are 8.5 full measures; DeiT-Ti, the published recipe nearest in size and length, has 6.1. If training accuracy is low too, weaken one of label smoothing, dropout, stochastic depth.',
      ],
    ],
    silent: [
      [{ depth: 0.5, dropout: 0.5, labelSmoothing: 0.3 }, vit],
      [
        { depth: 0.5, dropout: 0.5, labelSmoothing: 0.3, mixup: 0.8 },
        { ...vit, input: null },
      ],
    ],
  },
  'budget-for-short-training': {
    fires: [
      [[{ labelSmoothing: 0.2, dropout: 0.2 }, { epochs: 30 }], '3.0 full measures for 30 epochs: strong regularizers'],
      [[{ labelSmoothing: 0.3 }, { epochs: 1 }], 'for 1 epoch:'],
    ],
    silent: [
      [{ labelSmoothing: 0.2, dropout: 0.2 }, { epochs: 100 }],
      [{ labelSmoothing: 0.2 }, { epochs: 30 }],
      [{ labelSmoothing: 0.2, dropout: 0.2 }],
    ],
  },
  'no-regularizer': {
    fires: [
      [[{}, { parameters: 1.7e6, rows: 5e4, epochs: 100 }], 'Nothing holds back 1700000 parameters on 50000 rows'],
    ],
    silent: [
      [{}, { parameters: 1e4, rows: 5e4, epochs: 100 }],
      [{}, { parameters: 1.7e6, rows: 5e4, epochs: 10 }],
      [{ dropout: 0.01 }, { parameters: 1.7e6, rows: 5e4, epochs: 100 }],
    ],
  },
  'mixed-twice': {
    fires: [[[{ mixup: 0.2, cutmix: 1, mixupShare: 0.6 }], 'MixUp mixes 60 % of the batches and CutMix 100 %']],
    silent: [[{ mixup: 0.2, cutmix: 1, mixupShare: 0.5, cutmixShare: 0.5 }], [{ mixup: 1 }], [{ cutmix: 1 }]],
  },
  'decay-for-another-optimizer': {
    fires: [
      [[{ weightDecay: 0.05 }, { optimizer: 'sgd' }], 'A weight decay of 0.05 in sgd is that of decoupled optimizers'],
      [[{ weightDecay: 0.05 }, { optimizer: 'adam' }], 'it is scaled by the running averages'],
      [[{ weightDecay: 1e-4 }, { optimizer: 'adamw' }], 'A decoupled weight decay of 0.0001 in adamw is nearly none'],
    ],
    silent: [
      [{ weightDecay: 0.05 }, { optimizer: 'lamb' }],
      [{ weightDecay: 5e-4 }, { optimizer: 'sgd' }],
      [{ weightDecay: 0 }, { optimizer: 'adamw' }],
    ],
  },
  'slow-average': {
    fires: [[[{ ema: 0.2 }], 'The half-life of the average is 20 % of the run']],
    silent: [[{ ema: 0.05 }], [{}]],
  },
  'stops-before-the-rate-falls': {
    fires: [[[{ earlyStopping: true }, { rateFalls: true }], 'early stopping may end it before']],
    silent: [[{ earlyStopping: true }], [{}, { rateFalls: true }]],
  },
};

test('every advice has a case, and a place in the guide', () => {
  expect(Object.keys(cases)).toEqual(budgetAdviceCodes);
  const guide = readFileSync(new URL('../../../../../../docs/algorithms.md', import.meta.url), 'utf8');
  for (const code of budgetAdviceCodes) expect(guide).toContain(`\`${code}\``);
});

describe.each(Object.entries(cases))('%s', (code, { fires, silent }) => {
  test.each(fires)('fires %#', ([used, options], message) => {
    const each = regularizationBudget(used, options).advice.find((advice) => advice.code === code);
    expect(each?.message).toContain(message);
    expect(each?.message).toMatch(/^[A-Z0-9].*\.$/);
    expect(each?.message).not.toMatch(/NaN|undefined|Infinity/);
    expect(each?.source.length).toBeGreaterThan(8);
  });

  test.each(silent.map((given) => [given]))('is silent %#', (given) => {
    expect(codes(given)).not.toContain(code);
  });
});

test('warnings come first, as frozen plain data', () => {
  const budget = regularizationBudget(
    { mixup: 1, cutmix: 1, weightDecay: 1e-5, earlyStopping: true },
    { optimizer: 'adamw', rateFalls: true },
  );
  const severities = budget.advice.map(({ severity }) => severity);
  expect(severities).toEqual(['warning', 'note', 'note']);
  expect(JSON.parse(JSON.stringify(budget))).toEqual(budget);
  expect([budget, budget.advice, ...budget.advice, ...budget.rows].every(Object.isFrozen)).toBe(true);
});

test('algorithms say themselves what they hold back', () => {
  const used = regularizersOf(
    [
      labelSmoothing({ smoothing: 0.2 }),
      mixupOrCutmix({ mixup: 0.4, cutmix: 0.5, prob: 0.5, switchProb: 0.25 }),
      ema({ halflife: '200ba' }),
      swa(),
      earlyStopping(),
      gradientClipping({ norm: 1 }),
      { name: 'my-own' },
    ],
    (halflife) => Number.parseFloat(halflife) / 1000,
  );
  expect(used).toEqual({
    labelSmoothing: 0.2,
    mixup: 0.4,
    mixupShare: 0.375,
    cutmix: 0.5,
    cutmixShare: 0.125,
    ema: 0.2,
    swa: true,
    earlyStopping: true,
  });
  const both = regularizersOf([mixUp(), cutMix({ prob: 0.5 })]);
  expect(both).toEqual({ mixup: 0.2, mixupShare: 1, cutmix: 1, cutmixShare: 0.5 });
  expect(regularizersOf([ema({ decay: 0.9 })])).toEqual({ ema: 0 });
});

test('sizes that are not above 0 are errors', () => {
  const run = (): unknown => regularizationBudget({}, { parameters: 0, epochs: Number.NaN });
  expect(run).toThrow(ShallowsError);
  expect(run).toThrow(
    'regularizationBudget: parameters: expected a number above 0, got 0; epochs: expected a number above 0, got NaN',
  );
});
