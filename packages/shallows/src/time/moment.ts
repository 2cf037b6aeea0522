import { ShallowsError } from '../errors.js';
import { formatTime, parseTime, type Time, type Timeline, timeToBatches } from './time.js';

/** How far a run is. */
export interface Moment {
  /** Finished batches. */
  readonly batch: number;
  /** Milliseconds since the run began: for times on the clock. */
  readonly elapsedMs?: number;
  /** The run's own measures. */
  readonly timeline: Timeline;
}

/**
 * A moment and a time in one unit: batches, or seconds where the time is on the clock, or is a share of a run that is.
 *
 * @returns how much is done, and how much must be for the time to have come
 * @throws ShallowsError for a time on the clock without `elapsedMs`, or `dur` without a duration
 */
export function against(
  time: string | Time,
  { batch, elapsedMs, timeline }: Moment,
): readonly [now: number, then: number] {
  const { value, unit } = parseTime(time);
  const { duration, seconds } = timeline;
  const clock = unit === 'sec' ? value : unit === 'dur' && duration === undefined ? scaled(value, seconds) : null;
  if (clock === null) return [batch, timeToBatches({ value, unit }, timeline)];
  if (elapsedMs !== undefined) return [elapsedMs / 1000, clock];
  throw new ShallowsError(
    `against: expected the elapsed time for ${formatTime({ value, unit })}, got none - give elapsedMs, or use ep, ba or sp`,
  );
}

/** Whether a time has come: at the first batch after which as much is done as it says, or more. */
export function hasCome(time: string | Time, moment: Moment): boolean {
  const [now, then] = against(time, moment);
  return now >= then;
}

/** The share of a time that is done, in [0, 1]: exactly 1 from the batch on at which it has come. */
export function shareOf(time: string | Time, moment: Moment): number {
  const [now, then] = against(time, moment);
  return now >= then ? 1 : now / then;
}

function scaled(value: number, seconds: number | undefined): number | null {
  return seconds === undefined ? null : value * seconds;
}
