import { z } from 'zod';
import { swinSizes, vitSizes } from '../models/index.js';
import { choice, flag, keys, kinds, list, positive, real, whole } from './fields.js';

const most = 1_000_000;
const classes = whole(2, 100_000, 'write the number of classes of the data').default(10);

/** A list of whole numbers from 1; the rules between keys check how many. */
const sizes = (what: string) =>
  list(whole(1, most, `write ${what}`), 'a list of whole numbers', `write ${what}`).exactOptional();

const depths = [18, 34, 50, 101, 152] as const;
const depth = z.literal(depths, { error: `a depth of ${depths.join(', ')} - choose one of these numbers of layers` });

const drop = (advice: string) => real(0, 1, advice).exactOptional();

/** The drop rate before the last layer. */
const head = { headDrop: drop('write the drop rate before the last layer, such as 0.2') };

/** The drop rates inside of transformer blocks. */
const inner = {
  attnDrop: drop('write the drop rate of the attention weights, such as 0.1'),
  projDrop: drop('write the drop rate of the output of each branch, such as 0.1'),
  hiddenDrop: drop('write the drop rate inside of the feed-forward branches; projDrop unless given'),
};

const resnet = {
  depth,
  classes,
  stem: choice(
    ['imagenet', 'cifar'],
    'choose imagenet for pictures of hundreds of pixels, cifar for pictures of tens',
  ).default('imagenet'),
  blocks: sizes('the blocks of each of the four stages'),
  widths: sizes('the channels of each of the four stages'),
  groups: whole(1, most, 'write the groups of the 3 × 3 convolutions, 32 in ResNeXt').exactOptional(),
  groupWidth: whole(1, most, 'write the channels of each group, 4 in ResNeXt').exactOptional(),
  ...head,
};

const names = <T extends Readonly<Record<string, unknown>>>(table: T) =>
  Object.keys(table) as [keyof T & string, ...(keyof T & string)[]];

const transformer = {
  dim: whole(1, most, 'write the features of a token').exactOptional(),
  mlpRatio: positive(1000, 'write the features inside a feed-forward branch as a multiple of dim').exactOptional(),
  ...inner,
  ...head,
};

/** The networks. How large their inputs are follows from the data. */
export const model = kinds(
  keys({
    kind: z.literal('cifar-resnet'),
    depth: whole(8, 9998, 'choose 6n + 2 layers: 20, 32, 44, 56, 110 or 1202').refine((layers) => layers % 6 === 2, {
      error: 'a depth of 6n + 2 layers - choose 20, 32, 44, 56, 110 or 1202',
    }),
    classes,
    ...head,
  }),
  keys({
    kind: z.literal('resnet'),
    ...resnet,
    zeroInitResidual: flag('write true to let each branch begin as zero').default(false),
  }),
  keys({ kind: z.literal('preact-resnet'), ...resnet }),
  keys({
    kind: z.literal('vit'),
    size: choice(names(vitSizes), 'choose ti for the smallest'),
    classes,
    patch: whole(1, 4096, 'write the side of a patch in pixels').default(16),
    depth: whole(1, 10_000, 'write the number of blocks').exactOptional(),
    heads: whole(1, most, 'write the number of attention heads').exactOptional(),
    ...transformer,
    posDrop: drop('write the drop rate of the tokens at their positions, such as 0.1'),
    layerScale: real(-1000, 1000, 'write the first scale of each branch, such as 1e-5').exactOptional(),
  }),
  keys({
    kind: z.literal('swin'),
    size: choice(names(swinSizes), 'choose t for the smallest'),
    classes,
    patch: whole(1, 4096, 'write the side of a patch in pixels').default(4),
    window: whole(1, 4096, 'write the side of a window in patches').default(7),
    depths: sizes('the blocks of each stage'),
    heads: sizes('the attention heads of each stage'),
    ...transformer,
  }),
  keys({
    kind: z.literal('convnext'),
    size: choice(['tiny', 'small', 'base', 'large'], 'choose tiny for the smallest'),
    classes,
    patch: whole(1, 4096, 'write the side of the squares that a picture is cut into first, in pixels').default(4),
    blocks: sizes('the blocks of each stage'),
    widths: sizes('the channels of each stage'),
    layerScale: real(-1000, 1000, 'write the first scale of each branch, such as 1e-6').exactOptional(),
    ...head,
  }),
  keys({
    kind: z.literal('efficientnet'),
    size: choice(['b0', 'b1', 'b2', 'b3', 'b4', 'b5', 'b6', 'b7'], 'choose b0 for the smallest'),
    classes,
    widthFactor: positive(1000, 'write what the channels of b0 are multiplied by').exactOptional(),
    depthFactor: positive(1000, 'write what the blocks of b0 are multiplied by').exactOptional(),
    ...head,
  }),
  keys({
    kind: z.literal('mlp'),
    classes,
    hidden: sizes('the features of each layer before the last'),
    activation: choice(['relu', 'gelu', 'silu', 'tanh', 'selu'], 'choose what follows each product').exactOptional(),
    norm: flag('write true for a layer norm before each activation').exactOptional(),
    dropout: choice(
      ['plain', 'alpha', 'gaussian'],
      'choose plain for zeros, alpha for selu, gaussian for noise',
    ).exactOptional(),
    inputDrop: drop('write the drop rate of the input, such as 0.2'),
    hiddenDrop: drop('write the drop rate after each activation, such as 0.5'),
    weightDrop: drop('write the rate at which weights are dropped, such as 0.5'),
  }),
  keys({
    kind: z.literal('lstm'),
    classes,
    vocabulary: whole(
      1,
      most,
      'write the number of different tokens; leave it out for rows of features',
    ).exactOptional(),
    dim: whole(1, most, 'write the features of a token').exactOptional(),
    hidden: whole(1, most, 'write the features of the state').exactOptional(),
    layers: whole(1, 1000, 'write the number of layers').exactOptional(),
    bidirectional: flag('write true to read sequences from both ends').exactOptional(),
    cell: choice(['lstm', 'gru'], 'choose lstm or gru').exactOptional(),
    read: choice(
      ['last', 'mean', 'each'],
      'choose what the head reads: the last step, the mean, or each',
    ).exactOptional(),
    padding: whole(0, most, 'write the token that fills up short texts').exactOptional(),
    wordDrop: drop('write the rate at which whole words are dropped, such as 0.1'),
    inputDrop: drop('write the drop rate of the input, such as 0.2'),
    betweenDrop: drop('write the drop rate of what a layer gives to the next, such as 0.2'),
    hiddenDrop: drop('write the drop rate of the state before, such as 0.2'),
    outputDrop: drop('write the drop rate of the output, such as 0.2'),
    weightDrop: drop('write the rate at which weights of the state are dropped, 0.5 in AWD-LSTM'),
    headDrop: drop('write the drop rate before the last layer, such as 0.2'),
  }),
);
