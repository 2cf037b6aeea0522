import { install, type MethodsOf } from '../table.js';
import { Tensor } from '../tensor.js';
import { activations } from './activations.js';
import { casts } from './casts.js';
import { comparison } from './comparison.js';
import { type Extrema, extrema } from './extrema.js';
import { inPlace, random } from './in-place.js';
import { indexing } from './indexing.js';
import * as lists from './lists.js';
import { losses } from './losses.js';
import { neural } from './neural.js';
import { arithmetic, elementary } from './pointwise.js';
import { products } from './products.js';
import { reductions } from './reductions.js';
import { selection } from './selection.js';
import { shapes } from './shapes.js';

/** Every operator that is a method of tensors. */
export const methodTable = {
  ...arithmetic,
  ...elementary,
  ...comparison,
  ...reductions,
  ...shapes,
  ...selection,
  ...products,
  ...activations,
  ...neural,
  ...losses,
  ...inPlace,
  ...random,
  ...casts,
  ...indexing,
};

declare module '../tensor.js' {
  interface Tensor extends MethodsOf<typeof methodTable>, Extrema {}
}

install(Tensor.prototype, { ...methodTable, ...extrema });

/** The operators as functions of their first argument, beside those that take lists: `functional.relu(x)`. */
export const functional = { ...methodTable, ...extrema, ...lists };
