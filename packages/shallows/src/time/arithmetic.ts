import { ShallowsError, shown } from '../errors.js';
import { ceiling, type Decimal, decimal, negated, order, product, sum, toNumber } from './decimal.js';
import { formatTime, parseTime, type Time, type Timeline, type TimeUnit } from './time.js';

/**
 * a + b in decimal arithmetic: `0.1ep` and `0.2ep` are `0.3ep`. Times of one unit need no timeline; those of two are added
 * in batches, so that their sum may be a fraction of one, which counts as a whole batch more.
 *
 * @throws ShallowsError for two units without a timeline, or one on the clock and one that is not
 */
export function addTimes(a: string | Time, b: string | Time, timeline?: Timeline): Time {
  return combined('addTimes', a, b, timeline, sum);
}

/**
 * a − b, as {@link addTimes}.
 *
 * @throws ShallowsError also where b is the longer one: there is no time before the run
 */
export function subtractTimes(a: string | Time, b: string | Time, timeline?: Timeline): Time {
  return combined('subtractTimes', a, b, timeline, (x, y) => sum(x, negated(y)));
}

/**
 * A time so many times over, in decimal arithmetic: `scaleTime('100ba', 0.07)` is `7ba`. A fraction of a batch or sample
 * counts as a whole one.
 *
 * @throws ShallowsError for a factor that is no number from 0, or more than `1dur`
 */
export function scaleTime(time: string | Time, factor: number): Time {
  if (!(factor >= 0 && factor < Number.POSITIVE_INFINITY)) {
    throw new ShallowsError(`scaleTime: expected a factor from 0, got ${shown(factor)} - give a finite number`);
  }
  const { value, unit } = parseTime(time);
  return made(product(decimal(value), decimal(factor)), unit);
}

/**
 * −1 where a comes before b, 1 where it comes after, 0 where both are the same point of a run. Exact: fractions of a batch
 * count. Times of one unit need no timeline.
 *
 * @throws ShallowsError as {@link addTimes}
 */
export function compareTimes(a: string | Time, b: string | Time, timeline?: Timeline): -1 | 0 | 1 {
  const [x, y] = inOneUnit('compareTimes', parseTime(a), parseTime(b), timeline);
  return order(x, y);
}

function combined(
  fn: string,
  a: string | Time,
  b: string | Time,
  timeline: Timeline | undefined,
  combine: (x: Decimal, y: Decimal) => Decimal,
): Time {
  const [left, right] = [parseTime(a), parseTime(b)];
  const [x, y, unit, per] = inOneUnit(fn, left, right, timeline);
  const result = combine(x, y);
  if (result.digits < 0n) {
    throw new ShallowsError(
      `${fn}: expected at most ${formatTime(left)} to take away, got ${formatTime(right)} - a run has no time before it`,
    );
  }
  if (per === 1n) return made(result, unit);
  const whole = ceiling(result);
  return parseTime({ value: Number(whole / per + (whole % per === 0n ? 0n : 1n)), unit });
}

/** Both times as numbers of 1 / per of a unit. */
function inOneUnit(
  fn: string,
  a: Time,
  b: Time,
  timeline: Timeline | undefined,
): readonly [x: Decimal, y: Decimal, unit: TimeUnit, per: bigint] {
  if (a.unit === b.unit) return [decimal(a.value), decimal(b.value), a.unit, 1n];
  const pair = `${formatTime(a)} and ${formatTime(b)}`;
  if (timeline === undefined) {
    throw new ShallowsError(`${fn}: expected times of one unit, got ${pair} - give the timeline that they stand in`);
  }
  const { seconds, batchSize, duration } = timeline;
  if (duration === undefined && seconds === undefined && (a.unit === 'dur' || b.unit === 'dur')) {
    throw new ShallowsError(
      `${fn}: expected a timeline with a duration for ${pair}, got one without - give its duration`,
    );
  }
  const onClock = ({ unit }: Time): boolean => unit === 'sec' || (unit === 'dur' && duration === undefined);
  if (onClock(a) && onClock(b) && seconds !== undefined) {
    const inSeconds = ({ value, unit }: Time): Decimal =>
      unit === 'sec' ? decimal(value) : product(decimal(value), decimal(seconds));
    return [inSeconds(a), inSeconds(b), 'sec', 1n];
  }
  if (onClock(a) || onClock(b)) {
    throw new ShallowsError(
      `${fn}: expected times that are all on the clock or all counted, got ${pair} - a batch has no fixed length in seconds`,
    );
  }
  // A batch is as many parts as it has samples, so that a sample is a whole number of them.
  return [inParts(a, timeline), inParts(b, timeline), 'ba', BigInt(batchSize)];
}

function inParts(
  { value, unit }: Time,
  { batchesPerEpoch, batchSize, samplesPerEpoch, duration = 1 }: Timeline,
): Decimal {
  const batches = (count: number): Decimal => product(decimal(value), decimal(count * batchSize));
  switch (unit) {
    case 'ep':
      return batches(batchesPerEpoch);
    case 'dur':
      return batches(duration);
    case 'sp': {
      const perEpoch = samplesPerEpoch ?? batchesPerEpoch * batchSize;
      const epochs = Math.floor(value / perEpoch);
      return decimal(epochs * batchesPerEpoch * batchSize + (value - epochs * perEpoch));
    }
    default:
      return batches(1);
  }
}

function made(value: Decimal, unit: TimeUnit): Time {
  return parseTime({ value: unit === 'ba' || unit === 'sp' ? Number(ceiling(value)) : toNumber(value), unit });
}
