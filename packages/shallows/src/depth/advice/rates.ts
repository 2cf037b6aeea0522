import { depthProfile } from '../profile/profile.js';
import type { AdviceRule } from './advice.js';
import { type UsualRate, usualRateOf } from './usual.js';

const huang = 'Huang et al., "Deep networks with stochastic depth", ECCV 2016';
const composer = 'MosaicML Composer, method card "Stochastic Depth (Block)"';

/** Advice on the rates themselves. */
export const rateRules: Readonly<Record<string, AdviceRule>> = {
  'nothing-dropped': ({ top, policy }) =>
    top > 0 || policy.budget === 0
      ? null
      : {
          severity: 'warning',
          message: 'Every rate is 0: this trains the plain network. Raise drop, or leave the policy out.',
          source: 'the rates',
        },

  'budget-zero': ({ policy }) =>
    policy.budget !== 0
      ? null
      : {
          severity: 'warning',
          message: 'A budget of 0 drops no block in any step, whatever the rates. Write how many blocks a step drops.',
          source: 'the rates',
        },

  'never-trained': ({ sites }) => {
    const lost = sites.filter(({ drop }) => drop >= 1).map(({ name }) => name);
    if (lost.length === 0) return null;
    return {
      severity: 'warning',
      message: `${some(lost)} never ${lost.length === 1 ? 'runs' : 'run'} in training and ${lost.length === 1 ? 'keeps its' : 'keep their'} initial weights, but ${lost.length === 1 ? 'counts' : 'count'} in evaluation under every scale but paper. Stay below 1.`,
      source: 'measured: at rate 1 no parameter of the branch gets a gradient',
    };
  },

  'few-blocks': ({ layers, top }) => {
    if (top === 0 || layers >= 12 || (layers >= 8 && top <= 0.25)) return null;
    const few = layers < 8;
    return {
      severity: few ? 'warning' : 'note',
      message: `A network of ${layers} block${layers === 1 ? '' : 's'} has little depth to spare${few ? '' : ` for a rate of ${round(top)}`}. Start from 0.1, and compare with a run without dropping.`,
      source: composer,
    };
  },

  'single-block': ({ layers, policy, top }) =>
    layers !== 1 || policy.schedule === 'list' || top === 0
      ? null
      : {
          severity: 'note',
          message: `With one block the schedule '${policy.schedule}' gives it the whole rate ${round(top)}; other systems give a single block 0, or divide by 0. Make sure that it is meant.`,
          source: 'timm and NeMo give 0; torchvision raises ZeroDivisionError',
        },

  'first-blocks': ({ first, layers, top }) =>
    layers < 2 || first <= Math.max(0.25, 0.6 * top)
      ? null
      : {
          severity: 'warning',
          message: `The first block is dropped at ${round(first)}. All later blocks build on what the first ones find: use schedule 'linear', or a uniform rate of 0.2 at most.`,
          source: `${huang}: uniform rates do well only near 0.2, linear ones from 0.2 to 0.6`,
        },

  'deep-rate': ({ top, layers }) =>
    layers < 2 || top <= 0.6
      ? null
      : {
          severity: top >= 0.8 ? 'warning' : 'note',
          message: `A top rate of ${round(top)} is above what helped in any published sweep. From 0.6 on, what is won is time, not accuracy.`,
          source: `${huang}: at a top rate of 0.8 the error is back at that of constant depth`,
        },

  'above-usual': ({ family, parameters, top }) => {
    const found = family === null ? null : usualRateOf(family, parameters);
    if (found === null || top <= Math.max(1.5 * found.usual.drop, found.usual.drop + 0.1) + 1e-9) return null;
    const { usual, source } = found;
    return {
      severity: top > 2.5 * usual.drop ? 'warning' : 'note',
      message: `The top rate ${round(top)} is above the ${usual.drop} of ${usual.name}, ${nearest(usual, parameters)}. Try ${usual.drop} too.`,
      source,
    };
  },

  'below-usual': ({ family, parameters, top }) => {
    const found = family === null || top === 0 ? null : usualRateOf(family, parameters);
    // A network far smaller than any published one has no rate to fall short of.
    if (found === null || top >= 0.5 * found.usual.drop || parameters < (found.usual.parameters ?? 0) / 3) return null;
    const { usual, source } = found;
    return {
      severity: 'note',
      message: `The top rate ${round(top)} is below half of the ${usual.drop} of ${usual.name}, ${nearest(usual, parameters)}. If training accuracy is far above validation accuracy, there is room to raise it.`,
      source,
    };
  },

  'no-block-left': ({ sites, policy, batchSize, top }) => {
    if (top === 0 || top === 1 || policy.budget !== null || (policy.unit === 'row' && batchSize === null)) return null;
    const none = depthProfile(sites, { policy, rows: batchSize }).distribution[0] ?? 0;
    if (none < 1e-3) return null;
    const what = policy.unit === 'row' ? 'samples' : 'steps';
    return {
      severity: 'note',
      message: `No block at all runs for ${(100 * none).toPrecision(2)} % of the ${what}. Protect the first layer, or set a budget.`,
      source: 'the exact distribution of the number of active blocks',
    };
  },
};

/** Names, the first few of them. */
export function some(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(', ');
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}

/** A rate without its last roundings. */
export function round(rate: number): string {
  return String(Number(rate.toPrecision(3)));
}

function nearest({ parameters: published }: UsualRate, parameters: number): string {
  if (published === null) return 'the published rate for networks of this kind';
  return `the nearest published network in size (${millions(published)} parameters, this one ${millions(parameters)})`;
}

function millions(parameters: number): string {
  return `${Number((parameters / 1e6).toPrecision(3))} M`;
}
