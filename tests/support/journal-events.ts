import type { Evaluation, Progress, TrainEvent } from '../../packages/shallows/src/train/events.js';

// Small events of a training, for tests of what is written down of one.

/** Where a run of ten batches an epoch stands. */
export function at(batch: number): Progress {
  return {
    epoch: Math.floor(batch / 10),
    batch,
    sample: 8 * batch,
    elapsedMs: 10 * batch,
    fraction: Math.min(1, batch / 100),
  };
}

export function batchEnd(batch: number, more: object = {}): TrainEvent {
  return {
    kind: 'batch-end',
    at: at(batch),
    loss: null,
    lr: 0.1,
    durationMs: 1.23456789,
    dataWaitMs: 0.25,
    gradNorm: null,
    samples: 8,
    active: 3,
    sites: 4,
    factor: 1,
    ...more,
  };
}

export const measured: Evaluation = {
  train: { loss: 1, accuracy: 0.5 },
  validation: { loss: 1.5, accuracy: 0.25 },
  gap: { loss: 0.5, accuracy: 0.25 },
};

export function evaluation(batch: number, more: object = {}): TrainEvent {
  return { kind: 'evaluation', at: at(batch), durationMs: 5, ...measured, ...more };
}

export function epochEnd(batch: number): TrainEvent {
  return {
    kind: 'epoch-end',
    at: at(batch),
    trainLoss: 2,
    durationMs: 9,
    realised: 3.5,
    meanStepMs: 4,
    dataWaitMs: 1,
    lossScale: null,
  };
}

export function fitStart(more: object = {}): TrainEvent {
  return {
    kind: 'fit-start',
    at: at(0),
    model: { name: 'net', parameters: 7, sites: [{ name: 'NaN', kind: 'basic', layer: 0, requested: 0.5 }] },
    executions: [{ site: 'NaN', execution: 'mask', ms: { subset: 2, mask: 1.5 }, why: 'measured' }],
    totalBatches: null,
    totalEpochs: null,
    batchesPerEpoch: 10,
    batchSize: 8,
    microbatches: 1,
    task: 'classification',
    primary: { name: 'accuracy', better: 'higher' },
    algorithms: [{ name: 'mixup', options: { alpha: 0.2 } }],
    optimizer: 'sgd',
    precision: 'float32',
    channelsLast: false,
    deterministic: true,
    device: 'cpu',
    worldSize: 1,
    ...more,
  };
}

export function fitEnd(batch: number, more: object = {}): TrainEvent {
  return {
    kind: 'fit-end',
    at: at(batch),
    reason: 'done',
    why: null,
    metrics: measured,
    depth: null,
    factor: 1,
    timing: null,
    peakMemoryBytes: 123,
    ...more,
  };
}

export function checkpointed(batch: number): TrainEvent {
  return {
    kind: 'checkpoint',
    at: at(batch),
    name: `batch-${String(batch)}`,
    path: `checkpoints/batch-${String(batch)}`,
    bytes: 100,
    saveMs: 5,
    stallMs: 1,
    failure: null,
  };
}

export const resumed: TrainEvent = {
  kind: 'resumed',
  at: at(3),
  from: 'checkpoints/batch-3',
  skipped: [{ path: 'checkpoints/batch-4', why: 'digest' }],
};

export const nonFinite: TrainEvent = {
  kind: 'non-finite',
  at: at(4),
  action: 'skip',
  epoch: 0,
  batch: 4,
  indices: [3, 1],
  loss: Number.NaN,
  lrFactor: 1,
};

export function warning(topic: 'advice' | 'drop-rates' | 'algorithm', message: string, batch = 0): TrainEvent {
  return { kind: 'warning', at: at(batch), topic, message };
}
