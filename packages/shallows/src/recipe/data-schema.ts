import { z } from 'zod';
import { choice, flag, keys, kinds, list, real, text, whole } from './fields.js';

const atLeast = Number.MAX_SAFE_INTEGER;

/** A least and a largest number. */
const range = (most: number, advice: string) => {
  const error = `a pair of a least and a largest number above 0${most < 1e6 ? `, up to ${String(most)}` : ''} - ${advice}`;
  const end = z.number({ error }).gt(0, { error }).max(most, { error });
  return z.tuple([end, end], { error }).refine(([low, high]) => low <= high, { error });
};

const extent = (what: string) => real(0, 1000, `write by how much ${what} is changed, 0.4 is usual`).default(0);

const noise = 'a number, or noise - write 0 for the mean of the set';

const augment = keys({
  randomResizedCrop: keys({
    scale: range(1, 'write which share of the area is kept').default([0.08, 1]),
    ratio: range(1e6, 'write width over height').default([3 / 4, 4 / 3]),
  }).exactOptional(),
  colourJitter: keys({
    brightness: extent('brightness'),
    contrast: extent('contrast'),
    saturation: extent('saturation'),
    hue: real(0, 0.5, 'write by which share of the circle the hue is turned at most').default(0),
  }).exactOptional(),
  randAugment: keys({
    operations: whole(1, 100, 'write how many changes each image gets').default(2),
    magnitude: whole(0, 999, 'write how strong they are, of as many as there are bins').default(9),
    bins: whole(2, 1000, 'write how many strengths there are').default(31),
  }).exactOptional(),
  crop: keys({
    padding: whole(1, 64, 'write the pixels of zeros on each side before the random crop, 4 for CIFAR'),
  }).exactOptional(),
  flip: flag('write true to mirror half of the images left to right').default(false),
  randomErasing: keys({
    probability: real(0, 1, 'write the share of the images that lose a part').default(0.5),
    scale: range(1, 'write which share of the area is erased').default([0.02, 0.33]),
    ratio: range(1e6, 'write height over width').default([0.3, 3.3]),
    value: z.union([z.literal('noise'), z.number()], { error: noise }).default(0),
  }).exactOptional(),
}).prefault({});

const limit = keys({
  train: whole(1, atLeast, 'write how many of the first training rows to keep').exactOptional(),
  validation: whole(1, atLeast, 'write how many of the first validation rows to keep').exactOptional(),
}).prefault({});

const pictures = { limit, augment };

const share = (fallback: number, what: string) => {
  const error = `a number between 0 and 1 - write the share ${what}`;
  return z.number({ error }).gt(0, { error }).lt(1, { error }).default(fallback);
};
const rowShare = share(0.2, 'of the rows that validate where there is no validation file, chosen by their content');
const lastShare = (fallback: number) => share(fallback, 'at the end that validates');

const stream = flag('write true to read rows when batches need them, instead of all before training').default(false);
const workers = whole(0, 64, 'write how many threads read streamed data ahead, 0 for none').default(0);

const cifarFolder = text('a folder', 'write the folder that holds the .bin files, relative to the current folder');

const cifarValidation = z
  .union([z.literal('test'), whole(0, 49_999, '')], {
    error:
      'test, or a whole number of training rows from 1 to 49999 - write test to evaluate on the test set, N for the last N training rows',
  })
  .transform((rows) => (rows === 0 ? 'test' : rows))
  .default('test');

const idxFile = (what: string) => text('a file', `write the IDX file of the ${what}, plain or .gz`);
const file = (advice: string) => text('a file', advice);
const column = (advice: string) => text('a column', advice);
const columns = (advice: string) => list(column(advice), 'a list of columns', advice);
const count = (what: string) => whole(10, 1_000_000, `write how many ${what} to generate`);

const task = ['classification', 'regression'] as const;
const classes = list(text('a class', 'write its name'), 'a list of classes', 'write their names').exactOptional();

const table = {
  path: file('write the file that is learnt from'),
  validation: file('write the file that validates').exactOptional(),
  validationShare: rowShare,
  target: z.union([column(''), columns('')], {
    error: 'a column, or a list of columns - write which one is learnt',
  }),
  task: choice(task, 'choose classification for names of classes, regression for numbers'),
  features: columns('write which columns the model sees').exactOptional(),
  categorical: columns('write which columns name a category').exactOptional(),
  ignore: columns('write which columns the model does not see').exactOptional(),
  segment: column('write the column that names groups of rows').exactOptional(),
  classes,
  encoding: choice(['onehot', 'index'], 'choose onehot for 0 and 1, index for the number of the category').default(
    'onehot',
  ),
  standardise: flag('write false to leave numbers as they are').default(true),
  standardiseTarget: flag('write true to learn targets with mean 0 and deviation 1').default(false),
  missing: choice(['error', 'impute', 'drop'], 'choose impute for the mean, drop to leave the row out').default(
    'error',
  ),
  stream,
  window: whole(1, 10_000, 'write how many chunks are mixed when rows are shuffled').default(8),
  workers,
  limit,
};

const delimiter = z.string({ error: 'one character - write for example ";"' }).length(1, {
  error: 'one character - write for example ";"',
});

const arrays = {
  validationShare: rowShare,
  task: choice(task, 'choose classification for classes, regression for numbers').exactOptional(),
  classes,
  standardise: flag('write true to give each feature or channel mean 0 and deviation 1').default(false),
  inputDtype: choice(['float32', 'int64'], 'choose int64 for numbers of tokens').default('float32'),
  limit,
};

const windows = {
  input: whole(1, 1_000_000, 'write how many steps the model sees'),
  horizon: whole(1, 1_000_000, 'write how many steps it forecasts'),
  stride: whole(1, 1_000_000, 'write the steps from one row to the next').default(1),
  validationShare: lastShare(0.2),
  standardise: flag('write false to leave numbers as they are').default(true),
  limit,
};

/** What is learnt from. What fields say of each other is checked by `data-rules`. */
export const data = kinds(
  keys({
    kind: z.literal('cifar10'),
    path: cifarFolder.default('data/cifar10'),
    validation: cifarValidation,
    ...pictures,
  }),
  keys({
    kind: z.literal('cifar100'),
    path: cifarFolder.default('data/cifar100'),
    labels: choice(['fine', 'coarse'], 'choose fine for 100 classes, coarse for 20').default('fine'),
    validation: cifarValidation,
    ...pictures,
  }),
  keys({
    kind: z.literal('idx'),
    images: idxFile('training images'),
    labels: idxFile('training labels'),
    testImages: idxFile('test images'),
    testLabels: idxFile('test labels'),
    ...pictures,
  }),
  keys({
    kind: z.literal('folder'),
    path: text('a folder', 'write the folder that holds train/CLASS/*.png and validation/CLASS/*.png'),
    size: whole(8, 1024, 'write the side in pixels of the square that each image is resized to').default(32),
    validationShare: share(0.2, 'of the pictures that validate where the folder has no train'),
    stream,
    workers,
    ...pictures,
  }),
  keys({
    kind: z.literal('textures'),
    train: count('images').default(2000),
    validation: count('images').default(1000),
    noise: real(0, 1, 'write the share of the training labels that a random class replaces').default(0.1),
    size: whole(8, 256, 'write the side of an image in pixels').default(32),
    ...pictures,
  }),
  keys({
    kind: z.literal('csv'),
    ...table,
    delimiter: delimiter.default(','),
    header: flag('write false where the first line is a row; columns are then 0, 1, 2').default(true),
    missingValues: z
      .array(z.string({ error: 'a text - write what a cell holds where a value is missing' }), {
        error: 'a list of texts - write what a cell holds where a value is missing',
      })
      .exactOptional(),
  }),
  keys({ kind: z.literal('parquet'), ...table }),
  keys({
    kind: z.literal('npy'),
    inputs: file('write the .npy file of the inputs, a row a sample'),
    targets: file('write the .npy file of the targets'),
    validationInputs: file('write the .npy file of the inputs that validate').exactOptional(),
    validationTargets: file('write the .npy file of the targets that validate').exactOptional(),
    ...arrays,
  }),
  keys({
    kind: z.literal('npz'),
    path: file('write the .npz file'),
    inputs: text('an array', 'write the name of the inputs in the file').default('inputs'),
    targets: text('an array', 'write the name of the targets in the file').default('targets'),
    validationInputs: text('an array', 'write the name of the inputs that validate').exactOptional(),
    validationTargets: text('an array', 'write the name of the targets that validate').exactOptional(),
    ...arrays,
  }),
  keys({
    kind: z.literal('tokens'),
    path: file('write the file of the text or of the numbers of tokens'),
    validation: file('write the file that validates').exactOptional(),
    validationShare: lastShare(0.1),
    format: choice(
      ['bytes', 'vocabulary', 'uint16', 'uint32'],
      'choose bytes for text as it is, vocabulary for text and a file of tokens, uint16 or uint32 for numbers',
    ).default('bytes'),
    vocabulary: file('write the file of the tokens, one a line or a JSON list').exactOptional(),
    split: choice(['longest', 'words'], 'choose longest for the longest token at each place').exactOptional(),
    vocabularySize: whole(1, 2 ** 31, 'write how many different tokens there are').exactOptional(),
    context: whole(1, 1_000_000, 'write the tokens of a row'),
    stride: whole(1, 1_000_000_000, 'write the tokens from one row to the next').exactOptional(),
    limit,
  }),
  keys({
    kind: z.literal('series'),
    path: file('write the .csv, .parquet or .npy file of the series, a step a row'),
    columns: columns('write which columns the model sees').exactOptional(),
    targets: columns('write which columns are forecast').exactOptional(),
    delimiter: delimiter.default(','),
    ...windows,
  }),
  keys({
    kind: z.literal('seasonal'),
    steps: whole(10, 10_000_000, 'write how many steps to generate').default(5000),
    channels: whole(1, 10_000, 'write how many series to generate').default(1),
    noise: real(0, 1000, 'write the deviation of the noise; the daily swing is 1').default(0.1),
    ...windows,
  }),
  keys({
    kind: z.literal('friedman'),
    train: count('rows').default(2000),
    validation: count('rows').default(1000),
    noise: real(0, 1000, 'write the deviation of the noise in training targets').default(1),
    features: whole(5, 10_000, 'write how many features to generate; five of them matter').default(10),
    limit,
  }),
);
