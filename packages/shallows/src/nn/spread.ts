import { Operator, type Tensor } from '@shallows/torch';
import { type Pass, passSlot } from './pass.js';

const unsqueeze = new Operator('aten::unsqueeze');
const expand = new Operator('aten::expand');
const flatten = new Operator('aten::flatten', 'using_ints');

/** How several passes over one batch run as one larger batch: pass t of row b is row t · rows + b. */
export interface Spread {
  /** Rows of the batch itself. */
  readonly rows: number;
  readonly passes: number;
}

/** Where a pass says that it stands for several, which differ from their first random place on. */
export const spreadSlot = passSlot<Spread>('spread');

/** Who is told, by name, of each place that is about to do something random in a pass. */
export const randomPlaceSlot = passSlot<(name: string) => void>('random place');

/** Who is told of each place that looks up its rate in a random pass, with that rate; also of those at 0. */
export const askedPlaceSlot = passSlot<(name: string, rate: number) => void>('asked place');

/**
 * The rows of a batch once for each pass that this one stands for; x itself where they are that already, or where it stands
 * for one. Code that is random by rows calls it on what it is given before it draws, so that all before it runs once.
 *
 * @param name of the random place
 * @param rowDim the dimension of the rows
 */
export function spread(x: Tensor, pass: Pass, name: string, rowDim = 0): Tensor {
  pass.get(randomPlaceSlot)?.(name);
  return wide(x, pass, rowDim);
}

/** What goes along with x, such as a mask or a shortcut: its rows once for each pass where those of x are that. */
export function spreadAlong(companion: Tensor, x: Tensor, pass: Pass, rowDim = 0): Tensor {
  const all = pass.get(spreadSlot);
  const isWide = all !== undefined && all.passes > 1 && x.shape[0] === all.rows * all.passes;
  return isWide ? wide(companion, pass, rowDim) : companion;
}

function wide(x: Tensor, pass: Pass, rowDim: number): Tensor {
  const all = pass.get(spreadSlot);
  if (all === undefined || all.passes === 1) return x;
  const { shape } = x;
  if (shape[rowDim] !== all.rows) return x;
  const repeated = expand.call([
    unsqueeze.call([x, rowDim]),
    [...shape.slice(0, rowDim), all.passes, ...shape.slice(rowDim)],
  ]);
  return flatten.call([repeated, rowDim, rowDim + 1]) as Tensor;
}
