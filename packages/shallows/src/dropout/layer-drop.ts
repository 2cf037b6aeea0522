import { Operator, scope, type Tensor } from '@shallows/torch';
import { ShallowsError, shown } from '../errors.js';
import { Module } from '../nn/module.js';
import { evaluation, type Pass } from '../nn/pass.js';
import { passOfRows } from '../nn/row-keys.js';
import { spread } from '../nn/spread.js';
import { uniform } from '../random/draws.js';
import { nextDraws } from './draws.js';
import type { DropoutModuleOptions, DropoutOptions } from './dropout.js';
import { DropoutModule } from './dropout-module.js';
import { type DropRate, rateIn, requireRate } from './rate.js';
import { fromIndex } from './row-index.js';
import { DropoutSite } from './site.js';

const indexSelect = new Operator('aten::index_select');
const indexCopy = new Operator('aten::index_copy');

const KIND = 'layer-drop';
const HOW = { granularity: 'layer', scaling: 'none' } as const;

/** The rows that a layer is run on, an int64 index; null for all of the batch. */
export type LayerRows = Tensor | null;

/** Runs one layer of a stack on what the one before gave. */
export type RunLayer<L> = (layer: L, x: Tensor, pass: Pass, rows: LayerRows) => Tensor;

/**
 * Drops whole layers of a stack at random: x ← layer(x) with probability 1 − p, else x stays as it is and the layer is not run.
 * Nothing is scaled: evaluation runs all layers, and works with fewer of them too.
 *
 * Decisions are for the batch, and derive from the pass's key, the name, how often it was called in the pass and the place of
 * the layer; in passes with keys for rows they are for each row, and a layer runs on the rows that keep it. Layers keep shapes.
 * Other rates for other layers, gates of single branches and what saves time in training are in `shallows/depth`.
 *
 * @param run how a layer is run
 * @throws ShallowsError for p outside [0, 1], and where it drops without a name or without a key on the pass
 * @see Fan, Grave and Joulin, "Reducing transformer depth on demand with structured dropout", ICLR 2020,
 *   https://arxiv.org/abs/1909.11556
 */
export function layerDrop<L>(
  layers: readonly L[],
  x: Tensor,
  p: number,
  pass: Pass,
  { name, run }: DropoutOptions & { readonly run: RunLayer<L> },
): Tensor {
  requireRate('layerDrop', p);
  return runKept('layerDrop', layers, x, rateIn(pass, name, p, null), pass, name, run);
}

/**
 * A stack of layers that are dropped as a whole, see {@link layerDrop}. Keys are positions, as in `Sequential`: `0.weight`.
 */
export class LayerDrop extends DropoutModule {
  readonly #layers: readonly Module[];

  /** @throws ShallowsError for a rate outside [0, 1], NaN included, a schedule that is none, or a layer that is no module */
  constructor(layers: readonly Module[], rate: DropRate = 0.2, { name }: DropoutModuleOptions = {}) {
    super(KIND, { fn: 'LayerDrop', ...HOW, rate, name });
    const wrong = layers.find((each) => !(each instanceof Module));
    if (wrong !== undefined) {
      throw new ShallowsError(`LayerDrop: expected modules, got ${shown(wrong)} - give a list of layers`);
    }
    this.#layers = [...layers];
    for (const [i, value] of layers.entries()) Object.defineProperty(this, i, { value, enumerable: true });
  }

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return runLayers(this.#layers, x, pass, this.site, (layer, y, own) => layer.forward(y, own));
  }
}

/** The site of a stack whose layers are dropped, for models that run their own: see {@link runLayers}. */
export function layerDropSite(fn: string, rate: DropRate, name?: string): DropoutSite {
  return new DropoutSite(KIND, { fn, ...HOW, rate, name });
}

/** {@link layerDrop} at a site, or without any. What a layer made is freed when the next one has its result. */
export function runLayers<L>(
  layers: readonly L[],
  x: Tensor,
  pass: Pass,
  site: DropoutSite | null,
  run: RunLayer<L>,
): Tensor {
  return runKept('LayerDrop', layers, x, site?.rateIn(pass) ?? 0, pass, site?.name ?? '', run);
}

function runKept<L>(
  fn: string,
  layers: readonly L[],
  x: Tensor,
  rate: number,
  pass: Pass,
  name: string,
  run: RunLayer<L>,
): Tensor {
  const all = rate === 0 ? x : spread(x, pass, name);
  const rows = all.shape[0];
  const draws = rate === 0 ? null : nextDraws(fn, pass, name, rows);
  const one = (layer: L, place: number, y: Tensor): Tensor => {
    if (draws === null) return run(layer, y, pass, null);
    if (draws.rowKeys === null) return uniform(draws.key, place) < rate ? y : run(layer, y, pass, null);
    const kept = draws.rowKeys.flatMap((key, row) => (uniform(key, place) < rate ? [] : [row]));
    if (kept.length === rows) return run(layer, y, pass, null);
    if (kept.length === 0) return y;
    const index = fromIndex(kept, y.device);
    const some = run(layer, indexSelect.call([y, 0, index]) as Tensor, passOfRows(pass, { index: kept }), index);
    return indexCopy.call([y, 0, index, some]) as Tensor;
  };
  const upTo = (count: number): Tensor =>
    count === 0 ? all : scope(() => one(layers[count - 1] as L, count - 1, upTo(count - 1)));
  return upTo(layers.length);
}
