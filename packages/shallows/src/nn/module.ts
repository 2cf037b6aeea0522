import { type Device, type DType, noGrad, ops, scope, Tensor } from '@shallows/torch';
import { didYouMean, ShallowsError } from '../errors.js';
import { Buffer, Parameter } from './parameter.js';
import type { Pass } from './pass.js';

/** A module's tensors by PyTorch's names: `layer1.0.bn1.running_mean`. */
export type StateDict = Record<string, Tensor>;

/** What `loadStateDict` could not match, where it is not strict. */
export interface LoadReport {
  /** Keys of the module that the state has not. */
  readonly missing: readonly string[];
  /** Keys of the state that the module has not. */
  readonly unexpected: readonly string[];
}

/**
 * A part of a network: fields that are parameters, buffers, modules, or arrays of modules, and a `forward`.
 *
 * Fields are found by what they hold; their names in camelCase are PyTorch's in snake_case (`runningMean` is
 * `running_mean`). There is no training flag: `forward(x)` evaluates, `forward(x, pass)` does what the pass says.
 */
export abstract class Module<Inputs extends readonly unknown[] = readonly [x: Tensor], Output = Tensor> {
  abstract forward(...args: [...Inputs, pass?: Pass]): Output;

  /** This module under `prefix` and all modules below it, parents first, in the order of their fields. */
  *namedModules(prefix = ''): Generator<[path: string, module: Module<readonly never[], unknown>]> {
    yield [prefix, this as unknown as Module<readonly never[], unknown>];
    for (const [name, child] of childrenOf(this)) yield* child.namedModules(join(prefix, name));
  }

  /** Every parameter by its key, each once, under its first name. */
  *namedParameters(): Generator<[key: string, parameter: Parameter]> {
    for (const [key, value] of tensorsOf(this)) if (value instanceof Parameter) yield [key, value];
  }

  /** Every buffer by its key, each once, under its first name. */
  *namedBuffers(): Generator<[key: string, buffer: Buffer]> {
    for (const [key, value] of tensorsOf(this)) if (value instanceof Buffer) yield [key, value];
  }

  /** Every parameter, in the order of {@link namedParameters}. */
  parameters(): Parameter[] {
    return Array.from(this.namedParameters(), ([, parameter]) => parameter);
  }

  /** The number of learnt elements. */
  get parameterCount(): number {
    return this.parameters().reduce((sum, each) => sum + each.numel, 0);
  }

  /** Parameters and buffers by PyTorch's keys and in PyTorch's order. The tensors are the module's own, not copies. */
  stateDict(): StateDict {
    const state: StateDict = {};
    for (const [path, module] of this.namedModules()) {
      const own = ownTensors(module);
      for (const [name, value] of own) if (value instanceof Parameter) state[join(path, name)] = value;
      for (const [name, value] of own) if (value instanceof Buffer) state[join(path, name)] = value;
    }
    return state;
  }

  /**
   * Copies values from a state into this module's tensors, cast to their dtype and device.
   *
   * Nothing is copied unless all of it fits.
   * @throws ShallowsError where a shape differs and, if `strict`, where a key is missing or unexpected: all at once
   */
  loadStateDict(state: Readonly<StateDict>, { strict = true }: { readonly strict?: boolean } = {}): LoadReport {
    const own = this.stateDict();
    const missing = Object.keys(own).filter((key) => !Object.hasOwn(state, key));
    const unexpected = Object.keys(state).filter((key) => !Object.hasOwn(own, key));
    const problems: string[] = [];
    if (strict) {
      problems.push(...missing.map((key) => `${key}: expected a tensor, got none`));
      const known = Object.keys(own);
      problems.push(...unexpected.map((key) => `${key}: expected a key of the module, got another${didYouMean(key, known)}`));
    }
    for (const [key, target] of Object.entries(own)) {
      const source = state[key];
      if (source === undefined || source.shape.join() === target.shape.join()) continue;
      problems.push(`${key}: expected shape [${target.shape.join(', ')}], got [${source.shape.join(', ')}]`);
    }
    if (problems.length > 0) {
      const shown = problems.slice(0, 20).join('\n  ');
      const more = problems.length > 20 ? `\n  and ${problems.length - 20} more` : '';
      throw new ShallowsError(`loadStateDict: expected the state of such a module - see each key:\n  ${shown}${more}`);
    }
    noGrad(() => {
      for (const [key, target] of Object.entries(own)) {
        const source = state[key];
        if (source !== undefined) ops.aten.copy_(target, source);
      }
    });
    return { missing, unexpected };
  }

  /** Moves all parameters and buffers to a device, floating point ones also to a dtype. Optimizers keep their hold. */
  to({ device, dtype }: { readonly device?: Device; readonly dtype?: DType }): this {
    noGrad(() =>
      scope(() => {
        for (const [, value] of tensorsOf(this)) {
          const floating = ops.aten.is_floating_point(value) as boolean;
          const moved = value.to({
            ...(device === undefined ? {} : { device }),
            ...(dtype === undefined || !floating ? {} : { dtype }),
          });
          ops.aten.set_data(value, moved);
        }
      }),
    );
    return this;
  }

  /** Frees all parameters and buffers. The module cannot be used afterwards. */
  dispose(): void {
    for (const [, value] of tensorsOf(this)) value.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

type AnyModule = Module<readonly never[], unknown>;

function join(prefix: string, name: string): string {
  return prefix === '' ? name : `${prefix}.${name}`;
}

const snakeNames = new Map<string, string>();

/** `runningMean` → `running_mean`, `conv1` → `conv1`. */
function snakeCase(name: string): string {
  let found = snakeNames.get(name);
  if (found === undefined) {
    found = name.replace(/(?<=[a-z0-9])[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    snakeNames.set(name, found);
  }
  return found;
}

function isModule(value: unknown): value is AnyModule {
  return value instanceof Module;
}

function* childrenOf(module: object): Generator<[name: string, child: AnyModule]> {
  for (const [field, value] of Object.entries(module)) {
    if (isModule(value)) yield [snakeCase(field), value];
    else if (Array.isArray(value)) {
      for (const [i, item] of value.entries()) if (isModule(item)) yield [`${snakeCase(field)}.${i}`, item];
    }
  }
}

function ownTensors(module: object): [name: string, tensor: Parameter | Buffer][] {
  const own: [string, Parameter | Buffer][] = [];
  for (const [field, value] of Object.entries(module)) {
    if (value instanceof Parameter || value instanceof Buffer) own.push([snakeCase(field), value]);
  }
  return own;
}

function* tensorsOf(root: { namedModules(): Iterable<[string, AnyModule]> }): Generator<[string, Parameter | Buffer]> {
  const seen = new Set<Tensor>();
  for (const [path, module] of root.namedModules()) {
    for (const [name, value] of ownTensors(module)) {
      if (seen.has(value)) continue;
      seen.add(value);
      yield [join(path, name), value];
    }
  }
}
