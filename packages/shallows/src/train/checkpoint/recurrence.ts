import { ShallowsError } from '../../errors.js';
import { against, formatTime, type Moment, parseTime, type Time } from '../../time/index.js';

/** Something that comes again and again at one interval, counted from the start of the run. */
export class Recurrence {
  readonly interval: Time;
  #turn = 0;

  /** @throws ShallowsError for an interval of nothing, or what is no time */
  constructor(fn: string, every: string | Time) {
    this.interval = parseTime(every);
    if (this.interval.value > 0) return;
    throw new ShallowsError(
      `${fn}: expected an interval above 0, got ${formatTime(this.interval)} - write for example 1ep`,
    );
  }

  /** Begins to look, at whatever moment a run starts or goes on. */
  start(moment: Moment): void {
    this.#turn = this.#turnAt(moment);
  }

  /** Whether its time came since this was last asked; once for each interval that ended, or several at a time. */
  comes(moment: Moment): boolean {
    const turn = this.#turnAt(moment);
    const came = turn > this.#turn;
    this.#turn = turn;
    return came;
  }

  #turnAt(moment: Moment): number {
    const [now, interval] = against(this.interval, moment);
    return Math.floor(now / interval);
  }
}
