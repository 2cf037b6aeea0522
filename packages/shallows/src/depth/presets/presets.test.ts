import { describe, expect, test } from 'vitest';
import { PolicyError } from '../policy/error.js';
import { Policy, type PolicyOptions } from '../policy/policy.js';
import { type PresetName, presets } from './presets.js';
import { torchvisionDrops } from './rows.js';

// The numbers of the systems themselves are in tests/conformance/presets.test.ts.

const mask = {
  ...{ unit: 'row', rows: 'independent', count: null, execution: 'mask', scale: 'inverted' },
  ...{ ranks: 'independent', optimizer: 'zero' },
};
const block = { unit: 'block', execution: 'gate', rows: null, count: null, ranks: 'shared', optimizer: 'frozen' };
const blockMask = { ...block, execution: 'mask', ranks: 'independent', optimizer: 'zero' };

test.each<[PresetName, object, object]>([
  ['huang2016', {}, { ...block, drop: 0.5, schedule: 'linear', scale: 'paper', optimizer: 'zero' }],
  ['composer', {}, { ...block, drop: 0.2, schedule: 'linear', scale: 'paper', ranks: 'independent' }],
  ['composer', { method: 'sample' }, { ...mask, drop: 0.2, schedule: 'linear', scale: 'paper' }],
  ['torchvision', { drop: 0.1 }, { ...mask, drop: 0.1, schedule: 'linspace' }],
  ['torchvision', { drop: 0.1, family: 'efficientnet' }, { ...mask, drop: 0.1, schedule: 'ramp' }],
  ['torchvision', { model: 'swin_b' }, { ...mask, drop: 0.5, schedule: 'linspace' }],
  ['torchvision', { model: 'swin_b', drop: 0.4 }, { ...mask, drop: 0.4, schedule: 'linspace' }],
  ['timm', {}, { ...mask, drop: 0, schedule: 'linspace' }],
  ['timm', { drop: 0.2, scaleByKeep: false }, { ...mask, drop: 0.2, schedule: 'linspace', scale: 'none' }],
  ['timm', { drop: 0.2, family: 'cait' }, { ...mask, drop: 0.2, schedule: 'uniform' }],
  ['efficientnet', {}, { ...mask, drop: 0.2, schedule: 'ramp' }],
  ['kerasCv', {}, { ...mask, drop: 0.2, schedule: 'ramp' }],
  ['kerasCv', { layer: 'StochasticDepth' }, { ...blockMask, drop: 0.2, scale: 'paper' }],
  [
    'dinov2',
    {},
    {
      unit: 'row',
      rows: 'random',
      count: 'dinov2',
      execution: 'subset',
      scale: 'realised',
      drop: 0.3,
      schedule: 'uniform',
    },
  ],
  ['dinov2', { drop: 0.1 }, { ...mask, drop: 0.1, schedule: 'uniform' }],
  ['dinov2', { drop: 0.1, uniform: false }, { rows: 'random', count: 'dinov2', schedule: 'linspace' }],
  [
    'torchtune',
    { drop: 0.2 },
    { unit: 'row', rows: 'independent', execution: 'subset', scale: 'none', ranks: 'shared' },
  ],
  ['pld', {}, { ...block, drop: 0.5, schedule: 'linear', time: { kind: 'exponential', gamma: 0.001 } }],
  ['pld', { theta: 0.9, gamma: 0.01 }, { drop: 1 - 0.9, time: { kind: 'exponential', gamma: 0.01 } }],
  ['nemo', { drop: 0.3 }, { ...blockMask, protect: { first: 1, last: 0 }, scale: 'inverted' }],
])('%s(%o) is %o', (name, options, expected) => {
  const policy = presets[name](options);
  expect(policy).toMatchObject(expected);
  expect(Object.isFrozen(policy)).toBe(true);
});

describe('every preset', () => {
  const names = Object.keys(presets) as PresetName[];
  const make = (name: PresetName, options: PolicyOptions): Policy => presets[name](options);

  test.each(names)('%s: fields that are given replace its own, those that are undefined do not', (name) => {
    expect(make(name, { drop: 0.25, schedule: 'log', ranks: 'shared', scale: undefined })).toEqual(
      Policy({ ...make(name, { drop: 0.25 }), schedule: 'log', ranks: 'shared' }),
    );
  });

  test.each(names)('%s: takes a list of rates, which replaces its rate', (name) => {
    const policy = make(name, { schedule: 'list', rates: [0.1, 0.3] });
    expect([policy.drop, policy.rates]).toEqual([0.3, [0.1, 0.3]]);
  });

  test.each(names)('%s: wrong rates and unknown fields are errors', (name) => {
    for (const drop of [-0.1, 1.5, Number.NaN]) expect(() => make(name, { drop })).toThrow(PolicyError);
    expect(() => make(name, { drop: 0.1, dropp: 1 } as PolicyOptions)).toThrow("did you mean 'drop'?");
  });
});

test('words that only a preset knows', () => {
  expect(() => presets.composer({ method: 'blok' as 'block' })).toThrow(
    'method: expected block or sample, got "blok", did you mean \'block\'?',
  );
  expect(() => presets.torchvision({ model: 'swin_x' as 'swin_t' })).toThrow('model: expected convnext_tiny, ');
  expect(() => presets.torchvision({ drop: 0.1, family: 'vit' as 'swin' })).toThrow('family: expected convnext, swin');
  expect(() => presets.torchvision({})).toThrow('drop: expected a rate in [0, 1], got undefined');
  expect(() => presets.timm({ family: 'resnext' as 'resnet' })).toThrow("did you mean 'resnet'?");
  expect(() => presets.kerasCv({ layer: 'droppath' as 'DropPath' })).toThrow("did you mean 'DropPath'?");
  expect(() => presets.composer({ dropWarmup: '10 epochs' })).toThrow('time.length: expected a number and a unit');
  expect(() => presets.pld({ theta: 1.5 })).toThrow('drop: expected a rate in [0, 1], got -0.5');
  expect(() => presets.nemo({ drop: 0.1, startLayer: -1 })).toThrow('protect.first');
});

test("torchvision's models each belong to a family", () => {
  for (const model of Object.keys(torchvisionDrops) as (keyof typeof torchvisionDrops)[]) {
    const { drop, schedule } = presets.torchvision({ model });
    expect([drop, schedule]).toEqual([torchvisionDrops[model], model.startsWith('efficientnet') ? 'ramp' : 'linspace']);
  }
});
