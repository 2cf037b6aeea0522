import type { Augmentation } from '../../../data/index.js';
import { fullMeasures, regularizerWords } from '../../../depth/index.js';
import type { RunRegularizers } from './regularizers.js';

/** One regularizer of a run. */
export interface BudgetRow {
  /** `label smoothing` */
  readonly name: string;
  /** What it is set to: `0.1`. */
  readonly setting: string;
  /** How many full measures that is. */
  readonly measures: number;
  /** What one full measure is, and of which recipe. */
  readonly full: string;
}

/** Decay that counts as a full measure, by the name of the optimizer: each scales it in its own way. */
const fullDecays: Readonly<Record<string, readonly [decay: number, source: string]>> = {
  sgd: [5e-4, 'Zagoruyko and Komodakis 2016'],
  adam: [1e-4, 'as a penalty in the gradient'],
  adamw: [0.05, 'Touvron et al. 2021'],
  rmsprop: [1e-5, 'Tan and Le 2019'],
  lamb: [0.02, 'Wightman et al. 2021'],
};

const shared: readonly (readonly [keyof typeof fullMeasures, string])[] = [
  ['depth', 'mean drop rate, of linear to 0.5 in Huang et al. 2016'],
  ['dropout', 'drop rate, of Tan and Le 2019'],
  ['attentionDropout', 'drop rate'],
  ['labelSmoothing', 'share, of Szegedy et al. 2016'],
  ['mixup', 'α in every batch, of Touvron et al. 2021'],
  ['cutmix', 'α in every batch, of Yun et al. 2019'],
];

/** A row for each regularizer of a run. */
export function budgetRows(used: RunRegularizers, optimizer: string): readonly BudgetRow[] {
  const shares: Readonly<Record<string, number | undefined>> = { mixup: used.mixupShare, cutmix: used.cutmixShare };
  const rows = shared.map(([name, full]) => {
    const [value = 0, share = 1] = [used[name], shares[name]];
    const setting = share === 1 ? short(value) : `${short(value)} in ${Math.round(100 * share)} % of the batches`;
    return row(regularizerWords[name], setting, (value / fullMeasures[name]) * share, `${fullMeasures[name]} ${full}`);
  });
  const [decay, source] = fullDecays[optimizer] ?? [5e-4, 'of SGD'];
  const { weightDecay = 0, ema, swa = false, earlyStopping = false, augmentation = {} } = used;
  return [
    ...rows,
    row('weight decay', `${short(weightDecay)} in ${optimizer}`, weightDecay / decay, `${decay}, ${source}`),
    ...augmentationRows(augmentation),
    row('average of weights', 'ema', ema === undefined ? 0 : 0.25, 'counts as a quarter'),
    row('average of weights', 'swa', swa ? 0.25 : 0, 'counts as a quarter'),
    row('early stopping', 'on', earlyStopping ? 0.5 : 0, 'counts as a half'),
  ].filter(({ measures }) => measures > 0);
}

function augmentationRows({
  randomResizedCrop,
  crop,
  flip,
  colourJitter,
  randAugment,
  randomErasing,
}: Augmentation): readonly BudgetRow[] {
  const { brightness = 0, contrast = 0, saturation = 0 } = colourJitter ?? {};
  const jitter = Math.max(brightness, contrast, saturation);
  const { magnitude = 9, bins = 31 } = randAugment ?? {};
  const { probability = 0.5 } = randomErasing ?? {};
  const strength = (magnitude / (bins - 1)) * 30;
  return [
    row('random resized crop', 'on', randomResizedCrop === undefined ? 0 : 0.75, 'counts as three quarters'),
    row('crop', `padding ${crop?.padding ?? 0}`, crop === undefined ? 0 : 0.25, 'counts as a quarter'),
    row('flip', 'on', flip === true ? 0.25 : 0, 'counts as a quarter'),
    row('colour jitter', short(jitter), jitter / 0.8, '0.8'),
    row(
      'RandAugment',
      `magnitude ${short(magnitude)}`,
      randAugment ? strength / 9 : 0,
      'magnitude 9 of 31, Touvron et al. 2021',
    ),
    row(
      'random erasing',
      short(probability),
      randomErasing ? probability / 0.5 : 0,
      'half of the pictures, Zhong et al. 2020',
    ),
  ];
}

function row(name: string, setting: string, measures: number, full: string): BudgetRow {
  return Object.freeze({ name, setting, measures, full });
}

/** A number without its last roundings. */
export function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}
