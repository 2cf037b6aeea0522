import { expect, test } from 'vitest';
import { ShallowsError } from '../../errors.js';
import { cifarResnet, convnext, swin, transformerDecoder, vit } from '../../models/index.js';
import { rootKey } from '../../random/index.js';
import { AdamW, type Module, type Parameter, weightDecayGroups } from '../index.js';

const key = rootKey(1);

function keysOf(model: Module, groups: readonly { readonly params: readonly Parameter[] }[]): string[][] {
  const names = new Map(Array.from(model.namedParameters(), ([name, parameter]) => [parameter, name]));
  return groups.map(({ params }) => params.map((each) => names.get(each) ?? ''));
}

test('a ResNet: convolutions and the last matrix decay', () => {
  using model = cifarResnet({ depth: 8, classes: 10, key });
  const groups = weightDecayGroups(model, { weightDecay: 1e-4 });
  expect(groups.map(({ weightDecay }) => weightDecay)).toEqual([1e-4, 0]);
  const [decaying = [], others = []] = keysOf(model, groups);
  expect(decaying).toHaveLength(1 + 6 + 2 + 1 - 2 * Number(decaying.every((name) => !name.includes('downsample'))));
  expect(decaying.every((name) => name.endsWith('.weight'))).toBe(true);
  expect(others.every((name) => name.endsWith('.bias') || /bn|downsample\.1|norm/.test(name))).toBe(true);
  expect([...decaying, ...others].toSorted()).toEqual(Array.from(model.namedParameters(), ([name]) => name).toSorted());
});

test.each<[string, Module, readonly string[], readonly string[]]>([
  [
    'a ViT',
    vit({ size: 'ti', image: 8, patch: 4, classes: 2, dim: 8, depth: 1, heads: 2, key }),
    ['pos_embed', 'cls_token'],
    ['patch_embed.proj.weight', 'head.weight'],
  ],
  ['a Swin', swin({ size: 't', classes: 2, key }), ['relative_position_bias_table'], ['qkv.weight']],
  ['a ConvNeXt', convnext({ size: 'tiny', classes: 2, key, widths: [4, 4, 4, 4] }), ['layer_scale'], []],
  [
    'a language model',
    transformerDecoder({ vocabulary: 5, dim: 8, depth: 1, heads: 2, length: 4, positions: 'learned', key }),
    ['positions.weight'],
    ['tokens.weight'],
  ],
])('%s: positions and tokens are exempt, matrices are not', (_, model, exempt, decaying) => {
  const [yes = [], no = []] = keysOf(model, weightDecayGroups(model, { weightDecay: 0.05 }));
  for (const name of exempt) {
    expect(
      no.some((each) => each.endsWith(name)),
      name,
    ).toBe(true);
    expect(
      yes.some((each) => each.endsWith(name)),
      name,
    ).toBe(false);
  }
  for (const name of decaying)
    expect(
      yes.some((each) => each.endsWith(name)),
      name,
    ).toBe(true);
  const [all = []] = keysOf(model, weightDecayGroups(model, { weightDecay: 0.05, positions: false }));
  expect(all.filter((name) => !yes.includes(name)).length > 0).toBe(exempt[0] !== 'layer_scale');
  model.dispose();
});

test('a function decides alone, frozen parameters are left out, and so is an empty group', () => {
  using model = cifarResnet({ depth: 8, classes: 10, key });
  const all = model.parameters();
  const [first] = all;
  if (first === undefined) throw new Error('no parameter');
  first.requiresGrad = false;
  expect(weightDecayGroups(model, { weightDecay: 0.1, exempt: () => false })).toEqual([
    { params: all.slice(1), weightDecay: 0.1 },
  ]);
  const optimizer = new AdamW(weightDecayGroups(model, { weightDecay: 0.1 }), { lr: 0.1 });
  expect(optimizer.groups.map(({ weightDecay, lr }) => [weightDecay, lr])).toEqual([
    [0.1, 0.1],
    [0, 0.1],
  ]);
});

test.each<[string, object, string]>([
  ['weightDecay', { weightDecay: -1 }, 'weightDecayGroups: weightDecay: expected a number from 0, got -1'],
  ['exempt', { weightDecay: 1, exempt: 'norms' }, `exempt: expected 'norms-and-biases' or a function of key and`],
])('%s out of range is an error', (_, options, message) => {
  using model = cifarResnet({ depth: 8, classes: 10, key });
  const run = (): unknown => weightDecayGroups(model, options as { weightDecay: number });
  expect(run).toThrow(ShallowsError);
  expect(run).toThrow(message);
});
