import { ShallowsError } from '../errors.js';
import { createModel, swinSizes, vitSizes } from '../models/index.js';
import type { Module } from '../nn/index.js';
import type { Key } from '../random/index.js';
import type { LooseSections } from './loose.js';
import type { ModelInput } from './model-input.js';
import type { Recipe } from './schema.js';

type Model = Recipe['model'];

/** Channels, height and width of the pictures that a model is for. */
export type PictureShape = readonly [channels: number, height: number, width: number];

/** @throws ShallowsError for inputs that are no pictures */
export function pictureShape({ name, inputShape }: { name: string; inputShape: readonly number[] }): PictureShape {
  const [channels, height, width, ...more] = inputShape;
  if (channels !== undefined && height !== undefined && width !== undefined && more.length === 0) {
    return [channels, height, width];
  }
  throw new ShallowsError(
    `recipe: expected pictures for the model, got inputs [${inputShape.join(', ')}] of ${name} - choose a model for such data`,
  );
}

/**
 * The model that a recipe names: its weights are a function of the key.
 *
 * @param input what it is for
 * @throws ShallowsError for another shape than the model is for
 */
export function createRecipeModel(model: Model, { shape, outputs }: ModelInput, key: Key): Module {
  switch (model.kind) {
    case 'mlp': {
      const { classes: _, ...options } = model;
      return createModel('mlp', { ...options, inputs: shape.reduce((a, b) => a * b, 1), outputs, key });
    }
    case 'lstm': {
      const { classes: _, vocabulary, ...options } = model;
      const input = vocabulary === undefined ? { inputs: shape.at(-1) ?? 1 } : { vocabulary };
      return createModel('lstm', { ...options, ...input, outputs, key });
    }
    default:
      return createPictureModel(model, pictureShape({ name: 'the data', inputShape: shape }), key);
  }
}

function createPictureModel(
  model: Exclude<Model, { kind: 'mlp' | 'lstm' }>,
  [channels, height, width]: PictureShape,
  key: Key,
): Module {
  switch (model.kind) {
    case 'cifar-resnet':
      return createModel('cifar-resnet', { ...model, channels, key });
    case 'resnet':
      return createModel('resnet', { ...model, channels, key });
    case 'preact-resnet':
      return createModel('preact-resnet', { ...model, channels, key });
    case 'vit':
      return createModel('vit', { ...model, image: [height, width], channels, key });
    case 'swin':
      return createModel('swin', { ...model, channels, key });
    case 'convnext':
      return createModel('convnext', { ...model, channels, key });
    case 'efficientnet':
      return createModel('efficientnet', { ...model, channels, key });
  }
}

/** What events and records call a model: `cifar-resnet-110`, `vit-ti`, `mlp-128x128`, `lstm-128`. */
export function modelName(model: Model): string {
  if (model.kind === 'mlp') return `mlp-${(model.hidden ?? [128, 128]).join('x')}`;
  if (model.kind === 'lstm') return `${model.cell ?? 'lstm'}-${String(model.hidden ?? 128)}`;
  return `${model.kind}-${String('size' in model ? model.size : model.depth)}`;
}

/** The layers of a model, as far as its recipe says: of what kind their branches are, and whether they can be dropped. */
export interface ModelLayers {
  readonly kinds: readonly string[];
  /** One entry a layer, in forward order. */
  readonly droppable: readonly boolean[];
}

type LooseModel = NonNullable<LooseSections['model']>;

/** The layers of the model of a recipe, without making it; null where the recipe does not say. */
export function modelLayers(model: LooseModel): ModelLayers | null {
  switch (model.kind) {
    case 'cifar-resnet':
      return model.depth === undefined ? null : layersOf(['basic'], (model.depth - 2) / 2);
    case 'resnet':
    case 'preact-resnet': {
      if (model.depth === undefined) return null;
      // A basic block has two of the layers with weights, a bottleneck three; two are outside of blocks.
      const basic = model.depth < 50;
      const kinds = [basic ? 'basic' : 'bottleneck'];
      return layersOf(kinds, total(model.blocks) ?? (model.depth - 2) / (basic ? 2 : 3));
    }
    case 'vit':
      if (model.depth === undefined && model.size === undefined) return null;
      return layersOf(['attention', 'mlp'], model.depth ?? vitSizes[model.size ?? 'ti'].depth);
    case 'swin':
      if (model.depths === undefined && model.size === undefined) return null;
      return layersOf(['attention', 'mlp'], total(model.depths ?? swinSizes[model.size ?? 't'].depths) ?? 0);
    case 'convnext':
      if (model.blocks === undefined && model.size === undefined) return null;
      return layersOf(['convnext'], total(model.blocks) ?? (model.size === 'tiny' ? 18 : 36));
    case 'efficientnet':
      return efficientnetLayers(model);
    default:
      return null;
  }
}

/** What the blocks of b0 are multiplied by in each published size. */
const depthFactors = { b0: 1, b1: 1.1, b2: 1.2, b3: 1.4, b4: 1.8, b5: 2.2, b6: 2.6, b7: 3.1 } as const;

function efficientnetLayers({
  size,
  widthFactor,
  depthFactor,
}: Extract<LooseModel, { kind?: 'efficientnet' | undefined }>): ModelLayers | null {
  if (size === undefined || widthFactor !== undefined) return null;
  const factor = depthFactor ?? depthFactors[size];
  // In every published width the first block of a stage changes the number of channels.
  const droppable = [1, 2, 2, 3, 3, 4, 1].flatMap((blocks) =>
    Array.from({ length: Math.ceil(blocks * factor) }, (_, i) => i > 0),
  );
  return { kinds: ['mbconv'], droppable };
}

function layersOf(kinds: readonly string[], count: number): ModelLayers {
  return { kinds, droppable: new Array<boolean>(count).fill(true) };
}

function total(blocks: readonly number[] | undefined): number | undefined {
  return blocks?.reduce((sum, each) => sum + each, 0);
}
