import { ShallowsError, shown } from '../../errors.js';
import { FieldCheck } from './field-check.js';
import type { DepthSchedule } from './schedule.js';
import { selectionProblem } from './selection.js';
import { type TimeSchedule, timeScheduleProblems } from './time-schedule.js';

/**
 * How branches are dropped: frozen plain data, valid as a whole (see the factory of the same name).
 */
export interface Policy {
  /** Top drop rate, in [0, 1]: the p of the schedules. For `list`, the largest rate. */
  readonly drop: number;
  /** Top drop rates of kinds of branches that have their own, such as `{ attention: 0.1, mlp: 0.3 }`; or `null`. */
  readonly kinds: Readonly<Record<string, number>> | null;
  /** How the rate runs over depth, see `depthSchedules`. */
  readonly schedule: DepthSchedule;
  /** One rate a layer in forward order, for the schedule `list`; else `null`. */
  readonly rates: readonly number[] | null;
  /** Which layers have a rate at all, see `selectLayers`; the schedule counts the others too. `null`: all. */
  readonly select: string | null;
  /** Layers at either end that are never dropped; the schedule runs over the others alone. */
  readonly protect: { readonly first: number; readonly last: number };
  /** How all rates run over training time, see `TimeSchedule`. */
  readonly time: TimeSchedule;
  /**
   * Where the expectation is corrected, with keep probability q. `inverted`: a kept branch counts 1/q times in training,
   * and evaluation is the plain network. `paper`: training is plain, and evaluation counts the branch q times.
   * `realised`: as inverted, with b/k where k of b rows were kept. `none`: nowhere.
   */
  readonly scale: 'inverted' | 'paper' | 'realised' | 'none';
  /** What a decision covers: `block`, the whole batch; `row`, each sample by itself. */
  readonly unit: 'block' | 'row';
  /**
   * How a dropped branch is avoided. `gate`: it is not called (unit block). `subset`: it runs on the kept rows (unit row).
   * `mask`: it runs and is then left out by a select, which saves nothing: for parity. `auto`: the cheapest, as measured.
   */
  readonly execution: 'gate' | 'subset' | 'mask' | 'auto';
  /**
   * Which rows are kept, for the unit row. `random`: k of them, all sets equally likely. `window`: k neighbours from a
   * random offset, copied in one go. `independent`: each by its own draw, so k varies.
   */
  readonly rows: 'random' | 'window' | 'independent' | null;
  /** How many rows are kept of b, for `random` and `window`. `unbiased`: ⌊b·q⌋ or one more, b·q on average; `dinov2`: max(⌊b·q⌋, 1). */
  readonly count: 'unbiased' | 'dinov2' | null;
  /**
   * What data-parallel ranks decide. `shared`: the same, so that all save the same time. `independent`: each its own.
   * `sample`: each sample of the global batch has its own decision, however the batch is split.
   */
  readonly ranks: 'shared' | 'independent' | 'sample';
  /** What the optimizer does about a branch that was dropped: `frozen`, nothing; `zero`, a step with gradient 0, in which momentum and decay act. */
  readonly optimizer: 'frozen' | 'zero';
  /** Exactly so many sites are dropped in each step, rates scaled to that sum; `null`: as the draws fall. */
  readonly budget: number | null;
}

/** The fields of a policy; none is required but `drop`, or `rates` with the schedule `list`. */
export interface PolicyOptions {
  readonly drop?: number | undefined;
  readonly kinds?: Readonly<Record<string, number>> | null | undefined;
  readonly schedule?: DepthSchedule | undefined;
  readonly rates?: readonly number[] | null | undefined;
  readonly select?: string | null | undefined;
  readonly protect?: { readonly first?: number | undefined; readonly last?: number | undefined } | undefined;
  readonly time?: TimeSchedule | undefined;
  readonly scale?: Policy['scale'] | undefined;
  readonly unit?: Policy['unit'] | undefined;
  readonly execution?: Policy['execution'] | undefined;
  readonly rows?: Policy['rows'] | undefined;
  readonly count?: Policy['count'] | undefined;
  readonly ranks?: Policy['ranks'] | undefined;
  readonly optimizer?: Policy['optimizer'] | undefined;
  readonly budget?: number | null | undefined;
}

/** The words that each field of a policy knows. */
export const policyWords = Object.freeze({
  schedule: Object.freeze(['linear', 'linspace', 'ramp', 'uniform', 'exp', 'log', 'sine', 'sigmoid', 'list'] as const),
  scale: Object.freeze(['inverted', 'paper', 'realised', 'none'] as const),
  unit: Object.freeze(['block', 'row'] as const),
  execution: Object.freeze(['gate', 'subset', 'mask', 'auto'] as const),
  rows: Object.freeze(['random', 'window', 'independent'] as const),
  count: Object.freeze(['unbiased', 'dinov2'] as const),
  ranks: Object.freeze(['shared', 'independent', 'sample'] as const),
  optimizer: Object.freeze(['frozen', 'zero'] as const),
});

const fields = ['drop', 'kinds', 'rates', 'select', 'protect', 'time', 'budget', ...Object.keys(policyWords)];

/**
 * A policy: `Policy({ drop: 0.5 })` is Huang et al.'s with inverted scaling, `Policy({ drop: 0.3, unit: 'row' })` drops
 * rows of each batch.
 *
 * @throws PolicyError naming every wrong field: a rate that is NaN, infinite or outside [0, 1], an unknown word or
 *   field, an empty list, a list without its schedule or the schedule without its list, words that contradict each other
 */
export function Policy(options: PolicyOptions): Policy {
  const check = new FieldCheck();
  if (typeof options !== 'object' || options === null) {
    check.add('options', `expected an object, got ${shown(options)} - give at least drop`).done();
  }
  const row = options.unit === 'row';
  const {
    kinds = null,
    schedule = 'linear',
    rates = null,
    select = null,
    protect: { first = 0, last = 0 } = {},
    time = { kind: 'constant' },
    scale = 'inverted',
    unit = 'block',
    execution = row ? 'subset' : 'gate',
    ranks = 'shared',
    rows = row ? (ranks === 'sample' ? 'independent' : 'random') : null,
    count = row && rows !== 'independent' ? 'unbiased' : null,
    optimizer = 'frozen',
    budget = null,
  } = options;
  const drop = schedule === 'list' ? checkList(check, options) : checkDrop(check, options);
  const policy = {
    ...{ drop, kinds, schedule, rates, select, protect: Object.freeze({ first, last }), time, scale },
    ...{ unit, execution, rows, count, ranks, optimizer, budget },
  };
  check.known(Object.keys(options), fields);
  for (const field of ['schedule', 'scale', 'unit', 'execution', 'ranks', 'optimizer'] as const) {
    check.word(field, policy[field], policyWords[field]);
  }
  if (row) check.word('rows', rows, policyWords.rows);
  if (row && rows !== 'independent') check.word('count', count, policyWords.count);
  checkPlaces(check, policy);
  for (const [field, message] of timeScheduleProblems(time)) check.add(`time.${field}`, message);
  checkTogether(check, policy);
  check.done();
  return Object.freeze({
    ...policy,
    kinds: kinds === null ? null : Object.freeze({ ...kinds }),
    rates: rates === null ? null : Object.freeze([...rates]),
    time: Object.freeze({ ...time }),
  });
}

function checkDrop(check: FieldCheck, { drop, rates, kinds }: PolicyOptions): number {
  const largest = kinds ? Math.max(...Object.values(kinds)) : Number.NaN;
  if (drop !== undefined || kinds === undefined || kinds === null) check.rate('drop', drop, 'give the top drop rate');
  if (rates !== undefined && rates !== null) {
    check.add(
      'rates',
      `expected no list beside a formula, got ${shown(rates)} - use schedule 'list' or leave the rates out`,
    );
  }
  return drop ?? largest;
}

function checkList(check: FieldCheck, { drop, rates }: PolicyOptions): number {
  if (!Array.isArray(rates) || rates.length === 0) {
    check.add('rates', `expected one rate a layer, got ${shown(rates)} - list them in forward order`);
    return Number.NaN;
  }
  rates.forEach((rate: unknown, i) => check.rate(`rates[${i}]`, rate, 'correct it'));
  const largest = Math.max(...rates);
  if (drop !== undefined && drop !== largest) {
    check.add(
      'drop',
      `expected nothing beside a list (its largest rate is ${largest}), got ${shown(drop)} - leave it out`,
    );
  }
  return largest;
}

type Unchecked = { readonly [K in keyof Policy]: Policy[K] | null };

function checkPlaces(check: FieldCheck, { kinds, select, protect, schedule }: Unchecked): void {
  if (kinds !== null) {
    const named = typeof kinds === 'object' && !Array.isArray(kinds) ? Object.entries(kinds) : [];
    if (named.length === 0) check.add('kinds', `expected rates by kind, got ${shown(kinds)} - write { mlp: 0.2 }`);
    for (const [kind, rate] of named) check.rate(`kinds.${kind}`, rate, 'correct it');
    if (schedule === 'list') {
      check.add('kinds', `expected none beside a list, got ${shown(kinds)} - the list has every rate`);
    }
  }
  const selection = select === null ? null : selectionProblem(select);
  if (selection !== null) check.add('select', selection);
  for (const [end, value] of Object.entries(protect ?? {})) {
    if (Number.isSafeInteger(value) && value >= 0) continue;
    check.add(`protect.${end}`, `expected a whole number of layers, got ${shown(value)} - count from the ${end}`);
  }
}

function checkTogether(check: FieldCheck, policy: Unchecked): void {
  const { unit, execution, rows, count, scale, ranks, budget, time } = policy;
  const clash = (field: string, expected: string, advice: string): unknown =>
    check.add(field, `expected ${expected}, got ${shown(policy[field as keyof Policy])} - ${advice}`);
  if (unit === 'block') {
    if (execution === 'subset') clash('execution', 'gate, mask or auto for unit block', "or drop rows: unit: 'row'");
    if (rows !== null) clash('rows', 'nothing for unit block', "leave it out, or write unit: 'row'");
    if (count !== null) clash('count', 'nothing for unit block', "leave it out, or write unit: 'row'");
    if (scale === 'realised') clash('scale', 'inverted, paper or none for unit block', 'a kept block keeps every row');
    if (ranks === 'sample')
      clash('ranks', 'shared or independent for unit block', 'a block is dropped for all samples');
  } else if (unit === 'row') {
    if (execution === 'gate') clash('execution', 'subset, mask or auto for unit row', "or drop blocks: unit: 'block'");
    if (ranks === 'sample' && rows !== 'independent')
      clash('rows', "independent for ranks 'sample'", 'each sample decides alone');
    if (count === 'dinov2' && rows !== 'independent' && scale === 'inverted') {
      clash('scale', 'realised, paper or none beside count dinov2', 'it keeps one row even at rate 1');
    }
    if (rows === 'independent' && count !== null) clash('count', 'nothing for independent rows', 'leave it out');
  }
  if (budget === null) return;
  if (!(Number.isSafeInteger(budget) && budget >= 0)) {
    clash('budget', 'a whole number of sites, or null', 'count the sites to drop in each step');
  } else if (unit !== 'block') clash('budget', 'null for unit row', 'rows are counted by `rows`');
  else if (time?.kind !== 'constant') clash('budget', 'null beside a schedule over time', 'keep one of the two');
}

/** @throws ShallowsError where a value is not one that `Policy` made */
export function requirePolicy(fn: string, policy: Policy): void {
  if (typeof policy === 'object' && policy !== null && Object.isFrozen(policy) && 'execution' in policy) return;
  throw new ShallowsError(`${fn}: expected a policy, got ${shown(policy)} - make it with Policy({ drop: … })`);
}
