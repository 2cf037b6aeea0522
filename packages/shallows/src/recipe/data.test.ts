import { describe, expect, test } from 'vitest';
import { RecipeError } from './error.js';
import { parseRecipe } from './parse.js';

const recipe = (data: string, more = ''): string =>
  `name: a\nmodel: { kind: cifar-resnet, depth: 8 }\ndata: ${data}\noptimizer: { kind: sgd, lr: 0.1 }\ntrain: { duration: 1ep${more} }\n`;
const parse = (data: string, more = '') => parseRecipe(recipe(data, more), { file: 'r.yaml' });

function problems(data: string, more = ''): string {
  try {
    parse(data, more);
  } catch (error) {
    if (error instanceof RecipeError) return error.message;
    throw error;
  }
  return '';
}

describe('every kind, with its defaults', () => {
  test.each([
    [
      '{ kind: csv, path: a.csv, target: y, task: regression }',
      {
        encoding: 'onehot',
        standardise: true,
        missing: 'error',
        stream: false,
        window: 8,
        workers: 0,
        delimiter: ',',
        header: true,
        validationShare: 0.2,
      },
    ],
    [
      '{ kind: parquet, path: a.parquet, target: [y, z], task: regression, stream: true, workers: 2, window: 4 }',
      { target: ['y', 'z'], workers: 2 },
    ],
    ['{ kind: npy, inputs: x.npy, targets: y.npy }', { standardise: false, inputDtype: 'float32' }],
    ['{ kind: npz, path: a.npz }', { inputs: 'inputs', targets: 'targets' }],
    ['{ kind: tokens, path: a.txt, context: 64 }', { format: 'bytes', validationShare: 0.1 }],
    [
      '{ kind: tokens, path: a.txt, format: vocabulary, vocabulary: v.txt, split: words, context: 64 }',
      { split: 'words' },
    ],
    ['{ kind: series, path: a.csv, input: 24, horizon: 6 }', { stride: 1, standardise: true }],
    ['{ kind: seasonal, input: 24, horizon: 6 }', { steps: 5000, channels: 1, noise: 0.1 }],
    ['{ kind: friedman }', { train: 2000, validation: 1000, noise: 1, features: 10 }],
    ['{ kind: folder, path: a, stream: true, workers: 4 }', { stream: true, workers: 4, size: 32 }],
    [
      '{ kind: textures, augment: { randomResizedCrop: {}, colourJitter: { hue: 0.1 }, randAugment: {}, randomErasing: {} } }',
      {
        augment: {
          flip: false,
          randomResizedCrop: { scale: [0.08, 1], ratio: [3 / 4, 4 / 3] },
          colourJitter: { brightness: 0, contrast: 0, saturation: 0, hue: 0.1 },
          randAugment: { operations: 2, magnitude: 9, bins: 31 },
          randomErasing: { probability: 0.5, scale: [0.02, 0.33], ratio: [0.3, 3.3], value: 0 },
        },
      },
    ],
  ])('%s', (data, expected) => {
    expect(parse(data).data).toMatchObject(expected);
  });
});

test('all problems at once, each at its place', () => {
  expect(
    problems('{ kind: csv, path: a.csv, target: 3, task: regresion, encoding: hot, workers: 2, colums: [a] }'),
  ).toBe(
    [
      'r.yaml:3:41: data.target: expected a column, or a list of columns, got 3 - write which one is learnt',
      'r.yaml:3:50: data.task: expected one of classification, regression, got "regresion" - did you mean \'regression\'?',
      'r.yaml:3:71: data.encoding: expected one of onehot, index, got "hot" - choose onehot for 0 and 1, index for the number of the category',
      'r.yaml:3:85: data.workers: expected none without stream, got 2 - write stream: true or remove it',
      'r.yaml:3:88: data.colums: expected one of the keys kind, path, validation, validationShare, target, task, features, categorical, ignore, segment, classes, encoding, standardise, standardiseTarget, missing, stream, window, workers, limit, delimiter, header, missingValues, got "colums" - remove it',
    ].join('\n'),
  );
});

const csv = (more: string): string => `{ kind: csv, path: a.csv, target: y, task: classification, ${more} }`;
const tokens = (more: string): string => `{ kind: tokens, path: a.txt, context: 8, ${more} }`;
const augment = (more: string): string => `{ kind: textures, augment: { ${more} } }`;

test.each([
  [
    '{ kind: csv, path: a, target: [y, z], task: classification }',
    'data.target: expected one column for classification, got a list',
  ],
  [csv('standardiseTarget: true'), 'data.standardiseTarget: expected false for classification, got true'],
  [
    '{ kind: csv, path: a, target: y, task: regression, classes: [a, b] }',
    'data.classes: expected none for regression',
  ],
  [csv('segment: y'), 'data.segment: expected another column than the target, got "y"'],
  [csv('features: [a], ignore: [b]'), 'data.ignore: expected none beside features'],
  [csv('features: [a, y]'), 'data.features: expected no target and no segment among them, got "y"'],
  [csv('features: [a], categorical: [b]'), 'data.categorical: expected features, got "b"'],
  [csv('ignore: [b], categorical: [b]'), 'data.categorical: expected features, got "b"'],
  [
    csv('validation: b.csv, validationShare: 0.1'),
    'data.validationShare: expected none beside a validation file, got 0.1',
  ],
  [csv('window: 4'), 'data.window: expected none without stream, got 4'],
  [csv('delimiter: "||"'), 'data.delimiter: expected one character, got "||"'],
  [csv('classes: [a, b, c]'), 'model.classes: expected 3 for csv, got 10'],
  ['{ kind: folder, path: a, workers: 1 }', 'data.workers: expected none without stream, got 1'],
  [
    '{ kind: npy, inputs: a, targets: b, validationInputs: c }',
    'data.validationInputs: expected validationTargets beside it, got none',
  ],
  [
    '{ kind: npy, inputs: a, targets: b, validationInputs: c, validationTargets: d, validationShare: 0.5 }',
    'data.validationShare: expected none beside validationInputs',
  ],
  ['{ kind: npz, path: a, task: regression, classes: [a] }', 'data.classes: expected none for regression'],
  [
    '{ kind: npy, inputs: a, targets: b, inputDtype: int64, standardise: true }',
    'data.standardise: expected false for int64 inputs, got true',
  ],
  [tokens('format: vocabulary'), 'data.format: expected a vocabulary beside format vocabulary, got none'],
  [
    tokens('vocabulary: v.txt'),
    'data.vocabulary: expected none with format bytes, got "v.txt" - remove it, or write format: vocabulary',
  ],
  [tokens('split: words, format: uint16'), 'data.split: expected none with format uint16'],
  [
    tokens('vocabularySize: 9'),
    'data.vocabularySize: expected none with format bytes, got 9 - remove it, or write format: uint16',
  ],
  [
    '{ kind: series, path: a.csv, input: 8, horizon: 2, columns: [a], targets: [b] }',
    'data.targets: expected some of the columns, got "b"',
  ],
  [
    augment('crop: { padding: 4 }, randomResizedCrop: {}'),
    'data.augment.crop: expected none beside randomResizedCrop, got a section',
  ],
  [
    augment('randAugment: { magnitude: 40 }'),
    'data.augment.randAugment.magnitude: expected at most 30 of 31 bins, got 40',
  ],
  [
    augment('randomResizedCrop: { scale: [0.5, 0.1] }'),
    'data.augment.randomResizedCrop.scale: expected a pair of a least and a largest number above 0, up to 1, got a list of 2',
  ],
  [
    augment('randomErasing: { value: grey }'),
    'data.augment.randomErasing.value: expected a number, or noise, got "grey"',
  ],
  [augment('colourJitter: { hue: 0.7 }'), 'data.augment.colourJitter.hue: expected a number from 0 to 0.5, got 0.7'],
  [augment('colorJitter: {}'), "did you mean 'colourJitter'?"],
])('%s', (data, message) => {
  expect(problems(data)).toContain(message);
});

test('a batch that no row is left for', () => {
  const small = '{ kind: friedman, train: 50 }';
  expect(problems(small, ', batchSize: 64, dropLast: true')).toContain(
    'train.batchSize: expected at most the 50 training rows with dropLast, got 64',
  );
  expect(problems(small, ', batchSize: 64')).toBe('');
});

test.each([
  'kind: csv, path: a.csv, target: y, task: classification',
  'kind: csv, path: a.csv, target: y, task: regression, validation: b.csv',
  'kind: parquet, path: a.parquet, target: y, task: regression, stream: true, workers: 2',
  'kind: npy, inputs: x.npy, targets: y.npy',
  'kind: npy, inputs: x.npy, targets: y.npy, validationInputs: u.npy, validationTargets: v.npy',
  'kind: npz, path: a.npz',
  'kind: tokens, path: a.txt, context: 8',
  'kind: tokens, path: a.txt, context: 8, validation: b.txt',
  'kind: series, path: a.csv, input: 4, horizon: 2',
  'kind: seasonal, input: 4, horizon: 2',
  'kind: friedman',
  'kind: folder, path: a, stream: true',
])('{%s} is the same when its own JSON is read again', (data) => {
  const text = `name: x\nmodel: { kind: mlp, classes: 10 }\ndata: { ${data} }\noptimizer: { kind: sgd, lr: 0.1 }\ntrain: { duration: 1ep }\n`;
  const recipe = parseRecipe(text);
  expect(parseRecipe(JSON.stringify(recipe))).toEqual(recipe);
});
