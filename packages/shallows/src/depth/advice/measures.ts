import type { Regularizers } from './advice.js';

/**
 * What counts as one full measure of each regularizer: common values of published recipes. `depth` is the mean drop rate of
 * the paper, linear to 0.5.
 */
export const fullMeasures: Readonly<Record<keyof Regularizers | 'depth', number>> = Object.freeze({
  depth: 0.25,
  dropout: 0.2,
  attentionDropout: 0.2,
  labelSmoothing: 0.1,
  mixup: 0.8,
  cutmix: 1,
});

/** Each regularizer as a sentence names it. */
export const regularizerWords: Readonly<Record<keyof Regularizers | 'depth', string>> = Object.freeze({
  depth: 'stochastic depth',
  dropout: 'dropout',
  attentionDropout: 'attention dropout',
  labelSmoothing: 'label smoothing',
  mixup: 'mixup',
  cutmix: 'cutmix',
});
