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
