import type { Timing } from './events.js';

/** Collects the durations of steps, those that ran every block apart from those that dropped some. */
export class StepTimes {
  readonly #full: number[] = [];
  readonly #dropped: number[] = [];

  add(durationMs: number, full: boolean): void {
    (full ? this.#full : this.#dropped).push(durationMs);
  }

  /** Null before the first step. */
  timing(totalMs: number): Timing | null {
    const medianStepMs = median([...this.#full, ...this.#dropped]);
    if (medianStepMs === null) return null;
    return {
      medianStepMs,
      medianFullStepMs: median(this.#full),
      medianDroppedStepMs: median(this.#dropped),
      totalMs,
    };
  }
}

function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const high = sorted[middle];
  if (high === undefined) return null;
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? high) + high) / 2;
}
