import type { History } from './history.js';

/** Two runs of which one is measured against the other. */
export interface Contrast {
  readonly subject: History;
  readonly baseline: History;
  /** The subject drops blocks and the baseline does not. */
  readonly ofDepth: boolean;
}

/**
 * Who is measured against whom: a run with stochastic depth against one without, whatever their order; else the second
 * against the first. Null unless there are two runs.
 */
export function contrastOf(histories: readonly History[]): Contrast | null {
  const [first, second, ...more] = histories;
  if (first === undefined || second === undefined || more.length > 0) return null;
  if (first.drops !== second.drops) {
    return first.drops
      ? { subject: first, baseline: second, ofDepth: true }
      : { subject: second, baseline: first, ofDepth: true };
  }
  return { subject: second, baseline: first, ofDepth: false };
}
