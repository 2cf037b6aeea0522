import { isKeywords } from './keywords.js';
import { noMatch, Operator } from './operator.js';
import type { Tensor } from './tensor.js';

/** A table entry: the operator as a free function. */
export type OpFunction = (...args: never[]) => unknown;

/**
 * The typed function for an operator. With several overloads, the first that the arguments fit is called.
 *
 * @param name as in ATen, without the namespace
 */
export function op<F extends OpFunction>(name: string, ...overloads: string[]): F {
  const operators = (overloads.length === 0 ? [''] : overloads).map((each) => new Operator(`aten::${name}`, each));
  const last = operators.at(-1) as Operator;
  const call = (...args: unknown[]): unknown => {
    const end = args.at(-1);
    const keywords = isKeywords(end) ? end : undefined;
    if (keywords !== undefined) args.pop();
    for (const operator of operators) {
      if (operator === last) break;
      const result = operator.tryCall(args, keywords);
      if (result !== noMatch) return result;
    }
    return last.call(args, keywords);
  };
  return call as unknown as F;
}

/** The entries of a table as methods: the first argument becomes `this`. */
export type MethodsOf<T> = {
  [K in keyof T]: T[K] extends (self: Tensor, ...rest: infer R) => infer O ? (...rest: R) => O : never;
};

/** Makes every entry of a table a method of a class. */
export function install(prototype: object, table: Readonly<Record<string, OpFunction>>): void {
  for (const [name, fn] of Object.entries(table)) {
    const call = fn as (...args: unknown[]) => unknown;
    Object.defineProperty(prototype, name, {
      value(this: unknown, ...rest: unknown[]): unknown {
        return call(this, ...rest);
      },
      writable: true,
      configurable: true,
    });
  }
}
