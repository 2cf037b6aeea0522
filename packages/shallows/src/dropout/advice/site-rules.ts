import type { StochasticSite } from '../inventory/index.js';
import type { PlacementRule } from './advise-placement.js';
import { round, some, verb } from './words.js';

const srivastava =
  'Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 2014, https://jmlr.org/papers/v15/srivastava14a.html';
const alpha = ['alpha-dropout', 'feature-alpha-dropout'];
const named = (sites: readonly StochasticSite[]): readonly string[] => sites.map(({ name }) => name);

/** Attention weights are dropped behind their softmax; how many there are is no width of a layer. */
const onWeights = ({ layer, granularity }: StochasticSite): boolean =>
  granularity === 'weight' || layer?.endsWith('softmax') === true;

/** Advice on single sites and pairs of them. */
export const siteRules: Readonly<Record<string, PlacementRule>> = {
  'before-softmax': ({ dropouts }) => {
    const found = named(dropouts.filter(({ ends }) => ends === 'softmax'));
    if (found.length === 0) return null;
    return {
      severity: 'warning',
      message: `${some(found)} ${verb(found, 'drops', 'drop')} the inputs of a softmax: a score of 0 is no missing score, so probabilities are wrong in training. Drop before the layer that makes the scores, or the weights behind the softmax.`,
      source: `${srivastava}: units of hidden layers and inputs are dropped, never outputs`,
    };
  },

  'on-output': ({ dropouts }) => {
    const found = named(dropouts.filter(({ ends }) => ends === 'output'));
    if (found.length === 0) return null;
    return {
      severity: 'warning',
      message: `${some(found)} ${verb(found, 'drops', 'drop')} what the model gives: the loss then asks of some outputs to be 0. Drop before the last layer.`,
      source: `${srivastava}: units of hidden layers and inputs are dropped, never outputs`,
    };
  },

  'selu-dropout': ({ dropouts }) => {
    const found = named(dropouts.filter(({ activation, kind }) => activation === 'selu' && !alpha.includes(kind)));
    if (found.length === 0) return null;
    return {
      severity: 'warning',
      message: `${some(found)} ${verb(found, 'follows', 'follow')} a SELU but ${verb(found, 'is', 'are')} no AlphaDropout: mean 0 and variance 1, which SELU is made to keep, are lost. Use AlphaDropout.`,
      source: 'Klambauer et al., "Self-normalizing neural networks", NeurIPS 2017, https://arxiv.org/abs/1706.02515',
    };
  },

  'doubled-up': ({ dropouts }) => {
    const found = dropouts.filter(({ doubles }) => doubles.length > 0);
    if (found.length === 0) return null;
    const pairs = found.map(({ name, doubles }) => `${name} after ${doubles.join(', ')}`);
    return {
      severity: 'warning',
      message: `${some(pairs)}: no layer stands between, so the two act as one of a higher rate, 1 − (1 − p)(1 − q). Keep one.`,
      source: 'the product of two independent masks',
    };
  },

  'depth-and-dropout': ({ inventory: { sites }, dropouts }) => {
    const depthRates = new Map(sites.filter(({ kind }) => kind === 'depth').map(({ name, rate }) => [name, rate]));
    const found = dropouts.filter(({ within, rate }) => {
      const kept = within.reduce((product, name) => product * (1 - (depthRates.get(name) ?? 0)), 1);
      return kept < 1 && 1 - kept * (1 - rate) > 0.5;
    });
    if (found.length === 0) return null;
    return {
      severity: 'note',
      message: `${some(named(found))} ${verb(found, 'drops', 'drop')} units within branches that stochastic depth drops too: together more than half of what the branch gives. If training accuracy is low, lower one of the two.`,
      source:
        'MosaicML Composer, method card "Stochastic Depth (Block)": several regularizers can degrade accuracy; the threshold is this library’s',
    };
  },

  'high-rate': ({ dropouts }) => {
    const found = dropouts.filter(({ rate }) => rate > 0.5 && rate < 1);
    if (found.length === 0) return null;
    const top = Math.max(...found.map(({ rate }) => rate));
    return {
      severity: top >= 0.8 ? 'warning' : 'note',
      message: `${some(named(found))} ${verb(found, 'drops', 'drop')} up to ${round(top)}, more than half: the noise of training grows as p / (1 − p), ${round(top / (1 - top))} here. Start from 0.5 or less in hidden layers.`,
      source: `${srivastava}: with layers of one size the error is flat for rates of 0.2 to 0.6 and rises above`,
    };
  },

  'few-units': ({ dropouts }) => {
    const found = dropouts.filter(
      (site) => site.features !== null && !onWeights(site) && site.features * (1 - site.rate) < 32 && site.rate < 1,
    );
    if (found.length === 0) return null;
    const least = Math.min(...found.map(({ features, rate }) => (features ?? 0) * (1 - rate)));
    return {
      severity: 'note',
      message: `${some(named(found))} ${verb(found, 'keeps', 'keep')} few units, ${round(least)} on average at the least. A narrow layer loses what it needs: lower the rate, or widen the layer to n / (1 − p) units.`,
      source: `${srivastava}, appendix A.1: a layer of n units needs n / (1 − p) with dropout; the threshold of 32 is this library’s`,
    };
  },

  'on-embeddings': ({ dropouts }) => {
    const found = named(
      dropouts.filter(({ layer, granularity }) => layer === 'embedding' && granularity === 'element'),
    );
    if (found.length === 0) return null;
    return {
      severity: 'note',
      message: `${some(found)} ${verb(found, 'drops', 'drop')} single numbers of embeddings: a word is still there by the rest of its vector. EmbeddingDropout drops whole words; of element-wise dropout keep to 0.1.`,
      source:
        'Gal and Ghahramani, "A theoretically grounded application of dropout in recurrent neural networks", NeurIPS 2016, https://arxiv.org/abs/1512.05287; 0.1 in Vaswani et al. 2017',
    };
  },
};
