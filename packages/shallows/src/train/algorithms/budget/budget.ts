import type { Advice } from '../../../depth/index.js';
import { Settings } from '../../../nn/settings.js';
import { type BudgetFacts, budgetAdvice } from './advice.js';
import { nearestRecipe } from './published.js';
import type { RunRegularizers } from './regularizers.js';
import { type BudgetRow, budgetRows } from './rows.js';

/** What is known of a run: the more, the more can be said. */
export interface BudgetOptions {
  /** The optimizer's name, such as `adamw`. */
  readonly optimizer?: string;
  /** What the model is given; null for tables and series. */
  readonly input?: 'pictures' | 'text' | null;
  /** Learnt elements of the model. */
  readonly parameters?: number | null;
  /** Rows of the training set. */
  readonly rows?: number | null;
  readonly epochs?: number | null;
  /** Whether the learning rate falls to a small share at the end. */
  readonly rateFalls?: boolean;
}

/** All regularizers of a run together: frozen plain data. */
export interface RegularizationBudget {
  readonly rows: readonly BudgetRow[];
  /** Sum of the rows, in full measures of one regularizer. */
  readonly total: number;
  /** The published recipe for the most similar network and set, and its sum; null where none is like it. */
  readonly published: { readonly name: string; readonly total: number; readonly source: string } | null;
  /** Warnings first. */
  readonly advice: readonly Advice[];
}

/**
 * What a run is held back by, in one sum: each regularizer counts in full measures, the usual strength of published recipes, and the
 * sum is compared with that of the recipe for the most similar network and set.
 *
 * The sum orders runs; it is no law. What counts how much, and from where on advice is given, are this library's own, between
 * the published points that rows and advice name.
 *
 * @throws ShallowsError for sizes that are not above 0
 */
export function regularizationBudget(used: RunRegularizers, options: BudgetOptions = {}): RegularizationBudget {
  const {
    optimizer = 'sgd',
    input = null,
    parameters = null,
    rows: count = null,
    epochs = null,
    rateFalls = false,
  } = options;
  const settings = new Settings('regularizationBudget');
  for (const [name, value] of Object.entries({ parameters, rows: count, epochs })) {
    if (value !== null) settings.number(name, value, 'above 0', (each) => each > 0);
  }
  settings.check('leave out what is not known');
  const rows = budgetRows(used, optimizer);
  const total = sumOf(rows);
  const nearest = parameters === null || count === null ? null : nearestRecipe(input, parameters, count, epochs);
  const published =
    nearest === null ? null : { ...nearest, total: sumOf(budgetRows(nearest.regularizers, nearest.optimizer)) };
  const facts: BudgetFacts = { used, rows, total, published, optimizer, parameters, count, epochs, rateFalls };
  return Object.freeze({
    rows,
    total,
    published:
      published === null
        ? null
        : Object.freeze({ name: published.name, total: published.total, source: published.source }),
    advice: budgetAdvice(facts),
  });
}

function sumOf(rows: readonly BudgetRow[]): number {
  return rows.reduce((sum, { measures }) => sum + measures, 0);
}
