import type { Tensor } from '@shallows/torch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FitOptions, fitterOf, resnet, smallPictures, transformer } from '../../../../tests/support/fit.js';
import { copySnapshot, type HeldSnapshot, shadowing, swapping } from '../../../../tests/support/snapshots.js';
import type { DataSplits } from '../data/index.js';
import type { PolicyOptions } from '../depth/index.js';
import { Adam, type Module, plateauSchedule } from '../nn/index.js';
import type { Algorithm, Snapshot, TrainEvent, Training } from './index.js';
import type { Trainer } from './trainer.js';

let data: DataSplits;
beforeAll(async () => {
  data = await smallPictures();
});
afterAll(() => data.dispose());
const fit = fitterOf(() => data);

/** What two runs must share to the last bit: weights, buffers, what the optimizer keeps, and every number that is no time. */
interface Evidence {
  readonly model: string;
  readonly optimizer: string;
  readonly events: readonly string[];
}

interface Held extends HeldSnapshot {
  /** Where it was taken. */
  readonly place: string;
  /** Events that the unbroken run had told by then. */
  readonly told: number;
}

type Setup = () => { readonly make: () => Module; readonly depth: PolicyOptions | null; readonly options: FitOptions };

const timeless = (event: TrainEvent): string =>
  JSON.stringify(event, (name, value: unknown) => (/Ms$|^timing$|^peakMemoryBytes$/.test(name) ? undefined : value));

const hex = (tensors: Readonly<Record<string, Tensor>>): string =>
  Object.entries(tensors)
    .map(([name, each]) => `${name} ${each.dtype} ${Buffer.from(each.toBytes()).toString('base64')}`)
    .join('\n');

type Watch = (state: () => Snapshot, told: readonly TrainEvent[]) => Partial<FitOptions>;

async function run(setup: Setup, watch: Watch, snapshot?: HeldSnapshot): Promise<Evidence> {
  const { make, depth, options } = setup();
  const told: TrainEvent[] = [];
  let trainer: Trainer | null = null;
  const { algorithms = [], callbacks = [] } = watch(() => trainer?.state() ?? never('a trainer'), told);
  let optimizer = '';
  using fitted = await fit(make, depth, {
    ...options,
    logEvery: 1,
    before: (made) => {
      trainer = made;
      if (snapshot !== undefined) made.load(snapshot);
    },
    algorithms: [
      ...algorithms.slice(0, 1),
      ...(options.algorithms ?? []),
      ...algorithms.slice(1),
      { name: 'evidence', onFitEnd: (training) => void (optimizer = hex(training.optimizer.stateDict().tensors)) },
    ],
    callbacks: [{ onEvent: (event) => void told.push(event) }, ...callbacks],
  });
  const started = told.findIndex(({ kind }) => kind === 'resumed') + 1;
  return {
    model: hex(fitted.model.stateDict()),
    optimizer,
    events: told.slice(Math.max(1, started)).map(timeless),
  };
}

function never(what: string): never {
  throw new Error(`expected ${what}`);
}

/** A run that is snapshotted wherever it can be. */
async function straight(setup: Setup): Promise<{ readonly evidence: Evidence; readonly held: readonly Held[] }> {
  const held: Held[] = [];
  const evidence = await run(setup, (ask, events) => {
    const take = (place: string, state: () => Snapshot): void => {
      // Before the first event nothing of what a resumed run tells is told.
      held.push({ ...copySnapshot(state), place, told: Math.max(0, events.length - 1) });
    };
    // One is asked before all others at each start, and after them at each end; the other the other way round.
    const at = (name: string, { progress }: Training, place: string): string => `${name} ${place} ${progress.batch}`;
    const saver = (name: string): Algorithm => ({
      name,
      onEpochStart: (training) => take(at(name, training, 'epoch start'), training.state),
      onOptimizerStepStart: (training) => take(at(name, training, 'gradients'), training.state),
      onBatchEnd: async (training) => {
        await Promise.resolve();
        take(at(name, training, 'batch end'), training.state);
      },
      onEpochEnd: (training) => take(at(name, training, 'epoch end'), training.state),
    });
    const told = ({ kind, at: { batch } }: TrainEvent): void => {
      if (kind !== 'fit-start' && kind !== 'fit-end') take(`told of ${kind} ${batch}`, ask);
    };
    return { algorithms: [saver('first'), saver('last')], callbacks: [{ onEvent: told }] };
  });
  return { evidence, held };
}

const idle: readonly Algorithm[] = [{ name: 'first' }, { name: 'last' }];

async function expectResumes(setup: Setup, wanted: RegExp, expected: number): Promise<void> {
  const { evidence, held } = await straight(setup);
  try {
    const chosen = held.filter(({ place }) => wanted.test(place));
    expect(chosen.map(({ place }) => place)).toHaveLength(expected);
    for (const snapshot of chosen) {
      const resumed = await run(setup, () => ({ algorithms: idle }), snapshot);
      expect(resumed.events, snapshot.place).toEqual(evidence.events.slice(snapshot.told));
      expect(resumed.optimizer === evidence.optimizer, `optimizer: ${snapshot.place}`).toBe(true);
      expect(resumed.model === evidence.model, `model: ${snapshot.place}`).toBe(true);
    }
  } finally {
    for (const { dispose } of held) dispose();
  }
}

const everything =
  (precision: 'float32' | 'bfloat16' | 'float16'): Setup =>
  () => ({
    make: resnet,
    depth: { drop: 0.5, schedule: 'uniform', time: { kind: 'warmup', length: '4ba' } },
    options: {
      precision,
      microbatches: 2,
      decay: 0.01,
      duration: '2ep',
      evaluateEvery: '2ba',
      logGradNorm: true,
      algorithms: [swapping(), shadowing()],
    },
  });

describe('a run that goes on from a snapshot is the unbroken one, bit for bit', () => {
  test.each(['float32', 'bfloat16', 'float16'] as const)(
    'with depth, mixed batches, an average of weights, accumulation and %s, from anywhere',
    async (precision) => {
      // Twice 2 beginnings of epochs, 2 ends, 6 gradients and 6 batches; 6 batches, 2 epochs and 3 evaluations told.
      const [places, expected] = precision === 'float32' ? ([/./, 43] as const) : ([/last .*[26]$/, 4] as const);
      await expectResumes(everything(precision), places, expected);
    },
  );

  test('with rows, two optimizers and a rate that follows a metric', async () => {
    await expectResumes(
      () => ({
        make: transformer,
        depth: { drop: 0.5, unit: 'row', rows: 'window', execution: 'auto' },
        options: {
          optimizer: (model) => new Adam(model.parameters(), { lr: 0.01 }),
          schedule: plateauSchedule({ patience: 0, threshold: 0.5, mode: 'max' }),
          scheduleMetric: 'accuracy',
          evaluateEvery: '1ba',
        },
      }),
      /last (gradients 4|batch end 2)|told of evaluation [35]/,
      4,
    );
  });

  test('where channels are innermost in memory, also the gradients', async () => {
    await expectResumes(
      () => ({ make: resnet, depth: { drop: 0.3 }, options: { channelsLast: true, duration: '4ba' } }),
      /last (gradients [13]|batch end 2)/,
      3,
    );
  });

  test('where the epoch is longer than the run, and where the run stops by itself', async () => {
    const stopper: Algorithm = {
      name: 'stopper',
      onBatchEnd: (training) => {
        if (training.progress.batch === 5) training.stop('enough');
      },
    };
    await expectResumes(
      () => ({ make: resnet, depth: null, options: { algorithms: [stopper] } }),
      /(last|told) .*5$/,
      5,
    );
  });
});
