import type { Keywords, Operator } from './operator.js';

/** Hears of every operator call while it is set. */
export type Listener = (
  operator: Operator,
  args: readonly unknown[],
  keywords: Keywords | undefined,
  result: unknown,
) => void;

/** The listener of the running trace, or null: the one test that an operator call pays for tracing. */
export let listener: Listener | null = null;

/** Sets the listener and returns the one before. */
export function listen(next: Listener | null): Listener | null {
  const before = listener;
  listener = next;
  return before;
}

/** Answers operator calls in the place of libtorch while it is set; `undefined` lets a call through. */
export type Answerer = (operator: Operator, args: readonly unknown[], keywords: Keywords | undefined) => unknown;

/** Who answers calls, or null: the one test that an operator call pays for it. */
export let answerer: Answerer | null = null;

/** Sets who answers and returns the one before. */
export function answer(next: Answerer | null): Answerer | null {
  const before = answerer;
  answerer = next;
  return before;
}
