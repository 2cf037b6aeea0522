import { isTensorHandle } from './handle.js';
import { isKeywords } from './keywords.js';
import { noMatch, Operator } from './operator.js';
import type { Tensor } from './tensor.js';

/** A table entry: the operator as a free function. */
export type OpFunction = (...args: never[]) => unknown;

type AnyFunction = (...args: unknown[]) => unknown;

const overloadsOfEntry = new WeakMap<object, readonly Operator[]>();

/** The overloads that a function made by {@link op} or {@link byOperand} chooses from; none for other functions. */
export function operatorsOf(entry: object): readonly Operator[] {
  return overloadsOfEntry.get(entry) ?? [];
}

function entry<F extends OpFunction>(call: AnyFunction, operators: readonly Operator[]): F {
  overloadsOfEntry.set(call, operators);
  return call as unknown as F;
}

/**
 * The typed function for an operator. With several overloads, the first that the arguments fit is called.
 *
 * @param name as in ATen, without the namespace
 */
export function op<F extends OpFunction>(name: string, ...overloads: string[]): F {
  const operators = (overloads.length === 0 ? [''] : overloads).map((each) => new Operator(`aten::${name}`, each));
  const first = operators[0] as Operator;
  if (operators.length === 1) {
    return entry((...args) => {
      const last = args[args.length - 1];
      return isKeywords(last) ? first.call(args.slice(0, -1), last) : first.call(args);
    }, operators);
  }
  return entry((...args) => {
    const last = args[args.length - 1];
    const keywords = isKeywords(last) ? last : undefined;
    if (keywords !== undefined) args.pop();
    for (const operator of operators) {
      const result = operator.tryCall(args, keywords);
      if (result !== noMatch) return result;
    }
    return first.call(args, keywords);
  }, operators);
}

/** The typed function for an operator whose overload depends on whether the second argument is a tensor or a number. */
export function byOperand<F extends OpFunction>(name: string, tensor: string, number: string): F {
  const forTensor = new Operator(`aten::${name}`, tensor);
  const forNumber = new Operator(`aten::${name}`, number);
  return entry(
    (...args) => {
      const second = args[1];
      const operator = typeof second === 'object' && second !== null && isTensorHandle(second) ? forTensor : forNumber;
      const last = args[args.length - 1];
      return isKeywords(last) ? operator.call(args.slice(0, -1), last) : operator.call(args);
    },
    [forTensor, forNumber],
  );
}

/** The entries of a table as methods: the first argument becomes `this`. */
export type MethodsOf<T> = {
  [K in keyof T]: T[K] extends (self: Tensor, ...rest: infer R) => infer O ? (...rest: R) => O : never;
};

/** Makes every entry of a table a method of a class. */
export function install(prototype: object, table: Readonly<Record<string, OpFunction>>): void {
  for (const [name, fn] of Object.entries(table)) {
    const call = fn as unknown as AnyFunction;
    // Without a spread for the usual numbers of arguments, as that costs more than the rest of the wrapper.
    const method = function (this: unknown, a?: unknown, b?: unknown, ...more: unknown[]): unknown {
      // biome-ignore lint/complexity/noArguments: the count tells an absent argument from undefined
      switch (arguments.length) {
        case 0:
          return call(this);
        case 1:
          return call(this, a);
        case 2:
          return call(this, a, b);
        default:
          return call(this, a, b, ...more);
      }
    };
    Object.defineProperty(method, 'name', { value: name });
    Object.defineProperty(prototype, name, { value: method, writable: true, configurable: true });
  }
}
