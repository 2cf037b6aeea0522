import type { Advice } from '../../../depth/index.js';
import type { PublishedRecipe } from './published.js';
import type { RunRegularizers } from './regularizers.js';
import { type BudgetRow, short } from './rows.js';

/** @internal What the rules read. */
export interface BudgetFacts {
  readonly used: RunRegularizers;
  readonly rows: readonly BudgetRow[];
  readonly total: number;
  readonly published: (PublishedRecipe & { readonly total: number }) | null;
  readonly optimizer: string;
  readonly parameters: number | null;
  readonly count: number | null;
  readonly epochs: number | null;
  readonly rateFalls: boolean;
}

type Rule = (facts: BudgetFacts) => Omit<Advice, 'code'> | null;

const decoupled = ['adamw', 'lamb'];

const rules: Readonly<Record<string, Rule>> = {
  'budget-above-published': ({ rows, total, published }) => {
    if (published === null || total <= 1.25 * published.total + 0.5) return null;
    const strongest = rows.toSorted((a, b) => b.measures - a.measures).slice(0, 3);
    return {
      severity: total > 1.5 * published.total + 1 ? 'warning' : 'note',
      message:
        `All regularizers together are ${total.toFixed(1)} full measures; ${published.name}, the published recipe nearest in size and ` +
        `length, has ${published.total.toFixed(1)}. If training accuracy is low too, weaken one of ${strongest.map(({ name }) => name).join(', ')}.`,
      source: published.source,
    };
  },

  'budget-for-short-training': ({ total, epochs, published }) => {
    if (epochs === null || epochs >= 100 || total <= 2.5) return null;
    if (published !== null && published.epochs <= epochs && total <= published.total) return null;
    return {
      severity: 'warning',
      message: `${total.toFixed(1)} full measures for ${short(epochs)} epoch${epochs === 1 ? '' : 's'}: strong regularizers pay off in long training. Use fewer of them, or train longer.`,
      source:
        'Wightman et al., "ResNet strikes back", 2021: the recipe for 100 epochs drops stochastic depth and label smoothing and weakens RandAugment',
    };
  },

  'no-regularizer': ({ total, parameters, count, epochs }) =>
    total > 0 || parameters === null || count === null || parameters < count || (epochs ?? 0) < 30
      ? null
      : {
          severity: 'note',
          message: `Nothing holds back ${short(parameters)} parameters on ${short(count)} rows for ${short(epochs ?? 0)} epochs. Watch the gap between training and validation; begin with weight decay and augmentation.`,
          source: 'every recipe of the table has some',
        },

  'mixed-twice': ({ used: { mixup = 0, cutmix = 0, mixupShare = 1, cutmixShare = 1 } }) =>
    mixup === 0 || cutmix === 0 || mixupShare + cutmixShare <= 1 + 1e-9
      ? null
      : {
          severity: 'warning',
          message: `MixUp mixes ${percent(mixupShare)} of the batches and CutMix ${percent(cutmixShare)}: some are mixed by both, and their targets share four classes. Use mixupOrCutmix.`,
          source: "timm's Mixup switches between them; MosaicML Composer warns of two",
        },

  'decay-for-another-optimizer': ({ used: { weightDecay = 0 }, optimizer }) => {
    if (weightDecay === 0) return null;
    if (decoupled.includes(optimizer) && weightDecay < 1e-3) {
      return {
        severity: 'note',
        message: `A decoupled weight decay of ${short(weightDecay)} in ${optimizer} is nearly none: a step takes lr · ${short(weightDecay)} of a weight. Recipes have 0.01 to 0.3.`,
        source: 'Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019',
      };
    }
    if (decoupled.includes(optimizer) || weightDecay <= 5e-3) return null;
    return {
      severity: 'warning',
      message: `A weight decay of ${short(weightDecay)} in ${optimizer} is that of decoupled optimizers: as a penalty in the gradient it is ${optimizer === 'sgd' ? 'ten times and more what recipes have' : 'scaled by the running averages'}. Use 1e-4 to 5e-4, or adamw.`,
      source: 'Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019',
    };
  },

  'slow-average': ({ used: { ema = 0 } }) =>
    ema <= 0.1
      ? null
      : {
          severity: 'warning',
          message: `The half-life of the average is ${percent(ema)} of the run: what the weights were before counts half as long as that. Use a tenth or less.`,
          source: 'the definition: an average of half-life h lags by about 1.4 · h',
        },

  'stops-before-the-rate-falls': ({ used: { earlyStopping = false }, rateFalls }) =>
    !earlyStopping || !rateFalls
      ? null
      : {
          severity: 'note',
          message:
            'The learning rate falls towards the end, where such a run gains most, and early stopping may end it before. Give it patience, or a constant rate.',
          source: 'Loshchilov and Hutter, "SGDR", ICLR 2017: error falls with the rate',
        },
};

/** The code of every advice on a budget. */
export const budgetAdviceCodes: readonly string[] = Object.freeze(Object.keys(rules));

/** @internal */
export function budgetAdvice(facts: BudgetFacts): readonly Advice[] {
  const found = Object.entries(rules).flatMap(([code, rule]) => {
    const advice = rule(facts);
    return advice === null ? [] : [Object.freeze({ code, ...advice })];
  });
  const rank = ({ severity }: Advice): number => (severity === 'warning' ? 0 : 1);
  return Object.freeze(found.toSorted((a, b) => rank(a) - rank(b)));
}

function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}
