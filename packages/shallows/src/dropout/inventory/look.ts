import { noGrad, Operator, type Tensor } from '@shallows/torch';
import { ShallowsError, shown } from '../../errors.js';
import { type BatchNormState, syncBatchNormSlot } from '../../nn/batch-norm.js';
import type { AnyModule } from '../../nn/module.js';
import { evaluation, monteCarloPass, type Pass, type PassMode, trainingPass } from '../../nn/pass.js';
import { rootKey } from '../../random/index.js';
import { activeDropoutsSlot } from '../rate.js';
import { type Observation, observe } from './observe.js';

const clone = new Operator('aten::clone');
const copy_ = new Operator('aten::copy_');
const equal = new Operator('aten::equal');
const batchNorm = new Operator('aten::batch_norm');

/** An input for the model, or what runs it in a pass. */
export type Example = Tensor | ((pass: Pass) => unknown);

/** One forward pass of each mode. */
export type Looks = Readonly<Record<PassMode, Observation>>;

/**
 * Runs a model in a pass of each mode, and leaves it as it was: batch norm evaluates in all of them, buffers that change are
 * put back, and nothing is drawn from generators that others share. In the Monte-Carlo pass every dropout but those of
 * whole layers drops, so that all of them are come to; the others are there for operators that draw without a key.
 *
 * @param isActive whether a dropout of this name drops in the Monte-Carlo pass
 */
export function lookAt(model: AnyModule, example: Example, isActive: (name: string) => boolean): Looks {
  const forward = forwardOf(model, example);
  const buffers = [...model.namedBuffers()].map(([, buffer]) => buffer);
  const before = noGrad(() => buffers.map((buffer) => clone.call([buffer]) as Tensor));
  const key = rootKey(0);
  const look = (pass: Pass): Observation => observe(model, forward, pass);
  try {
    return {
      evaluation: look(evaluation),
      training: look(
        trainingPass({ key }).with(activeDropoutsSlot, new Set<string>()).with(syncBatchNormSlot, evaluatedNorm),
      ),
      'monte-carlo': look(monteCarloPass({ key }).with(activeDropoutsSlot, { has: isActive })),
    };
  } finally {
    noGrad(() => {
      for (const [i, buffer] of buffers.entries()) {
        if (equal.call([buffer, before[i]]) !== true) copy_.call([buffer, before[i]]);
      }
    });
    for (const each of before) each.dispose();
  }
}

/** Batch norm as in evaluation. */
function evaluatedNorm(x: Tensor, state: BatchNormState): Tensor {
  const { weight, bias, runningMean, runningVar, momentum, eps } = state;
  return batchNorm.call([x, weight, bias, runningMean, runningVar, false, momentum, eps, true]) as Tensor;
}

/** What runs a model on an example in a pass. */
export function forwardOf(model: AnyModule, example: Example): (pass: Pass) => unknown {
  if (typeof example === 'function') return example;
  const shape: unknown = Object(example).shape;
  if (!Array.isArray(shape)) {
    throw new ShallowsError(
      `inventory: expected an example input for the model, got ${shown(example)} - give a tensor, or (pass) => model.forward(x, pass)`,
    );
  }
  return (pass) => {
    const forward: (...inputs: never) => unknown = model.forward;
    return Reflect.apply(forward, model, [example, pass]);
  };
}
