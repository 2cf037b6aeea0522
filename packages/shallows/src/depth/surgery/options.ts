import type { Tensor } from '@shallows/torch';
import { shown } from '../../errors.js';
import type { Pass } from '../../nn/pass.js';
import type { Time } from '../../time/index.js';
import { PolicyError, type PolicyProblem } from '../policy/error.js';
import { Policy, type PolicyOptions, policyWords } from '../policy/policy.js';
import type { DepthSchedule } from '../policy/schedule.js';

/**
 * Options of `applyStochasticDepth`: Composer's words, and every field of a {@link Policy} under its own name.
 */
export interface StochasticDepthOptions extends PolicyOptions {
  /**
   * Which branches are dropped: the name of a block class (`Bottleneck`), a site's kind (`attention`), or a path (`layer3.*`,
   * `blocks.11`), which means all below it; several in a list. All by default. The others have rate 0, and the schedule over
   * depth does not count them.
   */
  readonly target?: string | readonly string[] | undefined;
  /** `block` drops whole blocks (the default), `sample` rows of the batch: the policy's `unit` block or row. */
  readonly method?: 'block' | 'sample' | undefined;
  /** The policy's `drop`, the top rate: 0.2 unless given. */
  readonly dropRate?: number | undefined;
  /** The policy's `schedule`, how the rate runs over depth: `linear` unless given. */
  readonly dropDistribution?: DepthSchedule | undefined;
  /** How long the rates rise from 0, in any unit: `0.1dur`, `10ep`, `500ba`. The policy's `time` of kind warmup. */
  readonly dropWarmup?: string | Time | undefined;
  /** Whether all ranks drop the same (the default): the policy's `ranks` shared or independent. */
  readonly sameSeedOnAllRanks?: boolean | undefined;
  /**
   * An input of the model, or a function that runs it with a pass. One evaluation of it puts sites in the order in which they
   * run, and checks that adapted blocks give what they gave before.
   */
  readonly example?: Tensor | ((pass: Pass) => unknown) | undefined;
}

const aliases = Object.freeze({
  dropRate: 'drop',
  method: 'unit',
  dropDistribution: 'schedule',
  dropWarmup: 'time',
  sameSeedOnAllRanks: 'ranks',
} as const);

const policyFields = ['drop', 'kinds', 'rates', 'select', 'protect', 'time', 'budget', ...Object.keys(policyWords)];
const known = ['target', 'example', ...Object.keys(aliases), ...policyFields];

/**
 * @internal The policy that the options ask for.
 *
 * @throws PolicyError naming every wrong option by the name under which it was given
 */
export function policyOf(options: StochasticDepthOptions): Policy {
  const {
    target: _,
    example: __,
    method,
    dropRate,
    dropDistribution,
    dropWarmup,
    sameSeedOnAllRanks,
    ...given
  } = options;
  const problems: PolicyProblem[] = ownProblems(options);
  const fields: PolicyOptions = {
    ...defined(given),
    ...(method !== undefined && { unit: method === 'sample' ? 'row' : 'block' }),
    ...(dropRate !== undefined && { drop: dropRate }),
    ...(dropDistribution !== undefined && { schedule: dropDistribution }),
    ...(dropWarmup !== undefined && { time: { kind: 'warmup', length: dropWarmup } }),
    ...(sameSeedOnAllRanks !== undefined && { ranks: sameSeedOnAllRanks ? 'shared' : 'independent' }),
  };
  const rated = fields.drop !== undefined || fields.schedule === 'list' || (fields.kinds ?? null) !== null;
  try {
    const policy = Policy(onlyPolicy(rated ? fields : { ...fields, drop: 0.2 }));
    if (problems.length === 0) return policy;
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    for (const { field, message } of error.problems) problems.push({ field: givenName(field, options), message });
  }
  throw new PolicyError(problems);
}

function ownProblems(options: StochasticDepthOptions): PolicyProblem[] {
  const problems: PolicyProblem[] = [];
  for (const field of Object.keys(options)) {
    if (known.includes(field)) continue;
    problems.push({ field, message: `expected one of ${known.join(', ')} - remove or rename it` });
  }
  for (const [alias, field] of Object.entries(aliases)) {
    if (options[alias as keyof typeof aliases] === undefined || options[field] === undefined) continue;
    problems.push({ field: alias, message: `expected it or ${field}, got both - they are one field: give one` });
  }
  const { method, sameSeedOnAllRanks: same } = options;
  if (method !== undefined && method !== 'block' && method !== 'sample') {
    problems.push({
      field: 'method',
      message: `expected block or sample, got ${shown(method)} - use one of these words`,
    });
  }
  if (same !== undefined && typeof same !== 'boolean') {
    problems.push({ field: 'sameSeedOnAllRanks', message: `expected true or false, got ${shown(same)} - use one` });
  }
  return problems;
}

function defined(options: PolicyOptions): PolicyOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function onlyPolicy(options: PolicyOptions): PolicyOptions {
  return Object.fromEntries(Object.entries(options).filter(([field]) => policyFields.includes(field)));
}

/** The name under which the field of a policy was given. */
function givenName(field: string, options: StochasticDepthOptions): string {
  for (const [alias, of] of Object.entries(aliases)) {
    if (options[alias as keyof typeof aliases] !== undefined && field.split('.')[0] === of) return alias;
  }
  return field;
}
