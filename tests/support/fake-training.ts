import { type Tensor, zeros } from '@shallows/torch';
import { constantSchedule, Linear, type Module, SGD } from '../../packages/shallows/src/nn/index.js';
import { deriveKey, rootKey } from '../../packages/shallows/src/random/index.js';
import type { Timeline } from '../../packages/shallows/src/time/index.js';
import type { Progress, Training, WholeBatch } from '../../packages/shallows/src/train/index.js';

/** A run that stands still: what an algorithm sees, with a place for what it says. */
export interface FakeTraining extends Training {
  progress: Progress;
  /** What `stop` and `warn` were told. */
  readonly said: string[];
}

type Given = Partial<Omit<Training, 'data'>> & { readonly data?: Partial<Training['data']> };

/** A run of 100 batches, 10 an epoch, of pictures `[2, 5, 7]` in three classes. */
export function fakeTraining({ data, ...given }: Given = {}): FakeTraining {
  const model: Module = given.model ?? new Linear(2, 3, { key: rootKey(1) });
  const said: string[] = [];
  const timeline: Timeline = { batchesPerEpoch: 10, batchSize: 4, duration: 100 };
  const training: FakeTraining = {
    model,
    optimizer: new SGD(model.parameters(), { lr: 0.1 }),
    schedule: constantSchedule(),
    policy: null,
    progress: progressAt(0),
    timeline,
    precision: 'float32',
    world: { rank: 0, size: 1 },
    key: rootKey(7),
    loss: (outputs: Tensor) => outputs.mean(),
    evaluation: null,
    gradNorm: null,
    ended: null,
    exampleRow: () => zeros([1, 2, 5, 7]),
    useDepth: () => {},
    stop: (reason) => void said.push(`stop: ${reason}`),
    warn: (message) => void said.push(message),
    state: () => ({ tensors: {}, json: {} }),
    checkpoint: () => Promise.resolve(),
    said,
    ...given,
    data: {
      task: 'classification',
      classes: ['a', 'b', 'c'],
      inputShape: [2, 5, 7],
      targetShape: [],
      size: 40,
      batchSize: 4,
      ...data,
    },
  };
  return training;
}

/** Progress after some of 100 batches of 4 rows, 10 an epoch. */
export function progressAt(batch: number): Progress {
  return { epoch: Math.floor(batch / 10), batch, sample: 4 * batch, elapsedMs: 10 * batch, fraction: batch / 100 };
}

/** A batch of a run, with the key that its number has. */
export function fakeBatch(inputs: Tensor, targets: Tensor, batch = 0): WholeBatch {
  const size = inputs.shape[0] ?? 0;
  const indices = Uint32Array.from({ length: size }, (_, i) => i);
  return { batch, key: deriveKey(rootKey(7), 'step', batch), inputs, targets, indices, size };
}
