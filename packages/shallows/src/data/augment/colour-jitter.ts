import type { Tensor } from '@shallows/torch';
import { deriveKey, type Key, randint, uniform } from '../../random/index.js';
import { between } from './boxes.js';
import { adjustBrightness, adjustContrast, adjustHue, adjustSaturation } from './colour.js';
import { changeRows } from './rows.js';

/** How far colours are changed: factors from max(0, 1 − x) to 1 + x, and turns of the hue from −x to x. */
export interface ColourJitterSettings {
  readonly brightness: number;
  readonly contrast: number;
  readonly saturation: number;
  /** In [0, 0.5]: a share of the circle. */
  readonly hue: number;
}

/** The drawn changes of a batch. */
export interface ColourDraws {
  /** For each picture the four changes in the order in which they are made: 0 brightness, 1 contrast, 2 saturation, 3 hue. */
  readonly orders: readonly (readonly number[])[];
  /** For each change the factor (for hue, the turn) of each picture; null for one that is not made. */
  readonly factors: readonly (readonly number[] | null)[];
}

const names = ['brightness', 'contrast', 'saturation', 'hue'] as const;
const changes = [adjustBrightness, adjustContrast, adjustSaturation, adjustHue];
/** All orders of four. */
const orders: readonly (readonly number[])[] = permutations([0, 1, 2, 3]);

/** Draws the changes of some rows of a dataset: for each row a function of (key, row). @see torchvision 0.28, `ColorJitter` */
export function drawColourJitter(settings: ColourJitterSettings, key: Key, rows: Uint32Array): ColourDraws {
  return {
    orders: Array.from(rows, (row) => orders[randint(key, orders.length, row)] ?? []),
    factors: names.map((name) => {
      const extent = settings[name];
      if (extent === 0) return null;
      const own = deriveKey(key, name);
      const range = name === 'hue' ? ([-extent, extent] as const) : ([Math.max(0, 1 - extent), 1 + extent] as const);
      return Array.from(rows, (row) => between(range, uniform(own, row)));
    }),
  };
}

/** Makes the drawn changes: pictures whose turn it is for the same one together. @param images uint8 `[B, 1 or 3, H, W]` */
export function applyColourJitter(images: Tensor, draws: ColourDraws): Tensor {
  let result = images;
  for (let turn = 0; turn < changes.length; turn++) {
    for (const [which, change] of changes.entries()) {
      const factors = draws.factors[which] ?? null;
      if (factors === null) continue;
      const rows = draws.orders.flatMap((order, row) => (order[turn] === which ? [row] : []));
      const own = rows.map((row) => factors[row] ?? 0);
      result = changeRows(result, rows, (some) => change(some, own));
    }
  }
  return result;
}

function permutations(items: readonly number[]): number[][] {
  if (items.length <= 1) return [[...items]];
  return items.flatMap((first) => permutations(items.filter((item) => item !== first)).map((rest) => [first, ...rest]));
}
