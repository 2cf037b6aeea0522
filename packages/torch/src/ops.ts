import type { AtenOperators } from './aten.generated.js';
import type { BatchNormOperators } from './batch-norm-ops.js';
import { TorchError } from './errors.js';
import type { KeyedOperators } from './keyed-ops.js';
import { isKeywords } from './keywords.js';
import type { LinearOperators } from './linear-ops.js';
import { native } from './native.js';
import { noMatch, Operator } from './operator.js';
import type { PictureOperators } from './picture-ops.js';
import type { ResidualOperators } from './residual-ops.js';
import { suggest } from './suggest.js';

/** The operators of this package. */
export interface ShallowsOperators
  extends ResidualOperators,
    KeyedOperators,
    BatchNormOperators,
    LinearOperators,
    PictureOperators {}

/** What an operator returns: a tensor, a value, or a list of them. The schema in libtorch's documentation says which. */
// biome-ignore lint/suspicious/noExplicitAny: the schema decides the type at run time
export type OpResult = any;

/** Calls one overload: positional arguments, then an options object for keyword arguments. */
export type OpOverload = (...args: unknown[]) => OpResult;

/** Calls the first overload that the arguments fit; each overload is a property: `add.Tensor(x, y)`. */
export type OpPacket = OpOverload & { readonly [overload: string]: OpOverload };

/** The operators of one namespace by name. */
export type OpNamespace = { readonly [name: string]: OpPacket };

// Overloads are tried in this order, then by name; those that write into given tensors come last.
const order = ['', 'Tensor', 'Scalar', 'dim', 'int', 'Tensor_Tensor', 'Tensor_Scalar'];

function rank(overload: string): number {
  const index = order.indexOf(overload);
  if (index >= 0) return index;
  return overload.includes('out') ? order.length + 1 : order.length;
}

let overloadsByName: Map<string, string[]> | undefined;

function overloadsOf(name: string): string[] {
  if (overloadsByName === undefined) {
    overloadsByName = new Map();
    for (const [each, overload] of native().operatorNames()) {
      const list = overloadsByName.get(each);
      if (list === undefined) overloadsByName.set(each, [overload]);
      else list.push(overload);
    }
    for (const list of overloadsByName.values()) list.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  }
  return overloadsByName.get(name) ?? [];
}

function invoke(operator: Operator, args: unknown[], trial: boolean): unknown {
  const last = args.at(-1);
  const keywords = isKeywords(last) ? last : undefined;
  const positional = keywords === undefined ? args : args.slice(0, -1);
  return trial ? operator.tryCall(positional, keywords) : operator.call(positional, keywords);
}

function packet(name: string): OpPacket {
  const overloads = overloadsOf(name);
  if (overloads.length === 0) {
    const all = [...(overloadsByName?.keys() ?? [])];
    throw new TorchError(`ops: expected an operator of libtorch, got '${name}'${suggest(name, all)}`);
  }
  const operators = overloads.map((overload) => new Operator(name, overload));
  const call = (...args: unknown[]): unknown => {
    if (operators.length === 1) return invoke(operators[0] as Operator, args, false);
    for (const operator of operators) {
      const result = invoke(operator, args, true);
      if (result !== noMatch) return result;
    }
    const schemas = operators.map((each) => `\n  ${each.schema.text}`).join('');
    throw new TorchError(`${name}: expected arguments that fit an overload, got others - see the schemas:${schemas}`);
  };
  const byOverload = new Map<string, OpOverload>();
  return new Proxy(call as OpPacket, {
    get: (target, key) => {
      if (typeof key !== 'string' || (key in target && !overloads.includes(key))) return Reflect.get(target, key);
      const overload = key === 'default' ? '' : key;
      let found = byOverload.get(overload);
      if (found === undefined) {
        if (!overloads.includes(overload)) {
          const names = overloads.map((each) => (each === '' ? 'default' : each));
          throw new TorchError(
            `${name}: expected an overload of ${names.join(', ')}, got '${key}'${suggest(key, names)}`,
          );
        }
        const operator = new Operator(name, overload);
        found = (...args) => invoke(operator, args, false);
        byOverload.set(overload, found);
      }
      return found;
    },
  });
}

function namespace(space: string): OpNamespace {
  const packets = new Map<string, OpPacket>();
  return new Proxy({} as OpNamespace, {
    get: (target, key) => {
      if (typeof key !== 'string' || key === 'then' || key === 'toJSON') return Reflect.get(target, key);
      let found = packets.get(key);
      if (found === undefined) {
        found = packet(`${space}::${key}`);
        packets.set(key, found);
      }
      return found;
    },
    ownKeys: () =>
      [
        ...new Set(
          native()
            .operatorNames()
            .map(([name]) => name),
        ),
      ]
        .filter((name) => name.startsWith(`${space}::`))
        .map((name) => name.slice(space.length + 2)),
    getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }),
  });
}

const spaces = new Map<string, object>();

/**
 * Every operator of libtorch by namespace and name: `ops.aten.conv2d(x, w)`, `ops.aten.add.Tensor(x, y, { alpha: 2 })`.
 *
 * Arguments are positional, then an options object for keyword arguments; `null` stands for an absent optional. Errors
 * are {@link TorchError}s with the operator's name and its arguments' shapes.
 */
export const ops: {
  readonly aten: AtenOperators;
  readonly shallows: ShallowsOperators;
  readonly [namespace: string]: object;
} = new Proxy({} as { aten: AtenOperators; shallows: ShallowsOperators }, {
  get: (target, key) => {
    if (typeof key !== 'string' || key === 'then' || key === 'toJSON') return Reflect.get(target, key);
    let found = spaces.get(key);
    if (found === undefined) {
      found = namespace(key);
      spaces.set(key, found);
    }
    return found;
  },
});

/** All operators of this libtorch as `[name, overload]`. */
export function operatorNames(): [string, string][] {
  return native().operatorNames();
}
