import { Operator, type Tensor } from '@shallows/torch';
import type { Pass } from './pass.js';
import { byRowKeys, requireRowKeys } from './row-keys.js';
import { spread } from './spread.js';
import { placeOf, type StochasticLayer } from './stochastic.js';

const narrow = new Operator('aten::narrow');
const cat = new Operator('aten::cat');

/** @internal A layer with its weight as a dropout of weights leaves it: rows with other keys have other weights. */
export function withDroppedWeight(
  dropout: StochasticLayer,
  weight: Tensor,
  x: Tensor,
  pass: Pass,
  run: (x: Tensor, weight: Tensor) => Tensor,
): Tensor {
  const all = spread(x, pass, placeOf(dropout));
  requireRowKeys('DropConnect', pass, all.shape[0]);
  const parts = byRowKeys(pass, (own, rows) =>
    run(rows === null ? all : (narrow.call([all, 0, rows.start, rows.length]) as Tensor), dropout.forward(weight, own)),
  );
  return parts.length === 1 ? (parts[0] as Tensor) : (cat.call([parts, 0]) as Tensor);
}
