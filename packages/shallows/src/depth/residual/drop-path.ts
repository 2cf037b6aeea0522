import { type DType, fromTypedArray, Operator, scope, type Tensor } from '@shallows/torch';
import { ShallowsError, shown } from '../../errors.js';
import { Module } from '../../nn/module.js';
import { evaluation, type Pass } from '../../nn/pass.js';
import { requireRowKeys } from '../../nn/row-keys.js';
import { Settings } from '../../nn/settings.js';
import { askedPlaceSlot, spread } from '../../nn/spread.js';
import { uniform, uniforms } from '../../random/draws.js';
import { deriveKey, type Key } from '../../random/key.js';
import { planSlot } from '../plan/planned-pass.js';
import type { ModuleTree } from '../policy/find-sites.js';

const mul = new Operator('aten::mul', 'Scalar');
const maskedFill = new Operator('aten::masked_fill', 'Scalar');

const maskable: readonly DType[] = ['float32', 'float64', 'float16', 'bfloat16', 'complex64', 'complex128'];

/** What a decision covers: each row of the batch by itself, or the whole batch. */
export type DropMode = 'row' | 'batch';

/** Options of {@link stochasticDepth}. */
export interface DropOptions {
  /**
   * The place of this call in the network, such as `blocks.3.mlp`: what is drawn is a function of the pass and this name, so
   * two places with one name drop the same rows.
   */
  readonly name: string;
  /** Whether what is kept counts 1/(1 − p) times; timm's option. */
  readonly scaleByKeep?: boolean;
}

/**
 * Drops rows of x, or all of it, at random: y[b] = x[b] / (1 − p) with probability 1 − p, else 0. For ported code that
 * multiplies branches by a mask; `residual` saves the dropped branch's work instead, and counts what was dropped.
 *
 * Draws from the pass's key, the name and, where the pass has a plan, its step, microbatch and rank; never from a generator
 * that others share. Give each step a key of its own: `trainingPass({ key: deriveKey(key, 'step', step) })`. In
 * evaluation, and where p is 0, `x` itself is returned and nothing is drawn.
 *
 * In Monte-Carlo passes whose rows have keys each row decides by its own, also in mode `batch`.
 *
 * The decision is made in 53 bits and the factor is applied in float32 (float64 for such an x), so rates and means are right
 * in half precision too; what is dropped is selected away, so NaN in it cannot leak. At p = 1 all is 0, and so are gradients.
 *
 * @param x `[B, …]` for `row`, any shape for `batch`; floating-point or complex
 * @param p drop rate, in [0, 1]
 * @returns the shape and dtype of `x`
 * @throws ShallowsError for another p or mode, x of integers or without rows, a random pass without a key, or no name
 * @see torchvision.ops.stochastic_depth
 */
export function stochasticDepth(
  x: Tensor,
  p: number,
  mode: DropMode,
  pass: Pass = evaluation,
  { name, scaleByKeep = true }: DropOptions = { name: '' },
): Tensor {
  requireRate('stochasticDepth', p, mode).check("write stochasticDepth(x, 0.1, 'row', pass, { name })");
  const shape = requireRows(x, mode);
  if (p === 0 || pass.mode === 'evaluation') return x;
  pass.get(askedPlaceSlot)?.(name, p);
  return scope(() => {
    const all = spread(x, pass, name);
    const dropped = drawDropped(all, p, mode, pass, name);
    const count = dropped.reduce((sum, each) => sum + each, 0);
    const scale = scaleByKeep && count < dropped.length ? 1 / (1 - p) : 1;
    if (count === 0) return scaled(all, scale);
    const each = shape.map((_, i) => (i === 0 ? dropped.length : 1));
    const mask = fromTypedArray(dropped, each, { dtype: 'bool', device: x.device });
    return maskedFill.call([scaled(all, scale), mask, 0]) as Tensor;
  });
}

/** 1 for what is dropped: each row, or all of them in one; where rows have keys each by its own, whatever the mode. */
function drawDropped({ shape }: Tensor, p: number, mode: DropMode, pass: Pass, name: string): Uint8Array {
  const key = keyAt(pass, name);
  const own = requireRowKeys('stochasticDepth', pass, shape[0]);
  const draws =
    own === null
      ? uniforms(key, mode === 'row' ? (shape[0] ?? 0) : 1)
      : own.map(({ hi, lo }) => uniform(deriveKey(key, hi, lo), 0));
  return Uint8Array.from(draws, (draw) => Number(draw < p));
}

/** {@link stochasticDepth} as a module, with torchvision's arguments. */
export class StochasticDepth extends Module {
  /** Drop rate, in [0, 1]. */
  p: number;
  readonly mode: DropMode;
  /** The module's place, see {@link DropOptions.name}; {@link nameDropPaths} fills in what is `''`. */
  name: string;

  /** @throws ShallowsError for a p outside [0, 1] or another mode: here, not at the first call */
  constructor(p: number, mode: DropMode, { name = '' }: { readonly name?: string } = {}) {
    super();
    requireRate('StochasticDepth', p, mode).check("write new StochasticDepth(0.1, 'row', { name })");
    this.p = p;
    this.mode = mode;
    this.name = name;
  }

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return stochasticDepth(x, this.p, this.mode, pass, { name: this.name });
  }
}

/** {@link stochasticDepth} by rows as a module, with timm's arguments. */
export class DropPath extends Module {
  /** Drop rate, in [0, 1]. */
  dropProb: number;
  readonly scaleByKeep: boolean;
  /** The module's place, see {@link DropOptions.name}; {@link nameDropPaths} fills in what is `''`. */
  name: string;

  /** @throws ShallowsError for a rate outside [0, 1] */
  constructor(
    dropProb = 0,
    { scaleByKeep = true, name = '' }: { readonly scaleByKeep?: boolean; readonly name?: string } = {},
  ) {
    super();
    requireRate('DropPath', dropProb, 'row').check('write new DropPath(0.1, { scaleByKeep, name })');
    this.dropProb = dropProb;
    this.scaleByKeep = scaleByKeep;
    this.name = name;
  }

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return stochasticDepth(x, this.dropProb, 'row', pass, { name: this.name, scaleByKeep: this.scaleByKeep });
  }
}

/**
 * Names every {@link DropPath} and {@link StochasticDepth} of a model that has no name yet by its path, `blocks.3.dropPath`.
 * A module that stands at one path but is called twice in a forward pass drops the same rows both times: use two.
 *
 * @returns all their names, in the order of the model's modules
 * @throws ShallowsError where two of them have one name
 */
export function nameDropPaths(model: ModuleTree): readonly string[] {
  const names: string[] = [];
  for (const [path, module] of model.namedModules()) {
    if (!(module instanceof DropPath || module instanceof StochasticDepth)) continue;
    if (module.name === '') module.name = path || 'dropPath';
    if (names.includes(module.name)) {
      throw new ShallowsError(
        `nameDropPaths: expected each name once, got ${shown(module.name)} twice - both would drop the same rows: rename one`,
      );
    }
    names.push(module.name);
  }
  return names;
}

function scaled(x: Tensor, scale: number): Tensor {
  // One rounding: libtorch multiplies half precision by a number in float32.
  return scale === 1 ? x : (mul.call([x, scale]) as Tensor);
}

function keyAt({ key, get }: Pass, name: string): Key {
  if (key === null) {
    throw new ShallowsError(
      'stochasticDepth: expected a pass with a key, got one without - write trainingPass({ key }), or drop at rate 0',
    );
  }
  if (typeof name !== 'string' || name === '') {
    throw new ShallowsError(
      `stochasticDepth: expected the name of the place that drops, got ${shown(name)} - give { name }, or call nameDropPaths(model)`,
    );
  }
  const place = deriveKey(key, 'drop-path', name);
  const plan = get(planSlot)?.plan;
  if (plan === undefined) return place;
  const { step, microbatch, rank } = plan;
  return deriveKey(place, step, microbatch, ...(rank === null ? [] : [rank]));
}

function requireRate(fn: string, p: number, mode: string): Settings {
  return new Settings(fn)
    .number('p', p, 'in [0, 1]', (value) => value >= 0 && value <= 1)
    .word('mode', mode, ['row', 'batch']);
}

function requireRows({ dtype, shape }: Tensor, mode: DropMode): readonly number[] {
  if (!maskable.includes(dtype)) {
    throw new ShallowsError(
      `stochasticDepth: expected a tensor of floating-point numbers, got ${dtype} - what is kept is scaled: convert it first`,
    );
  }
  if (mode === 'row' && shape.length === 0) {
    throw new ShallowsError("stochasticDepth: expected a tensor with rows, got shape [] - use the mode 'batch'");
  }
  return shape;
}
