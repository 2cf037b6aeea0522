import { ShallowsError } from '../errors.js';
import { ceiling, decimal, product } from './decimal.js';

/** Unit of a time: epochs, batches, samples, seconds, or a share of the whole duration. */
export type TimeUnit = 'ep' | 'ba' | 'sp' | 'sec' | 'dur';

/** A point or a span of training: `value` counted in `unit`. Frozen plain data. */
export interface Time {
  readonly value: number;
  readonly unit: TimeUnit;
}

/** What a time stands against: the run it is a time of. */
export interface Timeline {
  /** Batches in one epoch. */
  readonly batchesPerEpoch: number;
  /** Samples in one full batch. */
  readonly batchSize: number;
  /** Samples in one epoch, where the last batch of an epoch is smaller; by default every batch is full. */
  readonly samplesPerEpoch?: number;
  /** Length of the whole run in batches: needed for `dur` only. */
  readonly duration?: number;
  /** Length of the whole run in seconds, where it is on the clock: what `dur` is a share of then. */
  readonly seconds?: number;
}

const simple = /^(\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?)(ep|ba|sp|sec|dur)$/;
const clock = /^(?=\d)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?$/;

/**
 * Reads a time: `10ep` (epochs), `100ba` (batches), `3e4sp` (samples), `90sec` (seconds), `0.1dur` (share of the whole
 * duration), or clock time `1h30m`, `2d`, `45s` (seconds).
 *
 * @throws ShallowsError on any other text, on a fraction of a batch or sample, on a share above 1.
 */
export function parseTime(time: string | Time): Time {
  const parsed = typeof time === 'string' ? fromText(time) : time;
  const wrong = timeProblem(time);
  if (parsed === null || wrong !== null) {
    const { expected, advice } = wrong ?? unreadable;
    throw new ShallowsError(`parseTime: expected ${expected}, got ${shown(time)} - ${advice}`);
  }
  return Object.freeze({ value: parsed.value, unit: parsed.unit });
}

/** What is wrong with a time, as the two halves of an error message, or null when `parseTime` accepts it. */
export function timeProblem(time: string | Time): { readonly expected: string; readonly advice: string } | null {
  const parsed = typeof time === 'string' ? fromText(time) : time;
  if (parsed === null) return unreadable;
  const { value, unit } = parsed;
  const whole = unit === 'ba' || unit === 'sp';
  if (!Number.isFinite(value) || value < 0 || (whole && !Number.isSafeInteger(value))) {
    const expected = whole ? 'a whole number of' : 'a finite, non-negative number of';
    return { expected: `${expected} ${names[unit]}`, advice: `write for example ${examples[unit]}` };
  }
  if (unit === 'dur' && value > 1) {
    return { expected: 'a share of the duration from 0dur to 1dur', advice: 'write for example 0.5dur' };
  }
  return null;
}

/** The shortest text which `parseTime` reads as the same time: `{ value: 10, unit: 'ep' }` is `10ep`. */
export function formatTime(time: Time): string {
  return `${String(time.value)}${time.unit}`;
}

/**
 * The number of batches after which a time has come: the smallest whole number of batches which is not less than it.
 * Exact in decimal arithmetic: `0.07dur` of 100 batches is 7, though `0.07 * 100` is above 7 in floating point.
 *
 * @throws ShallowsError for seconds, which no number of batches equals, and for `dur` where the timeline has no duration.
 */
export function timeToBatches(time: string | Time, timeline: Timeline): number {
  const { value, unit } = parseTime(time);
  const { batchesPerEpoch, batchSize, samplesPerEpoch = batchesPerEpoch * batchSize, duration } = timeline;
  for (const [name, count] of Object.entries({
    batchesPerEpoch,
    batchSize,
    samplesPerEpoch,
    duration: duration ?? 1,
  })) {
    if (!Number.isSafeInteger(count) || count < 1) {
      throw new ShallowsError(
        `timeToBatches: expected ${name} as a whole number of at least 1, got ${String(count)} - count the rows of the data`,
      );
    }
  }
  switch (unit) {
    case 'ba':
      return value;
    case 'ep':
      return ceilProduct(value, batchesPerEpoch);
    case 'sp': {
      const epochs = Math.floor(value / samplesPerEpoch);
      const rest = value - epochs * samplesPerEpoch;
      return epochs * batchesPerEpoch + Math.min(Math.ceil(rest / batchSize), batchesPerEpoch);
    }
    case 'dur':
      if (duration === undefined) {
        throw new ShallowsError(
          `timeToBatches: expected a duration in batches for ${formatTime({ value, unit })}, got none - give the run's duration in ep, ba or sp`,
        );
      }
      return ceilProduct(value, duration);
    case 'sec':
      throw new ShallowsError(
        `timeToBatches: expected a time in ep, ba, sp or dur, got ${formatTime({ value, unit })} - seconds are not a number of batches, compare them with a clock`,
      );
  }
}

const names: Record<TimeUnit, string> = {
  ep: 'epochs',
  ba: 'batches',
  sp: 'samples',
  sec: 'seconds',
  dur: 'the duration',
};
const examples: Record<TimeUnit, string> = { ep: '10ep', ba: '100ba', sp: '3e4sp', sec: '90sec', dur: '0.5dur' };
const seconds = [86_400, 3600, 60, 1];

const unreadable = {
  expected: 'a number and a unit',
  advice:
    'write ep (epochs), ba (batches), sp (samples), sec or 1h30m (clock time) or dur (share of the duration), such as 10ep or 0.5dur',
};

function fromText(text: string): Time | null {
  const [, number, unit] = simple.exec(text) ?? [];
  if (number !== undefined && unit !== undefined) return { value: Number(number), unit: unit as TimeUnit };
  const parts = clock.exec(text);
  if (parts === null) return null;
  const value = seconds.reduce((sum, each, i) => sum + each * Number(parts[i + 1] ?? 0), 0);
  return { value, unit: 'sec' };
}

function shown(time: string | Time): string {
  const text = JSON.stringify(typeof time === 'string' ? time : `${String(time.value)}${time.unit}`);
  return text.length > 60 ? `${text.slice(0, 57)}…"` : text;
}

function ceilProduct(value: number, count: number): number {
  return Number(ceiling(product(decimal(value), decimal(count))));
}
