import { TorchError } from './errors.js';
import { type Native, native } from './native.js';
import { attempt } from './tensor.js';

/** What the calls of one operator took, added up. */
export interface OperatorTime {
  /** `aten::convolution`; nodes of the backward pass by their own names, such as `ConvolutionBackward0`. */
  readonly name: string;
  readonly calls: number;
  /** Milliseconds in the operator itself, without the operators that it calls. */
  readonly selfMs: number;
  /** Milliseconds with the operators that it calls; a call within a call of the same operator counts once. */
  readonly totalMs: number;
}

/** What {@link profile} found. */
export interface Profile<T> {
  readonly result: T;
  /** How long the function ran, in milliseconds. What no operator took is JavaScript. */
  readonly ms: number;
  /** From the most time in the operator itself to the least. */
  readonly operators: readonly OperatorTime[];
}

/**
 * Runs a function and says where its time went, operator by operator, forward and backward: the operators that
 * `torch.profiler` counts, in time on the CPU. On another device that is the time of starting the work, not of doing it.
 *
 * A call takes some tenths of a microsecond longer while it is watched; memory does not grow with the calls.
 *
 * @param fn must be done when it returns; what other threads of JavaScript call meanwhile does not count
 * @throws TorchError where `fn` returns a promise, or a profile is under way in this process; what `fn` throws
 * @example profile(() => step()).operators.slice(0, 10)
 */
export function profile<T>(fn: () => T): Profile<T> {
  attempt(() => native().startProfile());
  const start = performance.now();
  let result: T;
  let ms: number;
  let times: ReturnType<Native['stopProfile']> = [];
  try {
    result = fn();
    ms = performance.now() - start;
  } finally {
    times = attempt(() => native().stopProfile());
  }
  if (result instanceof Promise) {
    // Whoever awaits it is told here already.
    result.catch(() => undefined);
    throw new TorchError(
      'profile: expected a function that is done when it returns, got a promise - leave out its async parts',
    );
  }
  const operators = times.map(([name, calls, self, total]) => ({
    name,
    calls,
    selfMs: self / 1e6,
    totalMs: total / 1e6,
  }));
  operators.sort((a, b) => b.selfMs - a.selfMs);
  return { result, ms, operators };
}
