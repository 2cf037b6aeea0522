import { gradsOf, noGrad, scope, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../errors.js';
import { isPlateauSchedule, type JsonObject, type JsonValue } from '../nn/index.js';
import { keyToHex } from '../random/index.js';
import { allFinite } from './finite.js';
import type { AlgorithmEvent } from './handlers.js';
import type { Run } from './run.js';
import type { Snapshot } from './state.js';

/** What the tensors of a snapshot are called before their own names. */
export const prefixes = Object.freeze({
  model: 'model.',
  optimizer: 'optimizer.',
  algorithm: 'algorithm.',
  gradient: 'gradient.',
  loss: 'trainer.loss',
  lossSum: 'trainer.loss_sum',
  gradNorm: 'trainer.grad_norm',
});

/** Events in whose handlers a run is between two operations. */
const between: readonly AlgorithmEvent[] = [
  'onFitEnd',
  'onEpochStart',
  'onEpochEnd',
  'onOptimizerStepStart',
  'onBatchEnd',
];

/**
 * A run as it stands.
 *
 * @throws ShallowsError in the middle of an operation, or where weights are not finite: nothing good could follow
 */
export function takeSnapshot(run: Run): Snapshot {
  const { options, clock, depth, handlers, ranks, objective } = run;
  const { model, optimizer, schedule, algorithms, key, train, batchSize, precision, microbatches } = options;
  const { cursor } = handlers;
  requireBetween(run, cursor?.event ?? null);
  requireFinite(run);

  const tensors: Record<string, Tensor> = {};
  const gather = (prefix: string, own: Readonly<Record<string, Tensor>>): void => {
    for (const [name, tensor] of Object.entries(own)) tensors[prefix + name] = tensor;
  };
  gather(prefixes.model, model.stateDict());
  const optimized = optimizer.stateDict();
  gather(prefixes.optimizer, optimized.tensors);
  const carried: Record<string, JsonValue> = {};
  for (const algorithm of algorithms) {
    const state = algorithm.stateDict?.();
    if (state === undefined) continue;
    gather(`${prefixes.algorithm}${algorithm.name}.`, state.tensors);
    carried[algorithm.name] = state.json;
  }
  if (run.lossSum !== null) tensors[prefixes.lossSum] = run.lossSum;
  const { pending } = run;
  if (pending !== null) {
    tensors[prefixes.loss] = pending.loss;
    const norm = run.gradNorm ?? pending.gradNorm;
    if (norm !== null) tensors[prefixes.gradNorm] = norm;
  }
  const gradients = run.stage === 'step' ? gatherGradients(run, tensors) : null;

  const json = {
    format: 1,
    run: {
      key: keyToHex(key),
      data: train.digest,
      task: objective.task,
      batchSize,
      batchesPerEpoch: clock.timeline.batchesPerEpoch,
    },
    settings: { precision, microbatches, worldSize: ranks.size, channelsLast: run.place.channelsLast },
    stage: run.stage,
    // The end of this fit is no part of the run that goes on.
    cursor: cursor === null || cursor.event === 'onFitEnd' ? null : { event: cursor.event, asked: [...cursor.asked] },
    clock: { ...clock.state() },
    epoch: { ...run.epoch },
    pending: pending === null ? null : pendingJson(run),
    gradients,
    evaluatedAt: run.evaluatedAt,
    evaluation: run.evaluation as unknown as JsonValue,
    lrFactor: run.lrFactor,
    badInARow: run.badInARow,
    stopReason: run.stopReason,
    lossScaler: run.scaler?.stateDict() ?? null,
    optimizer: optimized.json,
    schedule: isPlateauSchedule(schedule) ? schedule.stateDict() : null,
    algorithms: carried,
    depth: depth.state(),
    times: run.times.state(),
  } satisfies JsonObject;
  return { tensors, json };
}

function requireBetween(run: Run, event: AlgorithmEvent | null): void {
  if (run.failed) {
    throw new ShallowsError(
      'Trainer.state: expected a run that goes on, got one that an error ended - go on from an earlier state',
    );
  }
  const where = run.evaluating ? 'an evaluation' : run.busy && event !== 'onOptimizerStepStart' ? 'a step' : null;
  if (where === null && (event === null || between.includes(event))) return;
  throw new ShallowsError(
    `Trainer.state: expected a run between two operations, got one in the middle of ${where ?? event} - ` +
      'ask in onBatchEnd, onEpochEnd, onOptimizerStepStart or onFitEnd, in a callback, or outside of fit',
  );
}

function requireFinite({ parameters, clock }: Run): void {
  if (scope(() => noGrad(() => allFinite(parameters).item())) === 1) return;
  throw new ShallowsError(
    `Trainer.state: expected finite weights, got NaN or infinity after batch ${clock.batch} - go on from an earlier state, ` +
      'and lower the learning rate, or warm it up',
  );
}

/** The gradients by the keys of their parameters, and which of them have their channels innermost in memory. */
function gatherGradients({ options: { model } }: Run, tensors: Record<string, Tensor>): JsonObject {
  const named = [...model.namedParameters()];
  const grads = gradsOf(named.map(([, parameter]) => parameter));
  const found: Record<string, boolean> = {};
  for (const [i, [key]] of named.entries()) {
    const grad = grads[i] ?? null;
    if (grad === null) continue;
    tensors[prefixes.gradient + key] = grad;
    found[key] = !grad.isContiguous() && grad.isContiguous({ memoryFormat: 'channels_last' });
  }
  return found;
}

function pendingJson({ pending }: Run): JsonValue {
  if (pending === null) return null;
  const { loss, gradNorm, indices, ...numbers } = pending;
  return { ...numbers, indices: [...indices] };
}
