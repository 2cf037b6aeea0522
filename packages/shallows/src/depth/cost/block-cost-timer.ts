import { clearGrads, gradsOf, noGrad, ops, scope, type Tensor } from '@shallows/torch';
import { type Pass, trainingPass } from '../../nn/pass.js';
import { rootKey } from '../../random/key.js';
import type { Plan } from '../plan/plan.js';
import { withPlan } from '../plan/planned-pass.js';
import type { ModuleTree } from '../policy/find-sites.js';

/** What measuring needs of a model; every `Module` is one. */
export interface MeasuredModel extends ModuleTree {
  parameters(): readonly Tensor[];
  namedBuffers(): Iterable<readonly [key: string, buffer: Tensor]>;
}

/** How long the two halves of a training step took, in milliseconds. */
export interface StepTime {
  readonly forwardMs: number;
  readonly backwardMs: number;
}

/** Runs one training step under a plan and says how long it took. */
export type StepTimer = (plan: Plan) => StepTime;

/**
 * A timer of training steps: forward, sum of the outputs, backward, without the optimizer. It waits for the device at the
 * end of either half.
 *
 * @param forward the forward pass on a batch, `(pass) => model.forward(x, pass)`
 * @param now the clock, in milliseconds
 */
export function stepTimer(
  model: MeasuredModel,
  forward: (pass: Pass) => Tensor,
  now: () => number = () => performance.now(),
): StepTimer {
  const parameters = model.parameters();
  const key = rootKey(0);
  return (plan) => {
    clearGrads(parameters);
    return scope(() => {
      const pass = withPlan(trainingPass({ key }), plan);
      const start = now();
      const loss = forward(pass).sum();
      // To read a value is to wait for all that was begun before it.
      loss.item();
      const middle = now();
      // Where every branch is dropped, a model without other weights has nothing to learn.
      if (loss.requiresGrad) loss.backward();
      loss.item();
      return { forwardMs: middle - start, backwardMs: now() - middle };
    });
  };
}

/** @internal Runs steps on a model and gives it back as it was: buffers such as running means, and gradients. */
export function leavingNoTrace<T>(model: MeasuredModel, fn: () => T): T {
  const parameters = model.parameters();
  const gradients = gradsOf(parameters);
  const buffers = Array.from(model.namedBuffers(), ([, buffer]) => [buffer, buffer.clone()] as const);
  try {
    return fn();
  } finally {
    clearGrads(parameters);
    noGrad(() => {
      for (const [buffer, before] of buffers) ops.aten.copy_(buffer, before);
    });
    parameters.forEach((parameter, i) => {
      const gradient = gradients[i] ?? null;
      if (gradient !== null) parameter.grad = gradient;
      gradient?.dispose();
    });
    for (const [, before] of buffers) before.dispose();
  }
}

/** @internal The middle of some times. */
export function medianTime(times: readonly StepTime[]): StepTime {
  return {
    forwardMs: median(times.map(({ forwardMs }) => forwardMs)),
    backwardMs: median(times.map(({ backwardMs }) => backwardMs)),
  };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return low === undefined || high === undefined ? Number.NaN : (low + high) / 2;
}
