import { describe, expect, test } from 'vitest';
import { problems, small } from '../../../../tests/support/recipes.js';
import { Policy, type PresetName, presets } from '../depth/index.js';
import { parseRecipe } from './parse.js';
import { buildPolicy } from './policy.js';

describe('stochastic depth', () => {
  const transformer = small.replace('{ kind: cifar-resnet, depth: 20 }', '{ kind: vit, size: ti, patch: 4 }');
  const depth = (fields: string, text = small, ...overrides: string[]): string =>
    problems(text, [`depth={kind: stochastic, ${fields}}`, ...overrides]).replaceAll(/^override ".*?": /gm, '');

  test('takes every field of a policy, and keeps what was written', () => {
    const fields = {
      drop: 0.3,
      kinds: { attention: 0.1, mlp: 0.4 },
      schedule: 'uniform',
      select: '1:',
      protect: { first: 1, last: 2 },
      time: {
        kind: 'piecewise',
        points: [
          ['0ba', 0],
          ['0.5dur', 1],
        ],
      },
      scale: 'realised',
      unit: 'row',
      execution: 'auto',
      rows: 'window',
      count: 'dinov2',
      ranks: 'independent',
      optimizer: 'zero',
      checkpoint: true,
    };
    const recipe = parseRecipe(transformer, {
      overrides: [`depth=${JSON.stringify({ kind: 'stochastic', ...fields })}`],
    });
    expect(recipe.depth).toEqual({ kind: 'stochastic', ...fields });
    const { checkpoint, ...policy } = fields;
    expect(buildPolicy(recipe.depth)).toEqual({ ...policy, rates: null, budget: null });
    expect(parseRecipe(JSON.stringify(recipe))).toEqual(recipe);
    expect(
      buildPolicy(parseRecipe(small, { overrides: ['depth={kind: stochastic, drop: 0.5, budget: 3}'] }).depth),
    ).toEqual(Policy({ drop: 0.5, budget: 3 }));
  });

  test.each<[string, object]>([
    ['drop: 0.5, warmup: 0.1dur', { drop: 0.5, time: { kind: 'warmup', length: '0.1dur' } }],
    ['drop: 0.5, time: {kind: warmup, length: 5ep}', { drop: 0.5, time: { kind: 'warmup', length: '5ep' } }],
    [
      'drop: 0.5, time: {kind: early, length: 5ep, shape: constant}',
      { drop: 0.5, time: { kind: 'early', length: '5ep', shape: 'constant' } },
    ],
    ['drop: 0.5, time: {kind: late, start: 5ba}', { drop: 0.5, time: { kind: 'late', start: '5ba' } }],
    ['drop: 0.5, time: {kind: decay}', { drop: 0.5, time: { kind: 'decay' } }],
    [
      'drop: 0.5, time: {kind: decay, length: 1dur, to: 0.1}',
      { drop: 0.5, time: { kind: 'decay', length: '1dur', to: 0.1 } },
    ],
    ['drop: 0.5, time: {kind: exponential, gamma: 0.001}', { drop: 0.5, time: { kind: 'exponential', gamma: 0.001 } }],
    ['kinds: {basic: 0.2}', { kinds: { basic: 0.2 } }],
  ])('%s', (fields, expected) => {
    const recipe = parseRecipe(small, { overrides: [`depth={kind: stochastic, ${fields}}`] });
    expect(buildPolicy(recipe.depth)).toEqual(Policy(expected));
  });

  test.each(Object.keys(presets) as PresetName[])(
    'takes the preset %s, and what is written replaces what it has',
    (name) => {
      const recipe = parseRecipe(transformer, {
        overrides: [`depth={kind: stochastic, preset: ${name}, drop: 0.25, select: '2:'}`],
      });
      expect(buildPolicy(recipe.depth)).toEqual(presets[name]({ drop: 0.25, select: '2:' }));
    },
  );

  test.each<[string, string, string]>([
    [
      'an unknown preset',
      'preset: tim, drop: 0.1',
      'depth.preset: expected one of huang2016, composer, torchvision, timm, dinov2, efficientnet, kerasCv, torchtune, pld, nemo, got "tim" - did you mean \'timm\'?',
    ],
    [
      'an unknown word',
      'drop: 0.1, unit: rows, rows: window, count: dinov2',
      'depth.unit: expected one of block, row, got "rows" - did you mean \'row\'?',
    ],
    [
      'a word and a rate',
      'drop: 2, execution: gat',
      'depth.drop: expected a number from 0 to 1, got 2 - write the drop rate of the deepest block, 0.5 in the paper\ndepth.execution: expected one of gate, subset, mask, auto, got "gat" - did you mean \'gate\'?',
    ],
    [
      'a nested rate',
      'kinds: {basic: 2}',
      'depth.kinds.basic: expected a number from 0 to 1, got 2 - write the drop rate of the deepest branch of this kind',
    ],
    [
      'kinds that are none',
      'kinds: 0.5',
      'depth.kinds: expected a section of drop rates by kind, got 0.5 - write for example { attention: 0.1, mlp: 0.2 }',
    ],
    ['no kinds', 'kinds: {}', 'depth.kinds: expected rates by kind, got an object - write { mlp: 0.2 }'],
    [
      'another kind',
      'drop: 0.1, kinds: {attention: 0.2}',
      "depth.kinds: expected kinds of the model, basic, got 'attention' - rate one of those",
    ],
    [
      'a nested time',
      'drop: 0.1, time: {kind: warmup, length: 5}',
      'depth.time.length: expected a time such as 10ep, 100ba or 0.5dur, got 5 - add a unit, such as 5ep',
    ],
    [
      'a missing time',
      'drop: 0.1, time: {kind: warmup}',
      'depth.time.length: expected a time such as 10ep, 100ba or 0.5dur, got nothing - write how long the rates rise from 0, such as 0.1dur',
    ],
    [
      'an unknown time',
      'drop: 0.1, time: {kind: warm}',
      'depth.time.kind: expected a kind, one of constant, warmup, early, late, decay, exponential, piecewise, got "warm" - ',
    ],
    [
      'a key of another time',
      'drop: 0.1, time: {kind: late, start: 1ep, gamma: 1}',
      'depth.time.gamma: expected one of the keys kind, start, got "gamma" - ',
    ],
    [
      'a point',
      'drop: 0.1, time: {kind: piecewise, points: [[0ba, 0], [1ep, 2]]}',
      'depth.time.points.1.1: expected a number from 0 to 1, got 2 - write what the drop rates are multiplied by',
    ],
    [
      'half a point',
      'drop: 0.1, time: {kind: piecewise, points: [[0ba]]}',
      'depth.time.points.0: expected a pair of a time and a factor, got a list of 1 - write for example [0.5dur, 1]',
    ],
    [
      'time and warmup',
      'drop: 0.1, warmup: 1ep, time: {kind: constant}',
      'depth.warmup: expected one of time and warmup, got both - write time: { kind: warmup, length: 1ep }, or warmup alone',
    ],
    [
      'a misspelt end',
      'drop: 0.1, protect: {firs: 1}',
      'depth.protect.firs: expected one of the keys first, last, got "firs" - did you mean \'first\'?',
    ],
    [
      'a selection',
      "drop: 0.1, select: 'all'",
      "depth.select: expected slices such as '4', '2:', ':-1', '::2' or '0,3:6', got \"all\" - write them as Python slices its lists",
    ],
    [
      'a selection that is a number',
      'drop: 0.1, select: 4',
      "depth.select: expected slices such as '::2' or '0,3:6', got 4 - put it in quotes",
    ],
    [
      'a layer that is not there',
      "drop: 0.1, select: '9'",
      'depth.select: expected an index from -9 to 8, got 9 - the model has 9 layers',
    ],
    [
      'a rate that reaches nothing',
      'drop: 0.1, protect: {first: 5, last: 4}',
      'depth.drop: expected the drop rate 0.1 to reach a block, got rate 0 for all 9 sites (block 0, basic, block 1, basic, block 2, basic) - 5 first and 4 last layers are protected: protect fewer',
    ],
    [
      'a budget',
      'drop: 0.1, budget: 10',
      'depth.budget: expected a budget up to the 9 sites that have a rate, got 10 - drop fewer, or rate more sites',
    ],
    [
      'fields of the other unit',
      'drop: 0.1, rows: window, count: dinov2',
      'depth.rows: expected nothing for unit block, got "window" - leave it out, or write unit: \'row\'\ndepth.count: expected nothing for unit block, got "dinov2" - leave it out, or write unit: \'row\'',
    ],
    [
      'fields of a preset',
      'preset: timm, drop: 0.1, unit: block',
      'depth.rows: expected nothing for unit block, got "independent" of the preset timm - leave it out, or write unit: \'row\'',
    ],
    [
      'a preset without its rate',
      'preset: torchvision',
      'depth.drop: expected a rate in [0, 1], got nothing - give the top drop rate',
    ],
  ])('refuses %s', (_, fields, expected) => {
    const message = depth(fields);
    if (expected.endsWith(' - ')) expect(message.startsWith(expected), message).toBe(true);
    else expect(message).toBe(expected);
    expect(message.split('\n')).toHaveLength(expected.split('\n').length);
  });

  test('says where, also inside of nested fields', () => {
    const text = `name: small
model: { kind: vit, size: ti, patch: 64, heads: 5 }
data: { kind: textures }
depth:
  kind: stochastic
  drop: 0.1
  unit: row
  rows: independent
  count: dinov2
  kinds:
    attention: 0.1
    mlp: -1
  protect: { first: x }
  time:
    kind: piecewise
    points:
      - [0ba, 0]
      - [5, 1]
optimizer: { kind: sgd, lr: 0.1 }
train: { duration: 1ep, batchSize: 8, microbatches: 9 }
`;
    expect(problems(text)).toBe(`\
r.yaml:2:38: model.patch: expected at most the 32 pixels of a side of the pictures, got 64 - write for example patch: 4
r.yaml:2:49: model.heads: expected heads that divide the 192 features, got 5 - write both
r.yaml:9:10: depth.count: expected nothing for independent rows, got "dinov2" - leave it out
r.yaml:12:10: depth.kinds.mlp: expected a number from 0 to 1, got -1 - write the drop rate of the deepest branch of this kind
r.yaml:13:21: depth.protect.first: expected a whole number from 0 to 1000000, got "x" - write how many of the first blocks are never dropped
r.yaml:18:10: depth.time.points.1.0: expected a time such as 10ep, 100ba or 0.5dur, got 5 - add a unit, such as 5ep
r.yaml:20:53: train.microbatches: expected at most the 8 pictures of a batch, got 9 - write fewer`);
  });

  test.each<[string, string]>([
    [
      'drop: 0.1, warmup: 0.1dur',
      'depth.warmup: expected a time in ep, ba, sp or sec beside a duration of 90sec, got "0.1dur"',
    ],
    [
      'drop: 0.1, time: {kind: decay}',
      'depth.time: expected a time in ep, ba, sp or sec beside a duration of 90sec, got "1dur"',
    ],
    ['drop: 0.1, time: {kind: late, start: 0.1dur}', 'depth.time.start: expected a time'],
    ['drop: 0.1, time: {kind: piecewise, points: [[0sec, 0], [0.5dur, 1]]}', 'depth.time.points.1.0: expected a time'],
  ])('refuses a share of a duration on the clock: %s', (fields, expected) => {
    expect(depth(fields, small, 'train.duration=90sec')).toContain(expected);
    expect(
      depth(
        fields.replaceAll(/0\.\ddur/g, '9sec').replace('decay', 'decay, length: 9sec'),
        small,
        'train.duration=90sec',
      ),
    ).toBe('no problems');
  });

  test('may recompute where nothing is dropped', () => {
    expect(parseRecipe(small, { overrides: ['depth.checkpoint=true', 'depth.kind=none'] }).depth).toEqual({
      kind: 'none',
      checkpoint: true,
    });
  });
});
