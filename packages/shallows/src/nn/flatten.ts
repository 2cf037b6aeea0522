import { Operator, type Tensor } from '@shallows/torch';
import { Module } from './module.js';
import { Settings } from './settings.js';

const flatten = new Operator('aten::flatten', 'using_ints');

/** Options of {@link Flatten}; negative dimensions count from the end. */
export interface FlattenOptions {
  readonly startDim?: number;
  readonly endDim?: number;
}

/** Joins dimensions `startDim` to `endDim` into one: `[B, C, H, W]` becomes `[B, C·H·W]`. */
export class Flatten extends Module {
  readonly startDim: number;
  readonly endDim: number;

  /** @throws ShallowsError for dimensions that are no whole numbers */
  constructor({ startDim = 1, endDim = -1 }: FlattenOptions = {}) {
    super();
    new Settings('Flatten')
      .expect(Number.isSafeInteger(startDim), 'startDim', 'a whole number', startDim)
      .expect(Number.isSafeInteger(endDim), 'endDim', 'a whole number', endDim)
      .check('count dimensions from 0, or from -1 backwards');
    this.startDim = startDim;
    this.endDim = endDim;
  }

  override forward(x: Tensor): Tensor {
    return flatten.call([x, this.startDim, this.endDim]) as Tensor;
  }
}
