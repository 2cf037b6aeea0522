import { FieldCheck } from '../policy/field-check.js';
import { Policy, type PolicyOptions } from '../policy/policy.js';

/** @internal The policy of a preset's fields, each replaced by the one that is given. */
export function presetPolicy(fields: PolicyOptions, given: PolicyOptions): Policy {
  const replaced: PolicyOptions = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const { drop, ...others } = fields;
  // A list has its rates in itself.
  return Policy({ ...others, ...(replaced.schedule === 'list' ? {} : { drop }), ...replaced });
}

/** @internal Checks a word that is a preset's own option. */
export function requireWord(field: string, word: string, known: readonly string[]): void {
  const check = new FieldCheck();
  check.word(field, word, known);
  check.done();
}

/** @internal A mask of one draw a row over a branch that is computed whole, whatever the draws; gradients are 0, not missing. */
export const rowMask = Object.freeze({
  unit: 'row',
  rows: 'independent',
  execution: 'mask',
  scale: 'inverted',
  ranks: 'independent',
  optimizer: 'zero',
} satisfies PolicyOptions);
