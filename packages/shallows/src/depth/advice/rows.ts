import { keptCount } from '../plan/rows.js';
import type { AdviceRule } from './advice.js';
import { round, some } from './rates.js';

/** Advice on what is computed, and for which rows. */
export const rowRules: Readonly<Record<string, AdviceRule>> = {
  'mask-saves-nothing': ({ policy, top }) =>
    policy.execution !== 'mask' || top === 0
      ? null
      : {
          severity: 'warning',
          message: `Execution 'mask' computes every branch and then leaves it out: it regularises but saves nothing. Use '${policy.unit === 'row' ? 'subset' : 'gate'}' or 'auto' unless you compare with a system that masks.`,
          source: 'MosaicML Composer, method card "Stochastic Depth (Sample)": 5 % more wall-clock time',
        },

  'small-subsets': ({ policy, sites }) => {
    const small = sites.filter(({ drop }) => drop > 0 && drop <= 0.1);
    if (policy.unit !== 'row' || policy.execution !== 'subset' || small.length === 0) return null;
    return {
      severity: 'note',
      message: `${small.length} of ${sites.length} sites drop a tenth of the rows or less, where gathering rows may cost what it saves. Use execution 'auto', which measures both.`,
      source: "DINOv2's block.py takes subsets only above a rate of 0.1",
    };
  },

  'batch-norm-few-rows': ({ policy, batchNorm, batchSize, sites }) => {
    if (!batchNorm || policy.unit !== 'row' || policy.execution === 'mask' || batchSize === null) return null;
    const fewest = Math.min(...sites.filter(({ drop }) => drop < 1).map(({ drop }) => batchSize * (1 - drop)));
    if (!(fewest < 16) || !sites.some(({ drop }) => drop > 0)) return null;
    return {
      severity: fewest < 8 ? 'warning' : 'note',
      message: `Batch norm in the deepest branch sees ${round(fewest)} of ${batchSize} rows, too few for its statistics. Raise the batch size, drop blocks instead of rows, or use execution 'mask'.`,
      source: 'Wu and He, "Group normalization", ECCV 2018: batch norm loses accuracy below 16 rows',
    };
  },

  'rows-round': ({ policy, batchSize, sites }) => {
    if (policy.unit !== 'row' || policy.count === null || batchSize === null) return null;
    if (policy.count === 'dinov2') {
      const wrong = sites.filter(({ drop }) => {
        const real = 1 - keptCount('dinov2', batchSize, drop, 0) / batchSize;
        return drop > 0 && Math.abs(real - drop) > 0.2 * drop;
      });
      const [worst] = wrong.toSorted((a, b) => a.drop - b.drop);
      if (worst === undefined) return null;
      const real = 1 - keptCount('dinov2', batchSize, worst.drop, 0) / batchSize;
      return {
        severity: 'warning',
        message: `Whole rows of ${batchSize} do not make the rates of ${some(wrong.map(({ name }) => name))}: ${worst.name} drops ${round(real)} where ${round(worst.drop)} is asked for. Use count 'unbiased', or a larger batch.`,
        source: "the rule of DINOv2's block.py, max(⌊b·(1 − rate)⌋, 1) rows",
      };
    }
    const less = sites.filter(({ drop }) => drop > 0 && batchSize * drop < 1);
    if (less.length === 0) return null;
    return {
      severity: 'note',
      message: `${some(less.map(({ name }) => name))}: less than one row of ${batchSize} is dropped, so most steps drop none. The rate holds in the mean, but saves next to nothing: protect the first layers.`,
      source: 'the count of rows, ⌊b·(1 − rate)⌋ or one more',
    };
  },

  'projected-shortcuts': ({ projected, sites }) => {
    const paying = sites.filter(({ name, drop }) => drop > 0 && projected.includes(name));
    if (paying.length === 0) return null;
    return {
      severity: 'note',
      message: `${some(paying.map(({ name }) => name))} ${paying.length === 1 ? 'projects its shortcut' : 'project their shortcuts'}, which runs in every step: dropping saves less there. A list of rates, or select, can leave ${paying.length === 1 ? 'it' : 'them'} out.`,
      source: 'residual(): a shortcut always runs. The paper uses shortcuts without weights',
    };
  },
};
