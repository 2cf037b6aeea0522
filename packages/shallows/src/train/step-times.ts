import type { JsonObject, JsonValue } from '../nn/index.js';
import type { Timing } from './events.js';

/** Neighbouring bins differ by so much: a median is right to a quarter of a percent. */
const RATIO = 1.005;
const logRatio = Math.log(RATIO);

/**
 * Counts the durations of steps, those that ran every block apart from those that dropped some, in bins of half a percent:
 * what is kept does not grow with the run.
 */
export class StepTimes {
  readonly #full = new Map<number, number>();
  readonly #dropped = new Map<number, number>();

  add(durationMs: number, full: boolean): void {
    const bins = full ? this.#full : this.#dropped;
    const bin = Math.round(Math.log(Math.max(durationMs, 1e-6)) / logRatio);
    bins.set(bin, (bins.get(bin) ?? 0) + 1);
  }

  /** Null before the first step. */
  timing(totalMs: number): Timing | null {
    const medianStepMs = median(this.#full, this.#dropped);
    if (medianStepMs === null) return null;
    return {
      medianStepMs,
      medianFullStepMs: median(this.#full),
      medianDroppedStepMs: median(this.#dropped),
      totalMs,
    };
  }

  state(): JsonObject {
    return { full: [...this.#full].flat(), dropped: [...this.#dropped].flat() };
  }

  load({ full, dropped }: JsonObject): void {
    fill(this.#full, full);
    fill(this.#dropped, dropped);
  }
}

function fill(bins: Map<number, number>, pairs: JsonValue | undefined): void {
  bins.clear();
  if (!Array.isArray(pairs)) return;
  for (let i = 0; i + 1 < pairs.length; i += 2) bins.set(Number(pairs[i]), Number(pairs[i + 1]));
}

function median(...parts: readonly ReadonlyMap<number, number>[]): number | null {
  const bins = new Map<number, number>();
  for (const part of parts) for (const [bin, count] of part) bins.set(bin, (bins.get(bin) ?? 0) + count);
  const sorted = [...bins].sort(([a], [b]) => a - b);
  const total = sorted.reduce((sum, [, count]) => sum + count, 0);
  if (total === 0) return null;
  const at = (place: number): number => {
    let seen = 0;
    for (const [bin, count] of sorted) if ((seen += count) > place) return Math.exp(bin * logRatio);
    return Number.NaN;
  };
  return total % 2 === 1 ? at((total - 1) / 2) : (at(total / 2 - 1) + at(total / 2)) / 2;
}
