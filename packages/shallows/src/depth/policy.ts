import { didYouMean, shown } from '../errors.js';
import { PolicyError, type PolicyProblem } from './policy-error.js';
import type { DepthSchedule } from './schedule.js';

/**
 * How branches are dropped: frozen plain data, valid as a whole (see the factory of the same name).
 */
export interface Policy {
  /** Top drop rate, in [0, 1]: the p of the schedules. For `list`, the largest rate. */
  readonly drop: number;
  /** How the rate runs over depth, see `depthSchedules`. */
  readonly schedule: DepthSchedule;
  /** One rate a site in forward order, for the schedule `list`; else `null`. */
  readonly rates: readonly number[] | null;
  /**
   * Where the expectation is corrected. `inverted`: a kept branch is divided by its keep probability in training, and
   * evaluation is the plain network. `paper`: training is plain, and evaluation multiplies the branch by it.
   */
  readonly scale: 'inverted' | 'paper';
  /** What a decision covers: `block`, the whole batch. */
  readonly unit: 'block';
  /** How a dropped branch is avoided: `gate`, it is not called. */
  readonly execution: 'gate';
  /** Whether data-parallel ranks drop the same branches (`shared`: all save the same time) or each its own. */
  readonly ranks: 'shared' | 'independent';
}

/** The fields of a policy that have no default: `drop`, or `rates` with the schedule `list`. */
export interface PolicyOptions {
  readonly drop?: number | undefined;
  readonly schedule?: DepthSchedule | undefined;
  readonly rates?: readonly number[] | null | undefined;
  readonly scale?: Policy['scale'] | undefined;
  readonly unit?: Policy['unit'] | undefined;
  readonly execution?: Policy['execution'] | undefined;
  readonly ranks?: Policy['ranks'] | undefined;
}

/** The words that each field of a policy knows. */
export const policyWords = Object.freeze({
  schedule: Object.freeze(['linear', 'linspace', 'ramp', 'uniform', 'list'] as const),
  scale: Object.freeze(['inverted', 'paper'] as const),
  unit: Object.freeze(['block'] as const),
  execution: Object.freeze(['gate'] as const),
  ranks: Object.freeze(['shared', 'independent'] as const),
});

const fields = ['drop', 'rates', ...Object.keys(policyWords)];

/**
 * A policy: `Policy({ drop: 0.5 })` is Huang et al.'s with inverted scaling.
 *
 * @throws PolicyError naming every wrong field: a rate that is NaN, infinite or outside [0, 1], an unknown word or
 *   field, an empty list, a list without its schedule or the schedule without its list
 */
export function Policy(options: PolicyOptions): Policy {
  if (typeof options !== 'object' || options === null) {
    throw new PolicyError([
      { field: 'options', message: `expected an object, got ${shown(options)} - give at least drop` },
    ]);
  }
  const problems: PolicyProblem[] = [];
  const {
    schedule = 'linear',
    rates = null,
    scale = 'inverted',
    unit = 'block',
    execution = 'gate',
    ranks = 'shared',
  } = options;
  checkWord(problems, 'schedule', schedule, policyWords.schedule);
  checkWord(problems, 'scale', scale, policyWords.scale);
  checkWord(problems, 'unit', unit, policyWords.unit);
  checkWord(problems, 'execution', execution, policyWords.execution);
  checkWord(problems, 'ranks', ranks, policyWords.ranks);
  for (const field of Object.keys(options)) {
    if (fields.includes(field)) continue;
    problems.push({
      field,
      message: `expected one of ${fields.join(', ')}${didYouMean(field, fields)} - remove or rename it`,
    });
  }
  const drop = schedule === 'list' ? checkList(problems, options) : checkDrop(problems, options);
  if (problems.length > 0) throw new PolicyError(problems);
  const list = rates === null ? null : Object.freeze([...rates]);
  return Object.freeze({ drop, schedule, rates: list, scale, unit, execution, ranks });
}

function checkWord(problems: PolicyProblem[], field: string, word: unknown, known: readonly string[]): void {
  if (typeof word === 'string' && known.includes(word)) return;
  const hint = typeof word === 'string' ? didYouMean(word, known) : '';
  problems.push({
    field,
    message: `expected ${known.join(' or ')}, got ${shown(word)}${hint} - use one of these words`,
  });
}

function isRate(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= 1;
}

function checkDrop(problems: PolicyProblem[], { drop, rates }: PolicyOptions): number {
  if (!isRate(drop)) {
    problems.push({ field: 'drop', message: `expected a rate in [0, 1], got ${shown(drop)} - give the top drop rate` });
  }
  if (rates !== undefined && rates !== null) {
    const message = `expected no list beside a formula, got ${shown(rates)} - use schedule 'list' or leave the rates out`;
    problems.push({ field: 'rates', message });
  }
  return drop ?? Number.NaN;
}

function checkList(problems: PolicyProblem[], { drop, rates }: PolicyOptions): number {
  if (!Array.isArray(rates) || rates.length === 0) {
    problems.push({
      field: 'rates',
      message: `expected one rate a site, got ${shown(rates)} - list them in forward order`,
    });
    return Number.NaN;
  }
  rates.forEach((rate: unknown, i) => {
    if (isRate(rate)) return;
    problems.push({ field: `rates[${i}]`, message: `expected a rate in [0, 1], got ${shown(rate)} - correct it` });
  });
  const largest = Math.max(...rates);
  if (drop !== undefined && drop !== largest) {
    const message = `expected nothing beside a list (its largest rate is ${largest}), got ${shown(drop)} - leave it out`;
    problems.push({ field: 'drop', message });
  }
  return largest;
}
