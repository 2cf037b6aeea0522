import { setNumThreads } from '@shallows/torch';
import { expect } from 'vitest';
import { type DataSplits, loadData } from '../../packages/shallows/src/data/index.js';
import { applyPolicy, Policy, type PolicyOptions } from '../../packages/shallows/src/depth/index.js';
import { cifarResnet, vit } from '../../packages/shallows/src/models/index.js';
import { constantSchedule, type Module, type Optimizer, SGD } from '../../packages/shallows/src/nn/index.js';
import { deriveKey, rootKey } from '../../packages/shallows/src/random/index.js';
import {
  type FitResult,
  type TrainEvent,
  Trainer,
  type TrainerOptions,
} from '../../packages/shallows/src/train/index.js';

/** A run that has ended: its model is the caller's to free. */
export interface Fitted extends Disposable {
  readonly model: Module;
  readonly result: FitResult;
  readonly events: readonly TrainEvent[];
  /** The events of one kind. */
  of<K extends TrainEvent['kind']>(kind: K): Extract<TrainEvent, { kind: K }>[];
}

/** What a run of tests differs from the usual one in. */
export interface FitOptions extends Partial<Omit<TrainerOptions, 'optimizer'>> {
  readonly decay?: number;
  readonly lr?: number;
  readonly optimizer?: (model: Module) => Optimizer;
  /** Called with the trainer before it runs. */
  readonly before?: (trainer: Trainer) => void;
}

/** 48 and 12 pictures of 8 × 8, on one thread. */
export function smallPictures(): Promise<DataSplits> {
  setNumThreads(1);
  return loadData({ kind: 'textures', train: 48, validation: 12, noise: 0.1, size: 8 });
}

/** The key of the runs. */
export const runKey = rootKey(7);

/** Three blocks of convolutions. */
export const resnet = (): Module => cifarResnet({ depth: 8, classes: 10, key: deriveKey(runKey, 'model') });

/** Three blocks of attention. */
export const transformer = (): Module =>
  vit({ size: 'ti', dim: 16, heads: 2, depth: 3, patch: 4, image: 8, classes: 10, key: deriveKey(runKey, 'model') });

/** Runs of two epochs of three batches of 16, unless told otherwise. */
export function fitterOf(data: () => DataSplits) {
  return async (make: () => Module, depth: PolicyOptions | null, options: FitOptions = {}): Promise<Fitted> => {
    const { decay = 0, lr = 0.05, optimizer: makeOptimizer, before, ...overrides } = options;
    const { train, validation } = data();
    const model = make();
    const policy = depth === null ? null : Policy(depth);
    const optimizer = makeOptimizer?.(model) ?? new SGD(model.parameters(), { lr, momentum: 0.9, weightDecay: decay });
    const events: TrainEvent[] = [];
    const trainer = new Trainer({
      model,
      modelName: 'net',
      train,
      validation,
      source: (epoch) => train.batches({ batchSize: 16, key: runKey, epoch, shuffle: true }),
      batchSize: 16,
      optimizer,
      schedule: constantSchedule(),
      ...(policy === null ? {} : { policy, sites: applyPolicy(model, policy) }),
      key: runKey,
      duration: '2ep',
      ...overrides,
      callbacks: [{ onEvent: (event) => void events.push(event) }, ...(overrides.callbacks ?? [])],
    });
    before?.(trainer);
    const result = await trainer
      .fit()
      .catch((error: unknown) => {
        model.dispose();
        throw error;
      })
      .finally(() => {
        optimizer.dispose();
        trainer.dispose();
      });
    const of = <K extends TrainEvent['kind']>(kind: K): Extract<TrainEvent, { kind: K }>[] =>
      events.filter((event): event is Extract<TrainEvent, { kind: K }> => event.kind === kind);
    return { model, result, events, of, [Symbol.dispose]: () => model.dispose() };
  };
}

/** Every parameter by its key. */
export function weightsOf({ model }: Pick<Fitted, 'model'>): Record<string, number[]> {
  return Object.fromEntries(
    Array.from(model.namedParameters(), ([name, each]) => [name, Array.from(each.toArray(), Number)]),
  );
}

/** All bits of a model's state. */
export function bytesOf({ model }: Pick<Fitted, 'model'>): string {
  return Object.values(model.stateDict())
    .map((each) => Buffer.from(each.toBytes()).toString('base64'))
    .join();
}

/** Expects two runs to have ended with the same weights, but for rounding. */
export function expectClose(a: Fitted, b: Fitted, tolerance = { rtol: 1e-4, atol: 2e-6 }): void {
  const other = weightsOf(b);
  for (const [name, values] of Object.entries(weightsOf(a)))
    expect(values, name).toBeAllclose(other[name] ?? [], tolerance);
}
