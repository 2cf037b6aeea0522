import { compensatedSum } from '../profile/compensated-sum.js';
import type { AdviceRule, Regularizers } from './advice.js';
import { fullMeasures, regularizerWords } from './measures.js';
import { round } from './rates.js';

const liu = 'Liu et al., "Dropout reduces underfitting", ICML 2023';

/** Advice on how dropping fits the rest of the training. */
export const trainingRules: Readonly<Record<string, AdviceRule>> = {
  'strong-regularizers': ({ mean, regularizers, epochs }) => {
    const others = Object.entries(regularizers)
      .map(([name, value]): [string, number] => [name, (value ?? 0) / fullMeasures[name as keyof Regularizers]])
      .filter(([, measure]) => measure > 0);
    const total = compensatedSum([mean / fullMeasures.depth, ...others.map(([, measure]) => measure)]);
    const few = epochs !== null && epochs < 100;
    if (mean === 0 || others.length === 0 || total <= (few ? 2.5 : 3.5)) return null;
    const names = others.map(
      ([name]) => `${regularizerWords[name as keyof Regularizers]} ${regularizers[name as keyof Regularizers]}`,
    );
    return {
      severity: 'warning',
      message: `A mean drop rate of ${round(mean)} beside ${names.join(', ')} is ${total.toFixed(1)} times a full measure of one regularizer${few ? `, for ${round(epochs)} epochs` : ''}. If training accuracy is low too, weaken one of them.`,
      source: 'MosaicML Composer, method card "Stochastic Depth (Block)": several regularizers can degrade accuracy',
    };
  },

  'short-training': ({ mean, epochs, policy }) =>
    epochs === null || epochs >= 50 || mean < 0.15 || policy.time.kind === 'early' || policy.time.kind === 'decay'
      ? null
      : {
          severity: 'note',
          message: `${round(epochs)} epoch${epochs === 1 ? ' is' : 's are'} few for a mean drop rate of ${round(mean)}: a block gets ${Math.round(100 * (1 - mean))} % of its updates. A network that still underfits gains from dropping early alone: time: { kind: 'early', length: '${round(epochs / 6)}ep' }.`,
          source: `${liu}: ViT-T reaches 72.6 % with it throughout, 73.9 % without, 74.4 % with it early; the paper of stochastic depth trains for 500 epochs`,
        },

  'paper-scale-over-time': ({ policy }) =>
    policy.scale !== 'paper' || policy.time.kind === 'constant'
      ? null
      : {
          severity: 'note',
          message: `Under scale 'paper' evaluation counts a branch 1 − rate times, and the rate changes over time ('${policy.time.kind}'): an evaluation belongs to one moment. Use scale 'inverted', or setEvaluation before each evaluation.`,
          source: 'the definition of both; the trainer sets it at each evaluation',
        },

  unscaled: ({ policy, mean }) =>
    policy.scale !== 'none' || mean <= 0.1
      ? null
      : {
          severity: 'note',
          message: `Scale 'none' leaves the network in evaluation ${round(1 / (1 - mean))} times as strong in its branches as in training. Use 'inverted' unless a normalisation follows the sum, or layers are pruned afterwards.`,
          source: 'E[branch] = (1 − rate) · branch in training, branch in evaluation',
        },

  'ranks-wait': ({ policy, ranks, mean }) =>
    ranks < 2 || policy.ranks === 'shared' || policy.unit !== 'block' || policy.budget !== null || mean === 0
      ? null
      : {
          severity: 'note',
          message: `Each of ${ranks} ranks drops other blocks, and all wait for the one that drops fewest. Use ranks 'shared', or a budget, where time matters more than the last bit of accuracy.`,
          source: 'MosaicML Composer, method card "Stochastic Depth (Block)": more accuracy, less throughput',
        },
};
