import { setNumThreads, zeros } from '@shallows/torch';
import { beforeAll, describe, expect, test } from 'vitest';
import { findSites, placesOf } from '../depth/index.js';
import { nameDropouts } from '../dropout/index.js';
import { rootKey } from '../random/index.js';
import { createRecipeModel, modelLayers, modelName } from './model.js';
import type { ModelInput } from './model-input.js';
import { parseRecipe } from './parse.js';
import type { Recipe } from './schema.js';

beforeAll(() => setNumThreads(1));

const modelOf = (text: string): Recipe['model'] =>
  parseRecipe(`name: small
model: ${text}
data: { kind: textures, size: 32 }
optimizer: { kind: sgd, lr: 0.1 }
train: { duration: 1ep }
`).model;

/** Every kind and size, as narrow as it can be. */
const models: readonly (readonly [text: string, name: string])[] = [
  ['{kind: cifar-resnet, depth: 20}', 'cifar-resnet-20'],
  ['{kind: resnet, depth: 18, widths: [4, 4, 4, 4]}', 'resnet-18'],
  ['{kind: resnet, depth: 34, widths: [4, 4, 4, 4], stem: cifar}', 'resnet-34'],
  ['{kind: resnet, depth: 50, widths: [4, 4, 4, 4], zeroInitResidual: true}', 'resnet-50'],
  ['{kind: resnet, depth: 101, widths: [4, 4, 4, 4], blocks: [1, 2, 1, 1]}', 'resnet-101'],
  ['{kind: preact-resnet, depth: 152, widths: [4, 4, 4, 4]}', 'preact-resnet-152'],
  ['{kind: preact-resnet, depth: 18, widths: [4, 4, 4, 4]}', 'preact-resnet-18'],
  ['{kind: vit, size: ti, patch: 8, dim: 12, heads: 2}', 'vit-ti'],
  ['{kind: vit, size: l, patch: 8, dim: 12, heads: 2, layerScale: 0.1, mlpRatio: 2}', 'vit-l'],
  ['{kind: vit, size: b, patch: 8, dim: 12, heads: 2, depth: 3}', 'vit-b'],
  ['{kind: swin, size: t, dim: 8, heads: [2, 2, 4, 4]}', 'swin-t'],
  ['{kind: swin, size: b, dim: 8, heads: [2, 2], depths: [1, 3], window: 4, patch: 2}', 'swin-b'],
  ['{kind: convnext, size: tiny, widths: [4, 4, 4, 4]}', 'convnext-tiny'],
  ['{kind: convnext, size: large, widths: [4, 4, 4, 4], patch: 2}', 'convnext-large'],
  ['{kind: convnext, size: base, widths: [4, 4], blocks: [1, 2], layerScale: 0.1}', 'convnext-base'],
  ['{kind: efficientnet, size: b0}', 'efficientnet-b0'],
  ['{kind: efficientnet, size: b4, depthFactor: 1.3}', 'efficientnet-b4'],
];

const rowsOf = (shape: readonly number[]): ModelInput => ({ shape, dtype: 'float32', outputs: 10 });

describe('the model of a recipe', () => {
  test.each(models)('%s', (text, name) => {
    const recipe = modelOf(text);
    expect(modelName(recipe)).toBe(name);
    using model = createRecipeModel(recipe, rowsOf([3, 32, 32]), rootKey(1));
    const places = placesOf(findSites(model));
    const layers = modelLayers(recipe);
    expect(layers).not.toBeNull();
    const known = layers?.droppable.flatMap((droppable, layer) =>
      layers.kinds.map((kind) => ({ kind, layer, droppable })),
    );
    expect(known).toEqual(places.map(({ kind, layer, droppable }) => ({ kind, layer, droppable })));
    using x = zeros([2, 3, 32, 32]);
    using logits = model.forward(x);
    expect(logits.shape).toEqual([2, 10]);
  });

  test.each(['b1', 'b2', 'b3', 'b5', 'b6', 'b7'])(
    'efficientnet of size %s has its layers, but for narrow ones',
    (size) => {
      const recipe = modelOf(`{kind: efficientnet, size: ${size}, widthFactor: 0.05}`);
      expect(modelLayers(recipe)).toBeNull();
      using model = createRecipeModel(recipe, rowsOf([3, 32, 32]), rootKey(1));
      const { widthFactor, ...wide } = recipe as Extract<Recipe['model'], { kind: 'efficientnet' }>;
      expect(modelLayers(wide)?.droppable).toHaveLength(
        new Set(placesOf(findSites(model)).map(({ layer }) => layer)).size,
      );
    },
  );

  test.each([
    [
      '{kind: mlp, classes: 10, hidden: [8, 4], hiddenDrop: 0.5, dropout: gaussian, weightDrop: 0.1}',
      'mlp-8x4',
      [3, 4, 4],
    ],
    ['{kind: lstm, classes: 10, hidden: 8, layers: 2, betweenDrop: 0.2, weightDrop: 0.5}', 'lstm-8', [5, 3]],
    ['{kind: lstm, classes: 10, cell: gru, bidirectional: true, read: mean}', 'gru-128', [4, 2]],
  ] as const)('%s: rows of any shape, and no layers to drop', (text, name, shape) => {
    const recipe = modelOf(text);
    expect([modelName(recipe), modelLayers(recipe)]).toEqual([name, null]);
    using model = createRecipeModel(recipe, rowsOf(shape), rootKey(1));
    using x = zeros([2, ...shape]);
    using logits = model.forward(x);
    expect(logits.shape).toEqual([2, 10]);
  });

  test('rates of a recipe are those of the model, and only pictures fit models for pictures', () => {
    const recipe = modelOf(
      '{kind: vit, size: ti, patch: 8, dim: 12, heads: 2, attnDrop: 0.1, projDrop: 0.2, headDrop: 0.3}',
    );
    using model = createRecipeModel(recipe, rowsOf([3, 32, 32]), rootKey(1));
    const rates = Object.fromEntries(nameDropouts(model).map((site) => [site.name, site.rate]));
    expect(rates).toMatchObject({
      pos_drop: 0,
      'blocks.3.attn.attn_drop': 0.1,
      'blocks.3.attn.proj_drop': 0.2,
      'blocks.3.mlp.drop1': 0.2,
      head_drop: 0.3,
    });
    expect(() => createRecipeModel(recipe, rowsOf([3, 32]), rootKey(1))).toThrow(
      'expected pictures for the model, got inputs [3, 32]',
    );
    expect(() => modelOf('{kind: vit, size: ti, attnDrop: 1.5}')).toThrow(
      'model.attnDrop: expected a number from 0 to 1, got 1.5 - write the drop rate of the attention weights',
    );
  });

  test('is not known where a size is wrong', () => {
    expect(modelLayers({ kind: 'vit' })).toBeNull();
    expect(modelLayers({ kind: 'resnet' })).toBeNull();
    expect(modelLayers({})).toBeNull();
  });
});
