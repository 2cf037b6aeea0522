import type { HiddenDraw } from '../inventory/index.js';
import type { PlacementRule } from './advise-placement.js';
import { some, verb } from './words.js';

const byOperators = 'the operators of the example’s forward pass';

/** Advice on what is random otherwise than the modules say. */
export const trustRules: Readonly<Record<string, PlacementRule>> = {
  'random-evaluation': ({ inventory: { hidden } }) => {
    const always = hidden.filter(({ modes }) => modes.includes('evaluation'));
    if (always.length === 0) return null;
    return {
      severity: 'warning',
      message: `${some(always.map(placed))} ${verb(always, 'draws', 'draw')} in evaluation too: predictions are random. Draw only where pass.mode is not 'evaluation'.`,
      source: byOperators,
    };
  },

  'hidden-draws': ({ inventory: { hidden } }) => {
    if (hidden.length === 0) return null;
    return {
      severity: 'warning',
      message: `${some(hidden.map(placed))} ${verb(hidden, 'draws', 'draw')} without a key: not repeated on resume or recomputation, not found by setRates, and whole batches at a time in Monte-Carlo passes. Use a module of shallows/dropout, or dropout(x, rate, pass, { name }).`,
      source: byOperators,
    };
  },

  'not-reached': ({ inventory: { sites } }) => {
    const missed = sites.filter(({ active, reached }) => active && reached === false).map(({ name }) => name);
    if (missed.length === 0) return null;
    return {
      severity: 'warning',
      message: `${some(missed)} ${verb(missed, 'has', 'have')} a rate, but nothing comes to ${verb(missed, 'it', 'them')} in the example’s forward pass: the rate does nothing. Hand the pass on to every module, or set the rate to 0.`,
      source: byOperators,
    };
  },

  'never-kept': ({ inventory: { sites } }) => {
    const all = sites.filter(({ rate, reached }) => rate >= 1 && reached !== false).map(({ name }) => name);
    if (all.length === 0) return null;
    return {
      severity: 'warning',
      message: `${some(all)} ${verb(all, 'drops', 'drop')} everything in training: what comes before learns nothing through ${verb(all, 'it', 'them')}, but counts in evaluation. Stay below 1.`,
      source: 'the rates',
    };
  },
};

function placed({ operator, module, rate }: HiddenDraw): string {
  const where = module === '' ? 'the model’s own forward' : `the forward of ${module}`;
  return `${operator}${rate === null ? '' : ` at rate ${rate}`} in ${where}`;
}
