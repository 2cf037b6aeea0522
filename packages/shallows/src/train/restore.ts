import { keep, noGrad, Operator, scope, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../errors.js';
import { isPlateauSchedule, type JsonObject } from '../nn/index.js';
import { keyToHex } from '../random/index.js';
import type { Run } from './run.js';
import { prefixes } from './snapshot.js';
import { readSnapshot, type SnapshotNumbers } from './snapshot-numbers.js';
import type { AlgorithmState, Snapshot } from './state.js';

const contiguous = new Operator('aten::contiguous');

/** What of a snapshot can only be put in place once the algorithms have started. */
export interface Leftover {
  readonly algorithms: ReadonlyMap<string, AlgorithmState>;
  readonly depth: JsonObject;
  /** What the user should know about going on. */
  readonly warnings: readonly string[];
}

/**
 * Puts a run where a snapshot was taken. Tensors are copied.
 *
 * @throws ShallowsError where the snapshot is of another run, model or optimizer
 */
export function restore(run: Run, snapshot: Snapshot): Leftover {
  const state = readSnapshot(snapshot);
  requireSameRun(run, state);
  const algorithms = algorithmStates(run, snapshot, state.algorithms);
  const { options } = run;
  const { model, optimizer, schedule } = options;
  const part = (prefix: string): Record<string, Tensor> => tensorsUnder(snapshot, prefix);
  try {
    model.loadStateDict(part(prefixes.model));
    optimizer.loadStateDict({ tensors: part(prefixes.optimizer), json: state.optimizer });
    if (isPlateauSchedule(schedule) && state.schedule !== null) schedule.loadStateDict(state.schedule);
    if (state.lossScaler !== null) run.scaler?.loadStateDict(state.lossScaler);
  } catch (error) {
    for (const { tensors } of algorithms.values()) for (const each of Object.values(tensors)) each.dispose();
    throw error;
  }

  run.dispose();
  run.clock.load(state.clock);
  run.stage = state.stage;
  run.handlers.resume(state.cursor);
  run.epoch = { ...state.epoch };
  run.evaluatedAt = state.evaluatedAt;
  run.evaluation = state.evaluation;
  run.lrFactor = state.lrFactor;
  run.badInARow = state.badInARow;
  run.stopReason = state.stopReason;
  run.ended = null;
  run.failed = false;
  run.times.load(state.times);
  run.lossSum = copyOf(snapshot, prefixes.lossSum, run);
  const loss = copyOf(snapshot, prefixes.loss, run);
  if (state.pending !== null && loss !== null) {
    const { indices, ...numbers } = state.pending;
    const gradNorm = copyOf(snapshot, prefixes.gradNorm, run);
    run.pending = { ...numbers, indices: Uint32Array.from(indices), loss, gradNorm };
  }
  if (state.gradients !== null) restoreGradients(run, snapshot, state.gradients);
  return { algorithms, depth: state.depth, warnings: changes(run, state) };
}

/** The tensors of a snapshot whose names begin so, without that beginning. */
function tensorsUnder({ tensors }: Snapshot, prefix: string): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(tensors).flatMap(([name, tensor]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), tensor]] : [],
    ),
  );
}

function copyOf({ tensors }: Snapshot, name: string, { place: { device } }: Run): Tensor | null {
  const saved = tensors[name];
  if (saved === undefined) return null;
  return noGrad(() => keep(scope(() => saved.detach().to({ device }).clone())));
}

function restoreGradients(
  { options: { model }, place: { device } }: Run,
  snapshot: Snapshot,
  found: Readonly<Record<string, boolean>>,
): void {
  noGrad(() =>
    scope(() => {
      for (const [key, parameter] of model.namedParameters()) {
        const saved = snapshot.tensors[prefixes.gradient + key];
        const memoryFormat = found[key] === true ? 'channels_last' : 'contiguous';
        parameter.grad =
          saved === undefined
            ? null
            : (contiguous.call([saved.detach().to({ device }).clone()], { memoryFormat }) as Tensor);
      }
    }),
  );
}

function requireSameRun({ options, clock, objective }: Run, { run }: SnapshotNumbers): void {
  const { key, train, batchSize } = options;
  const { batchesPerEpoch } = clock.timeline;
  const own = { key: keyToHex(key), data: train.digest, task: objective.task, batchSize, batchesPerEpoch };
  const differences = Object.entries(own).flatMap(([name, value]) => {
    const saved = run[name as keyof typeof own];
    return saved === value ? [] : [`${what[name as keyof typeof own]} ${short(saved)}, got ${short(value)}`];
  });
  if (differences.length === 0) return;
  throw new ShallowsError(
    `Trainer.load: expected ${differences.join('; ')} - give the trainer what the snapshot's run had, or load the weights alone`,
  );
}

const what = {
  key: 'the key',
  data: 'the training data',
  task: 'the task',
  batchSize: 'batches of',
  batchesPerEpoch: 'batches in an epoch:',
};

function short(value: string | number): string {
  return typeof value === 'number' ? String(value) : value.slice(0, 16);
}

function algorithmStates(run: Run, snapshot: Snapshot, json: JsonObject): ReadonlyMap<string, AlgorithmState> {
  const names = run.options.algorithms.flatMap(({ name, loadStateDict }) =>
    loadStateDict === undefined ? [] : [name],
  );
  const lost = Object.keys(json).filter((name) => !names.includes(name));
  if (lost.length > 0) {
    throw new ShallowsError(
      `Trainer.load: expected the algorithms ${Object.keys(json).join(', ')}, got ${names.join(', ') || 'none'} - ` +
        `give the trainer ${lost.join(', ')} too, as the snapshot has their state`,
    );
  }
  return new Map(
    Object.entries(json).map(([name, own]) => {
      const tensors = noGrad(() =>
        scope(() =>
          Object.fromEntries(
            Object.entries(tensorsUnder(snapshot, `${prefixes.algorithm}${name}.`)).map(([key, tensor]) => [
              key,
              keep(tensor.detach().clone()),
            ]),
          ),
        ),
      );
      return [name, { tensors, json: own }];
    }),
  );
}

/** Settings that may differ, and then change what follows. */
function changes({ options, ranks }: Run, { settings }: SnapshotNumbers): readonly string[] {
  const { precision, microbatches } = options;
  const now = { precision, microbatches, worldSize: ranks.size };
  return Object.entries(now).flatMap(([name, value]) => {
    const before = settings[name as keyof typeof now];
    return before === value
      ? []
      : [`goes on with ${name} ${value} instead of ${before}: not bit for bit what would have followed`];
  });
}
