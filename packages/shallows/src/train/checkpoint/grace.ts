import { ShallowsError } from '../../errors.js';
import { formatTime, parseTime, type Time } from '../../time/index.js';

/** What a stop may take at the worst, in milliseconds. */
export interface StopTime {
  /** The longest that the run went from the end of one batch to the next. */
  readonly batchMs: number;
  /** What a save takes. */
  readonly saveMs: number;
}

/** Looks whether a run that is told to stop has time to save: it ends its batch, a save that is under way is finished, then its own is written. */
export class GraceWatch {
  readonly #graceMs: number;
  #warnedMs = 0;

  /** @throws ShallowsError for a grace period that is no time on the clock */
  constructor(fn: string, grace: string | Time) {
    const time = parseTime(grace);
    if (time.unit !== 'sec') {
      throw new ShallowsError(
        `${fn}: expected a grace period on the clock, got ${formatTime(time)} - write for example 30sec`,
      );
    }
    this.#graceMs = time.value * 1000;
  }

  /** What to tell the user where the time does not do; null where it does, or was told already and has not grown much. */
  problem({ batchMs, saveMs }: StopTime): string | null {
    const worstMs = batchMs + 2 * saveMs;
    if (worstMs <= this.#graceMs || worstMs < 1.5 * this.#warnedMs) return null;
    this.#warnedMs = worstMs;
    const enough = Math.ceil((1.5 * worstMs) / 10_000) * 10;
    return (
      `a stop may take ${seconds(worstMs)} (a batch ${seconds(batchMs)}, a save under way and its own ${seconds(saveMs)} each), ` +
      `longer than the grace period of ${seconds(this.#graceMs)}: what came after the last checkpoint would then be lost - ` +
      `give the run ${enough} s (in Kubernetes: terminationGracePeriodSeconds) and say so here, or save to a faster disk`
    );
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}
