import { type Moment, type TimeSchedule, timeFactor } from '../depth/index.js';
import { timeScheduleProblems } from '../depth/policy/time-schedule.js';
import { ShallowsError, shown } from '../errors.js';
import { type Pass, passSlot } from '../nn/pass.js';
import { askedPlaceSlot } from '../nn/spread.js';

/** A drop rate that runs over training time: `rate` times the factor of the schedule. */
export interface ScheduledRate {
  readonly rate: number;
  readonly schedule: TimeSchedule;
}

/** A drop rate in [0, 1], the same all the time or over training time. */
export type DropRate = number | ScheduledRate;

/** The factor on every drop rate of a pass, in [0, 1]; 1 where it is not set. */
export const dropoutFactorSlot = passSlot<number>('dropout factor');

/** How far the run is, for rates with a schedule of their own. */
export const dropoutMomentSlot = passSlot<Moment>('dropout moment');

/** The names of the only sites that drop in a pass; all where it is not set. */
export const activeDropoutsSlot = passSlot<Pick<ReadonlySet<string>, 'has'>>('active dropouts');

/** What is wrong with a drop rate: `expected …, got … - do …`, or `null`. A rate of 1 is allowed unless `open`. */
export function rateProblem(rate: unknown, open = false): string | null {
  if (typeof rate === 'number' && rate >= 0 && (open ? rate < 1 : rate <= 1)) return null;
  return `expected a drop rate in [0, 1${open ? ')' : ']'}, got ${shown(rate)} - 0.1 drops a tenth`;
}

/** @throws ShallowsError for a rate outside [0, 1] */
export function requireRate(fn: string, rate: unknown, open = false): void {
  const problem = rateProblem(rate, open);
  if (problem !== null) throw new ShallowsError(`${fn}: p: ${problem}`);
}

/** What is wrong with a schedule over time, each as `field: expected …, got … - do …`. */
export function scheduleProblems(schedule: unknown): readonly string[] {
  return timeScheduleProblems(schedule).map(([field, message]) => `schedule.${field}: ${message}`);
}

/** A rate and its schedule apart. */
export function splitRate(rate: DropRate): { readonly rate: unknown; readonly schedule: TimeSchedule | null } {
  if (typeof rate !== 'object' || rate === null) return { rate, schedule: null };
  return { rate: rate.rate, schedule: rate.schedule ?? null };
}

/** The rate at which a place drops in a pass: 0 in evaluation and where the place is not active, else times all factors. */
export function rateIn(pass: Pass, name: string, rate: number, schedule: TimeSchedule | null): number {
  if (pass.mode === 'evaluation') return 0;
  pass.get(askedPlaceSlot)?.(name, rate);
  if (rate === 0) return 0;
  if (pass.get(activeDropoutsSlot)?.has(name) === false) return 0;
  return rate * factorIn(pass) * scheduleFactor(pass, name, schedule);
}

function factorIn(pass: Pass): number {
  const factor = pass.get(dropoutFactorSlot) ?? 1;
  if (factor >= 0 && factor <= 1) return factor;
  throw new ShallowsError(
    `dropout: expected a factor in [0, 1] on the rates of a pass, got ${shown(factor)} - it only lowers them`,
  );
}

function scheduleFactor(pass: Pass, name: string, schedule: TimeSchedule | null): number {
  if (schedule === null) return 1;
  const moment = pass.get(dropoutMomentSlot);
  if (moment !== undefined) return timeFactor(schedule, moment);
  // A trained model is asked without a run around it.
  if (!pass.training) return 1;
  throw new ShallowsError(
    `dropout: expected the moment of the run for the schedule of '${name}', got a training pass without one - ` +
      'write pass.with(dropoutMomentSlot, { batch, timeline })',
  );
}

/** Whether a value is a drop rate in [0, 1], alone or with a schedule: for options that are checked with others. */
export function isDropRate(value: unknown): value is DropRate {
  const { rate, schedule } = splitRate(value as DropRate);
  return rateProblem(rate) === null && (schedule === null || scheduleProblems(schedule).length === 0);
}
