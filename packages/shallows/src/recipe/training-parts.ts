import type { BatchSource } from '../data/index.js';
import {
  Adam,
  AdamW,
  constantSchedule,
  cosineSchedule,
  exponentialSchedule,
  LAMB,
  type LearningRateSchedule,
  type Module,
  multiStepSchedule,
  type Optimizer,
  oneCycleSchedule,
  plateauSchedule,
  polynomialSchedule,
  RMSprop,
  SGD,
  warmupSchedule,
  weightDecayGroups,
} from '../nn/index.js';
import { type Timeline, timeToBatches } from '../time/index.js';
import {
  type Algorithm,
  cutMix,
  earlyStopping,
  ema,
  gradientClipping,
  labelSmoothing,
  mixUp,
  mixupOrCutmix,
  progressiveResizing,
  swa,
} from '../train/index.js';
import type { Recipe } from './schema.js';

/** The optimizer of a recipe over the parameters of a model. */
export function buildOptimizer({ optimizer }: Pick<Recipe, 'optimizer'>, model: Module): Optimizer {
  const { weightDecay, exempt } = optimizer;
  const params = exempt === 'none' ? model.parameters() : weightDecayGroups(model, { weightDecay, exempt });
  switch (optimizer.kind) {
    case 'sgd': {
      const { lr, momentum, nesterov } = optimizer;
      return new SGD(params, { lr, momentum, nesterov, weightDecay });
    }
    case 'adam':
    case 'adamw': {
      const { lr, betas, eps, amsgrad } = optimizer;
      const options = { lr, betas, eps, amsgrad, weightDecay };
      return optimizer.kind === 'adam' ? new Adam(params, options) : new AdamW(params, options);
    }
    case 'rmsprop': {
      const { lr, alpha, eps, momentum, centered } = optimizer;
      return new RMSprop(params, { lr, alpha, eps, momentum, centered, weightDecay });
    }
    case 'lamb': {
      const { lr, betas, eps } = optimizer;
      return new LAMB(params, { lr, betas, eps, weightDecay });
    }
  }
}

/** The factor on the learning rate at each step of a run of `timeline.duration` batches. */
export function buildSchedule(
  { schedule }: Pick<Recipe, 'schedule'>,
  timeline: Timeline & { readonly duration: number },
): LearningRateSchedule {
  const { duration, batchesPerEpoch } = timeline;
  // A warmup in other units than the duration may turn out as long as the run.
  const warmup = 'warmup' in schedule ? Math.min(timeToBatches(schedule.warmup, timeline), duration - 1) : 0;
  const warmed = (next: LearningRateSchedule): LearningRateSchedule =>
    warmup === 0 ? next : warmupSchedule({ steps: warmup, next });
  switch (schedule.kind) {
    case 'constant':
      return warmed(constantSchedule());
    case 'multi-step': {
      // Milestones count from the start of the run, schedules behind a warmup from its end.
      const milestones = schedule.milestones.map((each) => Math.max(0, timeToBatches(each, timeline) - warmup));
      return warmed(multiStepSchedule({ milestones, gamma: schedule.gamma }));
    }
    case 'cosine':
      return warmed(cosineSchedule({ steps: duration - warmup, final: schedule.final }));
    case 'polynomial':
      return warmed(polynomialSchedule({ steps: duration - warmup, final: schedule.final, power: schedule.power }));
    case 'exponential':
      return warmed(exponentialSchedule({ gamma: schedule.gamma ** (1 / batchesPerEpoch) }));
    case 'one-cycle':
      return oneCycleSchedule({ steps: duration, peak: schedule.peak });
    case 'plateau': {
      const { gamma, patience, metric } = schedule;
      return plateauSchedule({ gamma, patience, mode: metric === 'accuracy' || metric === 'r2' ? 'max' : 'min' });
    }
  }
}

/** The algorithms of a recipe, in its order. */
export function buildAlgorithms(
  { algorithms }: Pick<Recipe, 'algorithms'>,
  source: (epoch: number) => BatchSource,
): readonly Algorithm[] {
  return algorithms.map((each) => buildAlgorithm(each, source));
}

function buildAlgorithm(each: Recipe['algorithms'][number], source: (epoch: number) => BatchSource): Algorithm {
  switch (each.kind) {
    case 'label-smoothing':
      return labelSmoothing({ smoothing: each.smoothing });
    case 'mixup':
      return mixUp({ alpha: each.alpha, prob: each.prob });
    case 'cutmix':
      return cutMix({ alpha: each.alpha, prob: each.prob });
    case 'mixup-or-cutmix': {
      const { kind: _, ...options } = each;
      return mixupOrCutmix(options);
    }
    case 'progressive-resizing': {
      const { kind: _, ...options } = each;
      return progressiveResizing(options);
    }
    case 'ema': {
      const { kind: _, ...options } = each;
      return ema(options);
    }
    case 'swa': {
      const { kind: _, ...options } = each;
      return swa({ ...options, source });
    }
    case 'early-stopping': {
      const { kind: _, ...options } = each;
      return earlyStopping(options);
    }
    case 'gradient-clipping': {
      const { kind: _, ...options } = each;
      return gradientClipping(options);
    }
  }
}
