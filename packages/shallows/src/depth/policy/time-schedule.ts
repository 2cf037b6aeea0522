import { ShallowsError, shown } from '../../errors.js';
import { against, type Moment, type Time, timeProblem } from '../../time/index.js';

export type { Moment } from '../../time/index.js';

/**
 * How drop rates run over training time: a factor f on every rate, with t the finished batches and w a time in batches.
 *
 * | kind | f(t) | source |
 * |---|---|---|
 * | `constant` | 1 | |
 * | `warmup` | t / w before `length` w, 1 from there on | Composer |
 * | `early` | `linear`: 1 − t / (w − 1) before `length` w, 0 from there on; `constant`: 1, then 0 | Liu et al. 2023 |
 * | `late` | 0 before `start` w, 1 from there on | Liu et al. 2023 |
 * | `decay` | 1 − (1 − `to`) · t / w before `length` w, `to` from there on | |
 * | `exponential` | 1 − e^(−`gamma` · t) | progressive layer dropping, Zhang and He 2020 |
 * | `piecewise` | straight lines through `points` (time, factor); the first and last factors hold outside | |
 *
 * A pure function of the progress, evaluated at every batch whatever unit the run is measured in.
 */
export type TimeSchedule =
  | { readonly kind: 'constant' }
  | { readonly kind: 'warmup'; readonly length: string | Time }
  | { readonly kind: 'early'; readonly length: string | Time; readonly shape?: 'linear' | 'constant' | undefined }
  | { readonly kind: 'late'; readonly start: string | Time }
  | { readonly kind: 'decay'; readonly length?: string | Time | undefined; readonly to?: number | undefined }
  | { readonly kind: 'exponential'; readonly gamma: number }
  | { readonly kind: 'piecewise'; readonly points: readonly (readonly [time: string | Time, factor: number])[] };

/** The kinds of {@link TimeSchedule}. */
export const timeScheduleKinds = Object.freeze([
  'constant',
  'warmup',
  'early',
  'late',
  'decay',
  'exponential',
  'piecewise',
] as const);

/** The factor of a schedule at a moment, in [0, 1]. */
export function timeFactor(schedule: TimeSchedule, moment: Moment): number {
  switch (schedule.kind) {
    case 'constant':
      return 1;
    case 'warmup': {
      const [t, w] = against(schedule.length, moment);
      return t >= w ? 1 : t / w;
    }
    case 'early': {
      const [t, w] = against(schedule.length, moment);
      if (t >= w) return 0;
      return schedule.shape === 'constant' || w <= 1 ? 1 : Math.max(0, 1 - t / (w - 1));
    }
    case 'late': {
      const [t, w] = against(schedule.start, moment);
      return t >= w ? 1 : 0;
    }
    case 'decay': {
      const [t, w] = against(schedule.length ?? '1dur', moment);
      const { to = 0 } = schedule;
      return t >= w ? to : 1 - (1 - to) * (t / w);
    }
    case 'exponential':
      return -Math.expm1(-schedule.gamma * moment.batch);
    case 'piecewise':
      return piecewise(schedule.points, moment);
  }
}

/** What is wrong with a schedule: a message by field, `expected …, got … - do …`. */
export function timeScheduleProblems(schedule: unknown): readonly (readonly [field: string, message: string])[] {
  const kind = typeof schedule === 'object' && schedule !== null && 'kind' in schedule ? schedule.kind : undefined;
  const known = timeScheduleKinds.find((each) => each === kind);
  if (known === undefined) {
    return [
      ['kind', `expected ${timeScheduleKinds.join(', ')}, got ${shown(kind ?? schedule)} - use one of these words`],
    ];
  }
  const given = schedule as Readonly<Record<string, unknown>>;
  const problems: (readonly [string, string])[] = [];
  const time = (field: string, needed: boolean): void => {
    const value = given[field];
    if (value === undefined && !needed) return;
    const wrong = timeProblem(isTime(value) ? value : '');
    if (wrong !== null) problems.push([field, `expected ${wrong.expected}, got ${shown(value)} - ${wrong.advice}`]);
  };
  const share = (field: string, value: unknown): void => {
    if (typeof value === 'number' && value >= 0 && value <= 1) return;
    problems.push([field, `expected a factor in [0, 1], got ${shown(value)} - it multiplies the rates`]);
  };
  const fields: Record<typeof known, readonly string[]> = {
    constant: [],
    warmup: ['length'],
    early: ['length', 'shape'],
    late: ['start'],
    decay: ['length', 'to'],
    exponential: ['gamma'],
    piecewise: ['points'],
  };
  for (const field of Object.keys(given)) {
    if (field === 'kind' || fields[known].includes(field)) continue;
    problems.push([field, `expected ${['kind', ...fields[known]].join(', ')} for ${known}, got ${field} - remove it`]);
  }
  if (known === 'warmup' || known === 'early') time('length', true);
  if (known === 'late') time('start', true);
  if (known === 'decay') time('length', false);
  if (given['to'] !== undefined && known === 'decay') share('to', given['to']);
  if (known === 'early' && ![undefined, 'linear', 'constant'].includes(given['shape'] as undefined)) {
    problems.push(['shape', `expected linear or constant, got ${shown(given['shape'])} - use one of these words`]);
  }
  if (known === 'exponential' && !(typeof given['gamma'] === 'number' && given['gamma'] > 0 && given['gamma'] < 1e9)) {
    problems.push(['gamma', `expected a rate a batch above 0, got ${shown(given['gamma'])} - 0.001 is usual`]);
  }
  if (known === 'piecewise') problems.push(...pointProblems(given['points']));
  return problems;
}

function pointProblems(points: unknown): (readonly [string, string])[] {
  const pair = (each: unknown): each is readonly [unknown, unknown] => Array.isArray(each) && each.length === 2;
  if (!Array.isArray(points) || points.length === 0 || !points.every(pair)) {
    return [['points', `expected [time, factor] pairs, got ${shown(points)} - write [['0ba', 0], ['0.5dur', 1]]`]];
  }
  return points.flatMap(([time, factor], i): (readonly [string, string])[] => {
    const wrong = timeProblem(isTime(time) ? time : '');
    const problems: (readonly [string, string])[] = [];
    if (wrong !== null)
      problems.push([`points[${i}]`, `expected ${wrong.expected}, got ${shown(time)} - ${wrong.advice}`]);
    if (typeof factor === 'number' && factor >= 0 && factor <= 1) return problems;
    return [
      ...problems,
      [`points[${i}]`, `expected a factor in [0, 1], got ${shown(factor)} - it multiplies the rates`],
    ];
  });
}

function piecewise(points: readonly (readonly [string | Time, number])[], moment: Moment): number {
  let before: readonly [number, number] | null = null;
  let last = -1;
  for (const [time, factor] of points) {
    const [t, at] = against(time, moment);
    if (at < last) {
      throw new ShallowsError(
        'timeFactor: expected points in the order of time, got one before its neighbour - sort them, in one unit',
      );
    }
    last = at;
    if (t < at) {
      if (before === null) return factor;
      const [from, value] = before;
      return value + (factor - value) * ((t - from) / (at - from));
    }
    before = [at, factor];
  }
  return before?.[1] ?? 1;
}

function isTime(value: unknown): value is string | Time {
  return (
    typeof value === 'string' || (typeof value === 'object' && value !== null && 'unit' in value && 'value' in value)
  );
}
