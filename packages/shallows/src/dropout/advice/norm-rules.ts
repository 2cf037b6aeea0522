import type { PlacementInput, PlacementRule } from './advise-placement.js';
import { round, some, verb } from './words.js';

const li =
  'Li et al., "Understanding the disharmony between dropout and batch normalization by variance shift", CVPR 2019, https://arxiv.org/abs/1801.05134';

/** Ratios of variances outside of which batch norm is off in evaluation. */
const bounds = [0.8, 1.25] as const;

/** Advice on batch norm behind dropout. */
export const normRules: Readonly<Record<string, PlacementRule>> = {
  'variance-shift': ({ inventory: { shifts } }) => {
    const shifted = shifts.filter(({ ratio }) => ratio !== null && (ratio < bounds[0] || ratio > bounds[1]));
    if (shifted.length === 0) return null;
    const ratios = shifted.slice(0, 3).map(({ path, ratio }) => `${path} (${round(ratio ?? 1)})`);
    const more = shifted.length > 3 ? ` and ${shifted.length - 3} more` : '';
    return {
      severity: 'warning',
      message: `The running variance of ${ratios.join(', ')}${more} is not that of its input in evaluation: the ratio is outside of ${bounds.join(' to ')}. Move dropout behind the last batch norm, lower its rate, or let batch norm see the training data once more without dropout.`,
      source: li,
    };
  },

  'before-batch-norm': ({ inventory: { shifts }, dropouts }) => {
    const names = beforeNorm(dropouts);
    if (names.length === 0) return null;
    const measured = shifts.flatMap(({ ratio }) => (ratio === null ? [] : [ratio]));
    const range =
      measured.length === 0
        ? 'With a batch of real data and trained weights the shift can be measured'
        : `The measured ratios of variances are ${round(Math.min(...measured))} to ${round(Math.max(...measured))}`;
    return {
      severity: 'warning',
      message: `${some(names)} ${verb(names, 'drops', 'drop')} before batch norm (${some(shifts.map(({ path }) => path))}): it learns a variance in training that evaluation does not have. ${range}. Put dropout behind the last batch norm, or use group or layer norm.`,
      source: li,
    };
  },

  'small-batch': ({ dropouts, batchSize }) => {
    const names = beforeNorm(dropouts);
    if (names.length === 0 || batchSize === null || batchSize >= 32) return null;
    return {
      severity: 'warning',
      message: `Batches of ${batchSize} rows are few for batch norm behind ${some(names)}: its statistics then vary with the masks. Use 32 rows or more, or group norm.`,
      source:
        'Wu and He, "Group normalization", ECCV 2018, https://arxiv.org/abs/1803.08494: the error of batch norm rises as batches fall below 32',
    };
  },
};

function beforeNorm(dropouts: PlacementInput['dropouts']): readonly string[] {
  return dropouts.filter(({ batchNorms }) => batchNorms.length > 0).map(({ name }) => name);
}
