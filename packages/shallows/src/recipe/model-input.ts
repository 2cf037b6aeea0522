import { type Tensor, zeros } from '@shallows/torch';
import type { Dataset } from '../data/index.js';
import { ShallowsError } from '../errors.js';
import type { Recipe } from './schema.js';

/** What a model is given and gives: one row of it. */
export interface ModelInput {
  /** Of one row: channels, height and width of a picture, features of a table, steps and channels of a series. */
  readonly shape: readonly number[];
  readonly dtype: 'float32' | 'int64';
  /** Classes, numbers or tokens that are predicted. */
  readonly outputs: number;
}

/** What the model of a recipe is for, once its data are there. */
export function inputOfData(
  { inputShape, inputDtype, classes, vocabulary, targetShape }: Dataset,
  { model }: Recipe,
): ModelInput {
  const numbers = targetShape.reduce((product, size) => product * size, 1);
  const outputs = vocabulary ?? (classes === null ? numbers : model.classes);
  return { shape: inputShape, dtype: inputDtype, outputs };
}

/**
 * What the model of a recipe is for, as far as the recipe says: pictures of 32 pixels a side where the files do, grey in IDX
 * format, as MNIST's are; generated data.
 *
 * @throws ShallowsError for data whose shape only their files say
 */
export function inputOfRecipe({ data, model }: Recipe): ModelInput {
  const picture = (channels: number, side: number): ModelInput => {
    return { shape: [channels, side, side], dtype: 'float32', outputs: model.classes };
  };
  switch (data.kind) {
    case 'cifar10':
    case 'cifar100':
      return picture(3, 32);
    case 'idx':
      return picture(1, 28);
    case 'folder':
    case 'textures':
      return picture(3, data.size);
    case 'friedman':
      return { shape: [data.features], dtype: 'float32', outputs: 1 };
    case 'seasonal':
      return { shape: [data.input, data.channels], dtype: 'float32', outputs: data.horizon * data.channels };
    default:
      throw new ShallowsError(
        `recipe: expected pictures or generated data, whose shape a recipe says, got data of kind ${data.kind} - train it, or ask about its run`,
      );
  }
}

/** Rows of a model's input, all zeros. */
export function zeroRows({ shape, dtype }: ModelInput, rows = 1): Tensor {
  return zeros([rows, ...shape], { dtype });
}
