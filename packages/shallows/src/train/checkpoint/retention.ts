import { didYouMean, ShallowsError, shown } from '../../errors.js';
import { formatTime, parseTime, type Time, type TimeUnit } from '../../time/index.js';
import type { Progress } from '../events.js';
import type { CheckpointEntry } from './list.js';
import type { Manifest } from './manifest.js';

/** Which checkpoints to keep; one that any of the rules keeps is kept. Everything is kept where there is no rule. */
export interface Retention {
  /** The newest so many, from 1. */
  readonly last?: number;
  /** The best by a metric that they were saved with, such as `validation.loss`: so many, 1 unless told. NaN is never best. */
  readonly best?: { readonly metric: string; readonly mode: 'min' | 'max'; readonly count?: number };
  /** The first of each interval for ever: `10ep` keeps those after 10, 20, 30, … epochs. */
  readonly every?: string | Time;
}

/** Rules with their defaults. */
export interface CompleteRetention {
  readonly last: number;
  readonly best: { readonly metric: string; readonly mode: 'min' | 'max'; readonly count: number } | null;
  readonly every: Time | null;
}

/** Checks rules; null where everything is kept. @throws ShallowsError for rules that make no sense */
export function completeRetention(fn: string, { last, best, every }: Retention): CompleteRetention | null {
  const wrong = (what: string, got: unknown, advice: string): ShallowsError =>
    new ShallowsError(`${fn}: expected ${what}, got ${shown(got)} - ${advice}`);
  const atLeastOne = (value: number): boolean => Number.isSafeInteger(value) && value >= 1;
  if (last !== undefined && !atLeastOne(last)) {
    throw wrong('retention.last as a whole number from 1', last, 'the newest checkpoint is what a run resumes from');
  }
  if (best !== undefined) {
    const { metric, mode, count = 1 } = best;
    if (typeof metric !== 'string' || metric === '') {
      throw wrong('retention.best.metric as the name of a metric', metric, 'write for example validation.loss');
    }
    if (mode !== 'min' && mode !== 'max')
      throw wrong("retention.best.mode 'min' or 'max'", mode, 'a loss is best at its min');
    if (!atLeastOne(count))
      throw wrong('retention.best.count as a whole number from 1', count, 'leave best out to keep none');
  }
  const interval = every === undefined ? null : parseTime(every);
  if (interval !== null && (interval.value === 0 || (interval.unit === 'ep' && !Number.isInteger(interval.value)))) {
    throw wrong('retention.every above 0, and whole epochs', formatTime(interval), 'write for example 10ep or 500ba');
  }
  if (last === undefined && best === undefined && interval === null) return null;
  // A run resumes from its newest: it stays, whatever else is asked for.
  return { last: last ?? 1, best: best === undefined ? null : { count: 1, ...best }, every: interval };
}

/** What is wrong with the metric that the best are kept by, where a state was measured and has others; else null. */
export function bestProblem(retention: CompleteRetention | null, metrics: Manifest['metrics']): string | null {
  const wanted = retention?.best?.metric;
  const known = Object.keys(metrics);
  if (wanted === undefined || known.length === 0 || known.includes(wanted)) return null;
  return (
    `expected the metric ${shown(wanted)} that the best are kept by, got ${known.join(', ')}${didYouMean(wanted, known)} - ` +
    'name one of these in retention.best'
  );
}

interface Known {
  readonly name: string;
  readonly manifest: Manifest;
}

/**
 * The names of the checkpoints that no rule keeps, the oldest first. Those without a readable manifest are left alone.
 *
 * @param entries from the oldest to the newest
 */
export function expendable(entries: readonly CheckpointEntry[], { last, best, every }: CompleteRetention): string[] {
  const known = entries.flatMap(({ name, manifest }): Known[] => (manifest === null ? [] : [{ name, manifest }]));
  const kept = new Set(known.slice(-last).map(({ name }) => name));
  if (best !== null) for (const name of bestOf(known, best)) kept.add(name);
  if (every !== null) for (const name of firstOfEach(known, every)) kept.add(name);
  return known.map(({ name }) => name).filter((name) => !kept.has(name));
}

/** Of equals the earlier one: it took less training. */
function bestOf(known: readonly Known[], { metric, mode, count }: NonNullable<CompleteRetention['best']>): string[] {
  const sign = mode === 'min' ? 1 : -1;
  return known
    .flatMap(({ name, manifest }) => {
      const value = manifest.metrics[metric] ?? Number.NaN;
      return Number.isNaN(value) ? [] : [{ name, value: sign * value }];
    })
    .sort((a, b) => (a.value === b.value ? 0 : a.value < b.value ? -1 : 1))
    .slice(0, count)
    .map(({ name }) => name);
}

function firstOfEach(known: readonly Known[], { value, unit }: Time): string[] {
  const seen = new Set<number>([0]);
  return known.flatMap(({ name, manifest }) => {
    // 0.3 ÷ 0.1 is a little below 3 in floating point.
    const interval = Math.floor(position[unit](manifest.progress) / value + 1e-9);
    if (seen.has(interval)) return [];
    seen.add(interval);
    return [name];
  });
}

const position: Readonly<Record<TimeUnit, (progress: Progress) => number>> = {
  ep: ({ epoch }) => epoch,
  ba: ({ batch }) => batch,
  sp: ({ sample }) => sample,
  sec: ({ elapsedMs }) => elapsedMs / 1000,
  dur: ({ fraction }) => fraction,
};
