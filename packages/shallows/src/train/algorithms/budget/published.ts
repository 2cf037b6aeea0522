import type { RunRegularizers } from './regularizers.js';

/** What a network was published with. */
export interface PublishedRecipe {
  readonly name: string;
  readonly input: 'pictures' | 'text';
  /** Learnt elements. */
  readonly parameters: number;
  /** Rows of the training set. */
  readonly rows: number;
  readonly epochs: number;
  readonly optimizer: string;
  readonly regularizers: RunRegularizers;
  readonly source: string;
}

const cifar = { input: 'pictures', rows: 50_000 } as const;
const imagenet = { input: 'pictures', rows: 1_281_167 } as const;
const cropFlip = { crop: { padding: 4 }, flip: true };
const resizedCropFlip = { randomResizedCrop: {}, flip: true };
const halfMixed = { mixupShare: 0.5, cutmixShare: 0.5 };
/** What DeiT, Swin and ConvNeXt share; they differ in colour jitter and drop rates. */
const modern = (jitter: number): RunRegularizers => ({
  weightDecay: 0.05,
  labelSmoothing: 0.1,
  mixup: 0.8,
  cutmix: 1,
  ...halfMixed,
  augmentation: {
    ...resizedCropFlip,
    colourJitter: { brightness: jitter, contrast: jitter, saturation: jitter },
    randAugment: { magnitude: 9 },
    randomErasing: { probability: 0.25 },
  },
});
const [deit, later] = [modern(0.3), modern(0.4)];
const swin = 'Liu et al., "Swin transformer", ICCV 2021';
const convnext = 'Liu et al., "A ConvNet for the 2020s", CVPR 2022';
const rsb = 'Wightman et al., "ResNet strikes back", 2021';

/** Recipes of papers that report what they gain, for networks and sets of several sizes. Drop rates are means over the blocks. */
export const publishedRecipes: readonly PublishedRecipe[] = Object.freeze([
  {
    name: 'ResNet-110 with stochastic depth',
    ...cifar,
    parameters: 1.7e6,
    epochs: 500,
    optimizer: 'sgd',
    regularizers: { depth: 0.25, weightDecay: 1e-4, augmentation: cropFlip },
    source: 'Huang et al., "Deep networks with stochastic depth", ECCV 2016',
  },
  {
    name: 'WRN-28-10',
    ...cifar,
    parameters: 36.5e6,
    epochs: 200,
    optimizer: 'sgd',
    regularizers: { dropout: 0.3, weightDecay: 5e-4, augmentation: cropFlip },
    source: 'Zagoruyko and Komodakis, "Wide residual networks", BMVC 2016',
  },
  {
    name: 'ResNet-50',
    ...imagenet,
    parameters: 25.6e6,
    epochs: 90,
    optimizer: 'sgd',
    regularizers: { weightDecay: 1e-4, augmentation: resizedCropFlip },
    source: 'Goyal et al., "Accurate, large minibatch SGD", 2017',
  },
  {
    name: 'ResNet-50 A3',
    ...imagenet,
    parameters: 25.6e6,
    epochs: 100,
    optimizer: 'lamb',
    regularizers: {
      weightDecay: 0.02,
      mixup: 0.1,
      cutmix: 1,
      ...halfMixed,
      augmentation: { ...resizedCropFlip, randAugment: { magnitude: 6 } },
    },
    source: rsb,
  },
  {
    name: 'ResNet-50 A2',
    ...imagenet,
    parameters: 25.6e6,
    epochs: 300,
    optimizer: 'lamb',
    regularizers: {
      depth: 0.025,
      weightDecay: 0.02,
      mixup: 0.1,
      cutmix: 1,
      ...halfMixed,
      augmentation: { ...resizedCropFlip, randAugment: { magnitude: 7 } },
    },
    source: rsb,
  },
  {
    name: 'EfficientNet-B0',
    ...imagenet,
    parameters: 5.3e6,
    epochs: 350,
    optimizer: 'rmsprop',
    regularizers: {
      depth: 0.1,
      dropout: 0.2,
      weightDecay: 1e-5,
      labelSmoothing: 0.1,
      ema: 0,
      augmentation: { ...resizedCropFlip, randAugment: { magnitude: 9 } },
    },
    source: 'Tan and Le, "EfficientNet", ICML 2019, with AutoAugment counted as RandAugment',
  },
  {
    name: 'DeiT-Ti',
    ...imagenet,
    parameters: 5.7e6,
    epochs: 300,
    optimizer: 'adamw',
    regularizers: { ...deit, depth: 0.05 },
    source: 'Touvron et al., "Training data-efficient image transformers", ICML 2021',
  },
  {
    name: 'DeiT-B',
    ...imagenet,
    parameters: 86.6e6,
    epochs: 300,
    optimizer: 'adamw',
    regularizers: { ...deit, depth: 0.05 },
    source: 'Touvron et al., "Training data-efficient image transformers", ICML 2021',
  },
  {
    name: 'Swin-T',
    ...imagenet,
    parameters: 28.3e6,
    epochs: 300,
    optimizer: 'adamw',
    regularizers: { ...later, depth: 0.1 },
    source: swin,
  },
  {
    name: 'Swin-B',
    ...imagenet,
    parameters: 87.8e6,
    epochs: 300,
    optimizer: 'adamw',
    regularizers: { ...later, depth: 0.25 },
    source: swin,
  },
  {
    name: 'ConvNeXt-T',
    ...imagenet,
    parameters: 28.6e6,
    epochs: 300,
    optimizer: 'adamw',
    regularizers: { ...later, depth: 0.05, ema: 0 },
    source: convnext,
  },
  {
    name: 'ConvNeXt-L',
    ...imagenet,
    parameters: 197.8e6,
    epochs: 300,
    optimizer: 'adamw',
    regularizers: { ...later, depth: 0.25, ema: 0 },
    source: convnext,
  },
  {
    name: 'Transformer (base)',
    input: 'text',
    parameters: 65e6,
    rows: 4.5e6,
    epochs: 20,
    optimizer: 'adam',
    regularizers: { dropout: 0.1, labelSmoothing: 0.1 },
    source: 'Vaswani et al., "Attention is all you need", NeurIPS 2017',
  },
  {
    name: 'BERT-base',
    input: 'text',
    parameters: 110e6,
    rows: 6.4e6,
    epochs: 40,
    optimizer: 'adamw',
    regularizers: { dropout: 0.1, attentionDropout: 0.1, weightDecay: 0.01 },
    source: 'Devlin et al., "BERT", NAACL 2019',
  },
]);

/** The recipe for the same kind of input that is nearest in parameters and rows, by ratios; null where there is none. */
export function nearestRecipe(
  input: 'pictures' | 'text' | null,
  parameters: number,
  rows: number,
  epochs: number | null,
): PublishedRecipe | null {
  const away = (recipe: PublishedRecipe): number =>
    Math.hypot(
      Math.log(recipe.parameters / parameters),
      Math.log(recipe.rows / rows),
      // Length decides between recipes of one network.
      epochs === null ? 0 : Math.log(recipe.epochs / epochs),
    );
  return publishedRecipes
    .filter((recipe) => recipe.input === input)
    .reduce<PublishedRecipe | null>((best, each) => (best === null || away(each) < away(best) ? each : best), null);
}
