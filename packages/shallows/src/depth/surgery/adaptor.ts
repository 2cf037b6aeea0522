import { isTensor, type Tensor } from '@shallows/torch';
import { ShallowsError, shown } from '../../errors.js';
import { evaluation, type Pass, passSlot } from '../../nn/pass.js';
import { type ResidualBlock, Site } from '../policy/site.js';
import { residual } from '../residual/residual.js';

/** How one residual unit of a class that does its own sum is run: y = activation(shortcut(x) + branch(x)). */
export interface ResidualUnit<Block> {
  /** What the branch is, for people and for rates by kind. */
  readonly kind: string;
  /** The part that may be dropped; with dropped rows it is given the kept ones. `extras` are the block's arguments after x. */
  branch(block: Block, x: Tensor, pass: Pass, extras: readonly (Tensor | null)[]): Tensor;
  /** The part that always runs; x itself unless given. A new tensor, no view of x. */
  shortcut?(block: Block, x: Tensor, pass: Pass): Tensor;
  /** What follows the sum: `relu`, or a function. See `ResidualBlock`. */
  readonly activation?: 'relu' | ((block: Block, sum: Tensor) => Tensor);
}

/** A class of residual blocks, with the type of its instances. */
export type BlockClass<Block> = abstract new (...args: never[]) => Block;

type Bind = (module: object) => readonly ResidualBlock[];

// Like a decorator on the class, but from outside of it: nothing else refers to it, so it ends with the class.
const adaptors = new WeakMap<object, { readonly kinds: readonly string[]; readonly bind: Bind }>();

/** @internal Sees what an adapted block gives, and what its own forward would have given. */
export const adaptedSlot = passSlot<(module: object, adapted: Tensor, own: () => unknown) => void>('adapted blocks');

/**
 * Says how a class whose `forward` adds shortcut and branch itself is run by `residual`, so that `applyStochasticDepth` can
 * drop its branches; the class stays as it is.
 *
 * ```ts
 * adaptResidual(Bottleneck, {
 *   kind: 'bottleneck',
 *   branch: (block, x, pass) => block.layers.forward(x, pass),
 *   shortcut: (block, x, pass) => block.downsample?.forward(x, pass) ?? x,
 *   activation: 'relu',
 * });
 * ```
 *
 * A block with several units, such as attention and then an MLP, gives them in the order in which they run; they count as one
 * layer. A class that is adapted again is run as was said last. A subclass with a `forward` of its own needs its own adaptor.
 *
 * @throws ShallowsError for a class without `forward`, no unit, and units without a kind or of one kind
 */
export function adaptResidual<Block extends object>(
  blockClass: BlockClass<Block>,
  ...units: readonly ResidualUnit<Block>[]
): void {
  if (typeof blockClass !== 'function' || typeof Reflect.get(Object(blockClass.prototype), 'forward') !== 'function') {
    throw new ShallowsError(
      `adaptResidual: expected a class with a forward, got ${shown(blockClass)} - pass the class of the blocks itself`,
    );
  }
  const kinds = units.map(({ kind }) => kind);
  if (units.length === 0 || kinds.includes('') || new Set(kinds).size < kinds.length) {
    throw new ShallowsError(
      `adaptResidual: expected units of different kinds for ${blockClass.name}, got ${kinds.map(shown).join(', ') || 'none'} - ` +
        "write adaptResidual(Block, { kind: 'basic', branch: (block, x, pass) => … })",
    );
  }
  const bind: Bind = (module) => {
    if (!(module instanceof blockClass)) return [];
    const first = new Site(kinds[0] ?? '');
    return units.map((unit, i) => bound(module, unit, i === 0 ? first : new Site(unit.kind, { beside: first })));
  };
  adaptors.set(blockClass, { kinds, bind });
}

/** @internal A module that an adaptor fits, and the fields that its sites get. */
export interface Adaptable {
  readonly module: object;
  readonly fields: readonly { readonly field: string; readonly kind: string }[];
}

/** @internal The adaptor's view of a module, or `null` where none is registered for the forward that it has, or it has sites. */
export function adaptable(module: object): Adaptable | null {
  const found = adaptorOf(module);
  if (found === null || Object.values(module).some((value) => value instanceof Site)) return null;
  const { kinds } = found;
  const fields = kinds.map((kind) => {
    const field = kinds.length === 1 ? 'site' : kind in module ? `${kind}Site` : kind;
    return { field, kind };
  });
  return { module, fields };
}

/**
 * @internal Puts sites and a forward that goes through `residual` on one instance.
 *
 * @returns takes them off again
 * @throws ShallowsError where the block has a field of the site's name
 */
export function adapt({ module, fields }: Adaptable): () => void {
  const blocks = adaptorOf(module)?.bind(module) ?? [];
  for (const { field } of fields) {
    if (!(field in module)) continue;
    throw new ShallowsError(
      `applyStochasticDepth: expected a block without the field '${field}', got ${module.constructor.name} with one - rename it, or use another kind`,
    );
  }
  const own: unknown = Reflect.get(module, 'forward');
  const forward = (...args: readonly unknown[]): Tensor => {
    const { x, pass, extras } = inputsOf(module, args);
    const y = blocks.reduce((sum, block) => residual(block, sum, pass, extras), x);
    pass.get(adaptedSlot)?.(module, y, () =>
      typeof own === 'function' ? own.call(module, x.clone(), ...extras, evaluation) : null,
    );
    return y;
  };
  fields.forEach(({ field }, i) => {
    Object.defineProperty(module, field, { value: blocks[i]?.site, enumerable: true, configurable: true });
  });
  // Hidden, as a method on the prototype is.
  Object.defineProperty(module, 'forward', { value: forward, enumerable: false, configurable: true, writable: true });
  return () => {
    for (const { field } of fields) Reflect.deleteProperty(module, field);
    Reflect.deleteProperty(module, 'forward');
  };
}

function adaptorOf(module: object): { readonly kinds: readonly string[]; readonly bind: Bind } | null {
  for (let each: unknown = Object.getPrototypeOf(module); each instanceof Object; each = Object.getPrototypeOf(each)) {
    const found = adaptors.get(each.constructor);
    if (found === undefined) continue;
    const same = Reflect.get(each, 'forward') === Reflect.get(Object.getPrototypeOf(module), 'forward');
    return same ? found : null;
  }
  return null;
}

function bound<Block>(block: Block, unit: ResidualUnit<Block>, site: Site): ResidualBlock {
  const { activation } = unit;
  return {
    site,
    branch: (x, pass, extras) => unit.branch(block, x, pass, extras),
    shortcut: (x, pass) => unit.shortcut?.(block, x, pass) ?? x,
    ...(activation && {
      activation: activation === 'relu' ? activation : (sum: Tensor) => activation(block, sum),
    }),
  };
}

interface Inputs {
  readonly x: Tensor;
  readonly pass: Pass;
  readonly extras: readonly (Tensor | null)[];
}

/** `forward(x, ...extras, pass)`, the pass left out or not. */
function inputsOf(module: object, [x, ...rest]: readonly unknown[]): Inputs {
  const last = rest.at(-1);
  const pass = isPass(last) ? last : evaluation;
  const extras = (isPass(last) ? rest.slice(0, -1) : rest).map((each) => {
    if (each === undefined || each === null) return null;
    return isTensor(each) ? each : refuse(module, each);
  });
  return { x: isTensor(x) ? x : refuse(module, x), pass, extras };
}

function refuse(module: object, value: unknown): never {
  throw new ShallowsError(
    `applyStochasticDepth: expected tensors and a pass in the forward of ${module.constructor.name}, got ${shown(value)} - ` +
      'an adapted block takes forward(x, ...tensors, pass)',
  );
}

function isPass(value: unknown): value is Pass {
  return typeof value === 'object' && value !== null && 'mode' in value && 'with' in value && 'training' in value;
}
