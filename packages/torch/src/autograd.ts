import { TorchError } from './errors.js';
import { native } from './native.js';
import { attempt, isTensor, live, Tensor } from './tensor.js';

function withGrad<T>(name: string, enabled: boolean, fn: () => T): T {
  const before = native().setGradEnabled(enabled);
  try {
    const result = fn();
    if (typeof result === 'object' && result !== null && 'then' in result && typeof result.then === 'function') {
      throw new TorchError(
        `${name}: expected a synchronous function, got one that returns a promise - await outside of it`,
      );
    }
    return result;
  } finally {
    native().setGradEnabled(before);
  }
}

/** Runs `fn` without recording operators for the backward pass. */
export function noGrad<T>(fn: () => T): T {
  return withGrad('noGrad', false, fn);
}

/** Runs `fn` with recording on, also inside {@link noGrad}. */
export function enableGrad<T>(fn: () => T): T {
  return withGrad('enableGrad', true, fn);
}

/** Options of {@link grad}. */
export interface GradOptions {
  /** The gradient of each output; needed where an output is not a scalar. */
  readonly gradOutputs?: readonly (Tensor | null)[];
  /** Give null for an input that the outputs do not depend on, rather than throw. */
  readonly allowUnused?: boolean;
  /** Keep the graph for another backward pass. */
  readonly retainGraph?: boolean;
  /** Make the gradients differentiable themselves. */
  readonly createGraph?: boolean;
}

/** The gradients Σ ∂output/∂input · gradOutput of the outputs with respect to each input, without touching any `grad`. */
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  { gradOutputs, allowUnused = false, createGraph = false, retainGraph = createGraph }: GradOptions = {},
): (Tensor | null)[] {
  const from = handles('grad', outputs);
  const given = gradOutputs === undefined ? new Float64Array(from.length) : handles('grad', gradOutputs, true);
  if (given.length !== from.length) {
    throw new TorchError(`grad: expected ${from.length} gradOutputs, one an output, got ${given.length}`);
  }
  const to = handles('grad', inputs);
  const found = attempt(() => native().grad(from, to, given, retainGraph, createGraph, allowUnused));
  return Array.from(found, (handle) => (handle === 0 ? null : new Tensor(handle)));
}

/** The accumulated gradients of many tensors, in one native call. */
export function gradsOf(tensors: readonly Tensor[]): (Tensor | null)[] {
  const from = handles('gradsOf', tensors);
  const found = attempt(() => native().gradsOf(from));
  return Array.from(found, (handle) => (handle === 0 ? null : new Tensor(handle)));
}

/** Removes the gradients of many tensors, in one native call. */
export function clearGrads(tensors: readonly Tensor[]): void {
  const from = handles('clearGrads', tensors);
  attempt(() => native().clearGrads(from));
}

const mostTensors = 1_000_000;

// null, where gradients may be left out, has the handle 0.
function handles(name: string, tensors: Tensor | readonly (Tensor | null)[], gaps = false): Float64Array {
  if (isTensor(tensors)) return Float64Array.of(live(tensors));
  if (!Array.isArray(tensors) || tensors.length > mostTensors) {
    const got = Array.isArray(tensors) ? `an array of length ${tensors.length}` : `a ${typeof tensors}`;
    throw new TorchError(`${name}: expected a tensor or an array of at most ${mostTensors}, got ${got}`);
  }
  const result = new Float64Array(tensors.length);
  for (let i = 0; i < result.length; i++) {
    const each: Tensor | null = tensors[i];
    result[i] = gaps && each === null ? 0 : live(each as Tensor);
  }
  return result;
}
