import type { Augmentation } from '../../../data/index.js';
import type { Regularizers } from '../../../depth/index.js';
import type { JsonObject, JsonValue } from '../../../nn/index.js';

/** All that holds a network back in a run, by the usual parameters of each. What is left out is not used. */
export interface RunRegularizers extends Regularizers {
  /** Mean drop rate over the sites of the depth policy. */
  readonly depth?: number | undefined;
  /** Share of the batches that MixUp mixes; 1 unless given. */
  readonly mixupShare?: number | undefined;
  /** Share of the batches that CutMix mixes; 1 unless given. */
  readonly cutmixShare?: number | undefined;
  /** λ of the optimizer's first group. */
  readonly weightDecay?: number | undefined;
  readonly augmentation?: Augmentation | undefined;
  /** Half-life of the average of weights, as a share of the run. */
  readonly ema?: number | undefined;
  readonly swa?: boolean | undefined;
  readonly earlyStopping?: boolean | undefined;
}

/** An algorithm as events and records tell of it. */
export interface UsedAlgorithm {
  readonly name: string;
  readonly options?: JsonObject;
}

/**
 * The regularizers among the algorithms of a run, by their names and options.
 *
 * @param halflifeShare the share of the run that a half-life such as `1000ba` is
 */
export function regularizersOf(
  algorithms: readonly UsedAlgorithm[],
  halflifeShare: (halflife: string) => number = () => 0,
): RunRegularizers {
  return Object.assign({}, ...algorithms.map(({ name, options = {} }) => readers[name]?.(options, halflifeShare)));
}

type Reader = (options: JsonObject, halflifeShare: (halflife: string) => number) => RunRegularizers;

const readers: Readonly<Record<string, Reader>> = {
  'label-smoothing': ({ smoothing }) => ({ labelSmoothing: number(smoothing) }),
  mixup: ({ alpha, prob }) => ({ mixup: number(alpha), mixupShare: number(prob) }),
  cutmix: ({ alpha, prob }) => ({ cutmix: number(alpha), cutmixShare: number(prob) }),
  'mixup-or-cutmix': ({ mixup, cutmix, prob, switchProb }) => ({
    mixup: number(mixup),
    mixupShare: number(prob) * (1 - number(switchProb)),
    cutmix: number(cutmix),
    cutmixShare: number(prob) * number(switchProb),
  }),
  ema: ({ halflife }, share) => ({ ema: typeof halflife === 'string' ? share(halflife) : 0 }),
  swa: () => ({ swa: true }),
  'early-stopping': () => ({ earlyStopping: true }),
};

function number(value: JsonValue | undefined): number {
  return typeof value === 'number' ? value : 0;
}
