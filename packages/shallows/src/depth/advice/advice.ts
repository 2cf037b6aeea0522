import { type Policy, requirePolicy } from '../policy/policy.js';
import type { RatedSite } from '../policy/rate-sites.js';
import { compensatedSum } from '../profile/compensated-sum.js';
import { rateRules } from './rates.js';
import { rowRules } from './rows.js';
import { trainingRules } from './training.js';

/** A hint about a policy: frozen plain data. */
export interface Advice {
  /** Stable, for programs: `few-blocks`. */
  readonly code: string;
  /** `warning`: likely a mistake or a loss. `note`: worth knowing. */
  readonly severity: 'warning' | 'note';
  /** What is the case, and what to do about it. */
  readonly message: string;
  /** The paper, system or measurement that it rests on. */
  readonly source: string;
}

/** What else holds a network back, by the usual parameters of each. */
export interface Regularizers {
  /** Rate. */
  readonly dropout?: number | undefined;
  /** Rate on attention weights. */
  readonly attentionDropout?: number | undefined;
  /** Share of the target that is spread over all classes. */
  readonly labelSmoothing?: number | undefined;
  /** α of the Beta distribution. */
  readonly mixup?: number | undefined;
  /** α of the Beta distribution. */
  readonly cutmix?: number | undefined;
}

/** What advice is given about: the more is known, the more can be said. */
export interface AdviceOptions {
  /** The rated sites, from `applyPolicy`. */
  readonly sites: readonly RatedSite[];
  readonly policy: Policy;
  /** Learnt elements of the model. */
  readonly parameters: number;
  /** The model's name in `createModel`, such as `convnext`: for published rates of its kind. */
  readonly family?: string | null;
  readonly regularizers?: Regularizers;
  readonly epochs?: number | null;
  /** Rows of a batch on one rank. */
  readonly batchSize?: number | null;
  /** Whether the branches have batch norm. */
  readonly batchNorm?: boolean;
  /** Names of the sites whose shortcut has weights. */
  readonly projected?: readonly string[];
  /** Data-parallel ranks. */
  readonly ranks?: number;
}

/** @internal What the rules read: the options with their defaults, and what follows from the rates. */
export interface AdviceFacts extends Required<AdviceOptions> {
  /** Layers that can be dropped. */
  readonly layers: number;
  /** The largest, the mean, and the first layer's rate. */
  readonly top: number;
  readonly mean: number;
  readonly first: number;
}

/** @internal One piece of advice, or `null` where it does not apply. */
export type AdviceRule = (facts: AdviceFacts) => Omit<Advice, 'code'> | null;

const rules: Readonly<Record<string, AdviceRule>> = { ...rateRules, ...rowRules, ...trainingRules };

/** The code of every advice there is. */
export const adviceCodes: readonly string[] = Object.freeze(Object.keys(rules));

/**
 * What experience says about a policy on a model: warnings first, each with its source. Nothing is measured or changed, and an
 * empty list is no promise.
 *
 * Thresholds between published points are this library's own; messages name the points.
 */
export function advise(options: AdviceOptions): readonly Advice[] {
  requirePolicy('advise', options.policy);
  const facts = factsOf(options);
  const found = Object.entries(rules).flatMap(([code, rule]) => {
    const advice = rule(facts);
    return advice === null ? [] : [Object.freeze({ code, ...advice })];
  });
  const rank = ({ severity }: Advice): number => (severity === 'warning' ? 0 : 1);
  return Object.freeze(found.toSorted((a, b) => rank(a) - rank(b)));
}

function factsOf(options: AdviceOptions): AdviceFacts {
  const { sites } = options;
  const drops = sites.map(({ drop }) => drop);
  const firstLayer = Math.min(...sites.map(({ layer }) => layer));
  const inFirst = sites.filter(({ layer }) => layer === firstLayer).map(({ drop }) => drop);
  return {
    family: null,
    regularizers: {},
    epochs: null,
    batchSize: null,
    batchNorm: false,
    projected: [],
    ranks: 1,
    ...options,
    layers: new Set(sites.map(({ layer }) => layer)).size,
    top: Math.max(0, ...drops),
    mean: drops.length === 0 ? 0 : compensatedSum(drops) / drops.length,
    first: Math.max(0, ...inFirst),
  };
}
