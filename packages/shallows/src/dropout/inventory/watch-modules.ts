import type { AnyModule } from '../../nn/module.js';

/** Who is told of the forward calls of a model's modules. */
export interface ModuleWatcher {
  /** @returns what is told when the call has given its result */
  entered(path: string, module: AnyModule, inputs: readonly unknown[]): (result: unknown) => void;
  /** The innermost call ended, with a result or an error. */
  left(): void;
}

/** Methods by which modules are called. */
const methods = ['forward', 'lock'] as const;

/**
 * Runs something and tells a watcher of every call of a module's `forward` (and of `lock`, by which dropouts of states are
 * called). The modules are as before when it ends, also with an error.
 */
export function watchModules<T>(
  model: { namedModules(): Iterable<readonly [path: string, module: AnyModule]> },
  watcher: ModuleWatcher,
  run: () => T,
): T {
  const restore: (() => void)[] = [];
  try {
    for (const [path, module] of model.namedModules()) {
      if (!Object.isExtensible(module)) continue;
      for (const method of methods) {
        const own = Object.getOwnPropertyDescriptor(module, method);
        const original: unknown = Reflect.get(module, method);
        if (!isFunction(original) || own?.configurable === false) continue;
        const watched = function (this: unknown, ...inputs: unknown[]): unknown {
          const given = watcher.entered(path, module, inputs);
          try {
            const result = call(original, this, inputs);
            if (method === 'forward' || !isFunction(result)) {
              given(result);
              return result;
            }
            return told(result, given);
          } finally {
            watcher.left();
          }
        };
        Object.defineProperty(module, method, {
          value: watched,
          enumerable: own?.enumerable ?? false,
          configurable: true,
        });
        restore.push(() => {
          if (own === undefined) Reflect.deleteProperty(module, method);
          else Object.defineProperty(module, method, own);
        });
      }
    }
    return run();
  } finally {
    for (const each of restore.toReversed()) each();
  }
}

type AnyFunction = (...inputs: never) => unknown;

function isFunction(value: unknown): value is AnyFunction {
  return typeof value === 'function';
}

function call(method: AnyFunction, self: unknown, inputs: readonly unknown[]): unknown {
  return Reflect.apply(method, self, inputs);
}

/** A function of what `lock` gave that tells what its first call gave. */
function told(apply: AnyFunction, given: (result: unknown) => void): unknown {
  let isFirst = true;
  return (...inputs: unknown[]): unknown => {
    const result = call(apply, undefined, inputs);
    if (isFirst) given(result);
    isFirst = false;
    return result;
  };
}
