import { TorchError } from './errors.js';
import { freeWords } from './frame.js';
import { enterScope, isTensorHandle, leaveScope, release, type TensorHandle } from './handle.js';

/**
 * Runs `fn` and frees every tensor it made, but for those reachable from what it returns: tensors, arrays, maps, sets and
 * the own fields of objects. They move to the scope around this one.
 *
 * Freeing costs one native call, whatever the number of tensors. `fn` must be synchronous.
 */
export function scope<T>(fn: () => T): T {
  enterScope();
  let kept: Set<TensorHandle> | null = null;
  try {
    const result = fn();
    if (typeof result === 'object' && result !== null) {
      if ('then' in result && typeof result.then === 'function') {
        throw new TorchError(
          'scope: expected a synchronous function, got one that returns a promise - use `using`, or dispose()',
        );
      }
      kept = reachable(result);
    }
    return result;
  } finally {
    leaveScope(kept, freeWords);
  }
}

/** Takes a tensor out of every running scope, so that it outlives them: for caches and state that a step creates. */
export function keep<T extends TensorHandle>(tensor: T): T {
  release(tensor);
  return tensor;
}

function reachable(root: object): Set<TensorHandle> {
  const found = new Set<TensorHandle>();
  if (isTensorHandle(root)) return found.add(root);
  const seen = new Set<object>([root]);
  const queue: object[] = [root];
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null || seen.has(value)) return;
    seen.add(value);
    queue.push(value);
  };
  for (let each = queue.pop(); each !== undefined; each = queue.pop()) {
    if (isTensorHandle(each)) found.add(each);
    if (ArrayBuffer.isView(each)) continue;
    if (each instanceof Map) {
      for (const [key, value] of each) {
        visit(key);
        visit(value);
      }
    } else if (each instanceof Set) {
      for (const value of each) visit(value);
    }
    for (const value of Object.values(each)) visit(value);
  }
  return found;
}
