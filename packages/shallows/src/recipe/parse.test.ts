import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { problems, small } from '../../../../tests/support/recipes.js';
import { parseRecipe } from './parse.js';

const recipes = new URL('../../../../recipes/', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, recipes), 'utf8');

describe('a recipe', () => {
  test('is filled with every default', () => {
    expect(parseRecipe(small)).toEqual({
      name: 'small',
      seed: 0,
      model: { kind: 'cifar-resnet', depth: 20, classes: 10 },
      data: {
        kind: 'textures',
        train: 2000,
        validation: 1000,
        noise: 0.1,
        size: 32,
        limit: {},
        augment: { flip: false },
      },
      depth: { kind: 'none' },
      optimizer: { kind: 'sgd', lr: 0.1, exempt: 'none', momentum: 0, nesterov: false, weightDecay: 0 },
      schedule: { kind: 'constant', warmup: '0ba' },
      algorithms: [],
      train: {
        duration: '1ep',
        batchSize: 128,
        evaluateEvery: '1ep',
        trainSubset: 1000,
        logEvery: 10,
        microbatches: 1,
        dropLast: false,
        precision: 'float32',
        channelsLast: false,
        deterministic: false,
        onNonFinite: 'stop',
        logGradNorm: false,
      },
      checkpoint: { kind: 'local', every: '1ep', keep: 2, grace: '30sec' },
      track: { kind: 'local', path: 'runs' },
    });
  });

  test('is deeply frozen plain data', () => {
    const recipe = parseRecipe(read('resnet110-cifar10.yaml'));
    const visit = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return;
      expect(Object.isFrozen(value)).toBe(true);
      expect([Object.prototype, Array.prototype]).toContain(Object.getPrototypeOf(value));
      Object.values(value).forEach(visit);
    };
    visit(recipe);
    expect(JSON.parse(JSON.stringify(recipe))).toEqual(recipe);
  });

  test('is the same when its own JSON is read again', () => {
    const recipe = parseRecipe(read('resnet110-cifar10.yaml'));
    expect(parseRecipe(JSON.stringify(recipe))).toEqual(recipe);
  });

  test.each(readdirSync(recipes).filter((name) => name.endsWith('.yaml')))('recipes/%s is one', (name) => {
    expect(`${parseRecipe(read(name), { file: name }).name}.yaml`).toBe(name);
  });

  test("resnet110-cifar10 is the paper's", () => {
    expect(parseRecipe(read('resnet110-cifar10.yaml'))).toMatchObject({
      model: { depth: 110, classes: 10 },
      data: { kind: 'cifar10', validation: 'test', augment: { crop: { padding: 4 }, flip: true } },
      depth: { kind: 'stochastic', drop: 0.5, schedule: 'linear' },
      optimizer: { kind: 'sgd', lr: 0.1, momentum: 0.9, nesterov: true, weightDecay: 1e-4 },
      schedule: { kind: 'multi-step', milestones: ['0.5dur', '0.75dur'], gamma: 0.1 },
      train: { duration: '500ep', batchSize: 128 },
    });
  });

  test('validation: 0 is the test set', () => {
    const data = (rows: string): unknown =>
      parseRecipe(small, { overrides: [`data={kind: cifar10, validation: ${rows}}`] }).data;
    expect(data('0')).toMatchObject({ validation: 'test', path: 'data/cifar10' });
    expect(data('5000')).toMatchObject({ validation: 5000 });
  });
});

describe('problems', () => {
  test('of every kind are listed at once, each with its place', () => {
    const text = `name: "no/slashes"
seed: -1
lr: 0.1
model:
  kind: cifar-resnet
  depth: 111
  classes: 12
data:
  kind: cifar10
  augment: { crop: { pading: 4 }, flip: yes }
depth:
  kind: stochastic
  schedule: liner
  scale: inverted
optimizer:
  kind: sgd
  lr: "0.1"
  momentum: 0
  nesterov: true
  weight_decay: 1e-4
schedule: { kind: multi-step, milestones: [0.75dur, 0.5dur, 9] }
train:
  duration: 500
  batchSize: 12.5
track: local
`;
    expect(problems(text)).toBe(`\
r.yaml:1:7: name: expected a name of up to 100 letters, digits, dots, dashes and underscores, got "no/slashes" - choose what names the folder of the run
r.yaml:2:7: seed: expected a whole number of at least 0, got -1 - write any whole number, all randomness of a run follows from it
r.yaml:3:1: lr: expected one of the keys name, seed, model, data, depth, optimizer, schedule, algorithms, train, checkpoint, track, got "lr" - did you mean 'optimizer.lr'?
r.yaml:6:10: model.depth: expected a depth of 6n + 2 layers, got 111 - choose 20, 32, 44, 56, 110 or 1202
r.yaml:7:12: model.classes: expected 10 for cifar10, got 12 - write classes: 10
r.yaml:10:14: data.augment.crop.padding: expected a whole number from 1 to 64, got nothing - write the pixels of zeros on each side before the random crop, 4 for CIFAR
r.yaml:10:22: data.augment.crop.pading: expected one of the keys padding, got "pading" - did you mean 'padding'?
r.yaml:10:41: data.augment.flip: expected true or false, got "yes" - write true
r.yaml:13:13: depth.schedule: expected one of linear, linspace, ramp, uniform, exp, log, sine, sigmoid, list, got "liner" - did you mean 'linear'?
r.yaml:17:7: optimizer.lr: expected a number above 0, at most 1000000, got "0.1" - write the number without quotes
r.yaml:19:13: optimizer.nesterov: expected false without momentum, got true - write momentum: 0.9 or nesterov: false
r.yaml:20:3: optimizer.weight_decay: expected one of the keys kind, lr, exempt, momentum, nesterov, weightDecay, got "weight_decay" - did you mean 'weightDecay'?
r.yaml:21:61: schedule.milestones.2: expected a time such as 10ep, 100ba or 0.5dur, got 9 - add a unit, such as 9ep
r.yaml:23:13: train.duration: expected a time such as 10ep, 100ba or 0.5dur, got 500 - add a unit, such as 500ep
r.yaml:24:14: train.batchSize: expected a whole number from 1 to 1000000, got 12.5 - write the rows in a step, 128 in the paper; with several processes, of all together
r.yaml:25:8: track: expected a section, got "local" - write its keys: kind, path`);
  });

  test.each<[string, string[], string]>([
    ['classes', ['data={kind: cifar100}'], 'model.classes: expected 100 for cifar100, got 10 - write classes: 100'],
    [
      'coarse classes',
      ['data={kind: cifar100, labels: coarse}', 'model.classes=100'],
      'model.classes: expected 20 for cifar100, got 100 - write classes: 20',
    ],
    [
      'drop',
      ['depth={kind: stochastic}'],
      'depth.drop: expected a rate in [0, 1], got nothing - give the top drop rate',
    ],
    [
      'rates missing',
      ['depth={kind: stochastic, schedule: list}'],
      'depth.rates: expected one rate a layer, got nothing - list them in forward order',
    ],
    [
      'rates length',
      ['depth={kind: stochastic, schedule: list, rates: [0.1, 0.2]}'],
      'depth.rates: expected one rate a layer, 9, got 2 - list them in forward order',
    ],
    [
      'rates value',
      ['depth={kind: stochastic, schedule: list, rates: [0.1, .nan]}'],
      'depth.rates.1: expected a number from 0 to 1, got NaN',
    ],
    [
      'rates without list',
      ['depth={kind: stochastic, drop: 0.5, rates: [0.1]}'],
      "depth.rates: expected no list beside a formula, got a list of 1 - use schedule 'list' or leave the rates out",
    ],
    [
      'drop with list',
      ['depth={kind: stochastic, drop: 0.4, schedule: list, rates: [0, 0, 0, 0, 0, 0, 0, 0, 0.5]}'],
      'depth.drop: expected nothing beside a list (its largest rate is 0.5), got 0.4 - leave it out',
    ],
    ['momentum', ['optimizer.momentum=1'], 'optimizer.momentum: expected a momentum below 1, got 1'],
    [
      'duration in itself',
      ['train.duration=0.5dur'],
      'train.duration: expected a time in ep, ba, sp or sec, got "0.5dur"',
    ],
    ['no duration', ['train.duration=0ep'], 'train.duration: expected a time above 0, got "0ep"'],
    [
      'clock and rate',
      ['train.duration=90sec', 'schedule.kind=one-cycle'],
      'train.duration: expected a time in ep, ba or sp with schedule one-cycle, got "90sec"',
    ],
    [
      'no evaluation',
      ['train.evaluateEvery=0ba'],
      'train.evaluateEvery: expected a time above 0 in ep, ba, sp or dur, got "0ba"',
    ],
    [
      'evaluation and clock',
      ['train.duration=90sec', 'train.evaluateEvery=0.1dur'],
      'train.evaluateEvery: expected a time above 0 in ep, ba or sp, got "0.1dur"',
    ],
    [
      'milestone order',
      ['schedule={kind: multi-step, milestones: [2ep, 1ep]}'],
      'schedule.milestones.1: expected a time after "2ep", got "1ep"',
    ],
    [
      'milestone clock',
      ['schedule={kind: multi-step, milestones: [2sec]}'],
      'schedule.milestones.0: expected a time in ep, ba, sp or dur, got "2sec"',
    ],
    [
      'warmup',
      ['schedule={kind: cosine, warmup: 1ep}'],
      'schedule.warmup: expected a time shorter than the duration, got "1ep"',
    ],
    [
      'no batch',
      ['train.dropLast=true', 'data.train=100'],
      'train.batchSize: expected at most the 100 training rows with dropLast, got 128',
    ],
    ['time', ['train.duration=ten'], 'train.duration: expected a number and a unit, got "ten" - write ep (epochs)'],
    [
      'share',
      ['schedule={kind: multi-step, milestones: [2dur]}'],
      'schedule.milestones.0: expected a share of the duration from 0dur to 1dur, got "2dur"',
    ],
  ])('between keys: %s', (_, overrides, expected) => {
    const message = problems(small, overrides);
    expect(message).toContain(expected);
    expect(message.split('\n')).toHaveLength(1);
  });

  test('of an empty text name every section that is needed', () => {
    const missing = problems('')
      .split('\n')
      .map((line) => line.split(': ')[1]);
    expect(missing).toEqual(['name', 'model', 'data', 'optimizer', 'train']);
  });

  test('of syntax come with those of the lines beside it, without what may only be misread', () => {
    const text = small.replace('train:', 'tain:\n\t- x\ntrain:').replace('lr: 0.1', 'lr: -1');
    expect(problems(text)).toBe(`\
r.yaml:4:29: optimizer.lr: expected a number above 0, at most 1000000, got -1 - write the highest learning rate of the schedule, 0.1 in the paper
r.yaml:5:1: tain: expected one of the keys name, seed, model, data, depth, optimizer, schedule, algorithms, train, checkpoint, track, got "tain" - did you mean 'train'?
r.yaml:6:1: expected valid YAML, got a tab as indentation - indent with spaces`);
  });

  test.each<[string, string, string]>([
    [
      'a key twice',
      `${small}name: again\n`,
      'r.yaml:6:1: name: expected each key once, got it twice - keep one of them',
    ],
    [
      'two documents',
      `${small}---\n${small}`,
      'r.yaml:6:1: expected one YAML document, got another after --- - keep one recipe a file',
    ],
    [
      'an alias to nothing',
      small.replace('1ep', '*when'),
      'r.yaml:5:20: train.duration: expected an anchor &when before this alias, got none - write the value out',
    ],
    [
      'merge keys',
      small.replace('{ duration', '{ <<: {}, duration'),
      'r.yaml:5:10: train.<<: expected one of the keys duration, batchSize, evaluateEvery, trainSubset, logEvery, microbatches, dropLast, threads, precision, channelsLast, deterministic, device, onNonFinite, logGradNorm, batchNorm, got "<<" - write the keys out, merge keys are not read',
    ],
    [
      'a list as key',
      small.replace('{ duration', '{ [a]: 1, duration'),
      'r.yaml:5:10: train: expected a word as key, got a list, section or alias - write a plain key',
    ],
    [
      'a scalar',
      '42',
      'r.yaml:1:1: expected a section with the keys name, seed, model, data, depth, optimizer, schedule, algorithms, train, checkpoint, track, got 42 - write key: value lines',
    ],
    ['a prototype', `${small}__proto__: { polluted: 1 }\n`, 'got "__proto__" - remove it'],
    [
      'an open bracket',
      small.replace('1ep }', '1ep'),
      'expected valid YAML, got a line that is indented differently, or a bracket left open before it',
    ],
    [
      'a huge whole number',
      small.replace('name: small', 'name: small\nseed: 99999999999999999999'),
      'r.yaml:2:7: seed: expected a whole number of at least 0, got 100000000000000000000',
    ],
    [
      'a misspelt key of an algorithm',
      `${small}algorithms: [{ kind: mixup, alpa: 0.3 }]\n`,
      'algorithms.0.alpa: expected one of the keys kind, alpha, prob, got "alpa" - did you mean \'alpha\'?',
    ],
    [
      'an algorithm without what it needs',
      `${small}algorithms: [{ kind: ema }]\n`,
      'algorithms.0: expected one of halflife, decay, got none - write one of them',
    ],
    [
      'an algorithm twice',
      `${small}algorithms: [{ kind: mixup }, { kind: mixup }]\n`,
      'algorithms.1.kind: expected each algorithm once, got "mixup" again - leave one out',
    ],
    [
      'a grace period that is no time on the clock',
      `${small}checkpoint: { kind: local, grace: 10ba }\n`,
      'checkpoint.grace: expected a time on the clock, got "10ba" - write for example 30sec',
    ],
  ])('name %s', (_, text, expected) => {
    expect(problems(text)).toContain(expected);
    expect('polluted' in {}).toBe(false);
  });

  test('allow anchors and aliases', () => {
    const text = small
      .replace('name: small', 'name: &n small')
      .replace('{ duration: 1ep }', '{ duration: 1ep }\ntrack: { kind: local, path: *n }');
    expect(parseRecipe(text).track.path).toBe('small');
  });
});

describe('models', () => {
  test.each<[string, string]>([
    [
      '{kind: resnet, depth: 51}',
      'model.depth: expected a depth of 18, 34, 50, 101, 152, got 51 - choose one of these numbers of layers',
    ],
    [
      '{kind: resnet, depth: 18, groups: 2}',
      'model.groups: expected none at depth 18, whose blocks have no groups, got 2 - choose a depth from 50 or remove it',
    ],
    [
      '{kind: preact-resnet, depth: 50, blocks: [1, 2]}',
      'model.blocks: expected a number for each of the four stages, got a list of 2 - write four',
    ],
    ['{kind: vit, size: xl}', 'model.size: expected one of ti, s, b, l, got "xl" - '],
    ['{kind: vit, size: ti, dim: 100}', 'model.dim: expected heads that divide the 100 features, got 3 - write both'],
    [
      '{kind: swin, size: t, depths: [2, 2]}',
      'model.depths: expected as many depths as heads, one for each stage, got 2 and 4 - write both',
    ],
    [
      '{kind: swin, size: t, heads: [5, 6, 12, 24]}',
      'model.heads: expected heads that divide the 96 features of stage 0, got 5 - write both',
    ],
    [
      '{kind: convnext, size: tiny, blocks: [1]}',
      'model.blocks: expected as many blocks as widths, one for each stage, got 1 and 4 - write both',
    ],
    ['{kind: efficientnet, size: b8}', 'model.size: expected one of b0, b1, b2, b3, b4, b5, b6, b7, got "b8" - '],
    [
      '{kind: swin, size: t, patch: 33}',
      'model.patch: expected at most the 32 pixels of a side of the pictures, got 33 - write for example patch: 4',
    ],
    [
      '{kind: transformer-encoder}',
      'model.kind: expected a kind, one of cifar-resnet, resnet, preact-resnet, vit, swin, convnext, efficientnet, mlp, lstm, got "transformer-encoder" - ',
    ],
  ])('refuse %s', (model, expected) => {
    const message = problems(small, [`model=${model}`]);
    expect(message).toContain(`: ${expected}`);
    expect(message.split('\n')).toHaveLength(1);
  });
});
