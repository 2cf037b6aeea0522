import { z } from 'zod';

const SPECIAL = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
  '-0': -0,
} as const;

/**
 * One line of JSON in which the numbers that JSON lacks are strings: `"NaN"`, `"Infinity"`, `"-Infinity"`, `"-0"`.
 *
 * A loss that is not a number is evidence; `JSON.stringify` alone would write `null`. `number` reads them back: which
 * strings were numbers is known from the field, so that a text `"NaN"` elsewhere stays a text.
 */
export function losslessJson(value: unknown, indent?: number): string {
  return JSON.stringify(
    value,
    (_, item: unknown) => (isSpecial(item) ? (Object.is(item, -0) ? '-0' : String(item)) : item),
    indent,
  );
}

function isSpecial(item: unknown): boolean {
  return typeof item === 'number' && (!Number.isFinite(item) || Object.is(item, -0));
}

/** Schema of any number that `losslessJson` wrote. */
export const number = z.union(
  [z.number(), z.enum(['NaN', 'Infinity', '-Infinity', '-0']).transform((text) => SPECIAL[text])],
  {
    error: 'expected a number',
  },
);

/** Schema of a whole number from 0. */
export const count = z.number({ error: 'expected a whole number' }).int().nonnegative();
