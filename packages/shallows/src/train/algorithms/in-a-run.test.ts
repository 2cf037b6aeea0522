import type { Tensor } from '@shallows/torch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  bytesOf,
  expectClose,
  fitterOf,
  resnet,
  smallPictures,
  transformer,
} from '../../../../../tests/support/fit.js';
import type { DataSplits } from '../../data/index.js';
import { AdamW, cosineSchedule, weightDecayGroups } from '../../nn/index.js';
import type { Algorithm, Snapshot } from '../index.js';
import {
  cutMix,
  earlyStopping,
  ema,
  gradientClipping,
  labelSmoothing,
  mixUp,
  mixupOrCutmix,
  progressiveResizing,
  swa,
} from './index.js';

let data: DataSplits;
beforeAll(async () => {
  data = await smallPictures();
});
afterAll(() => data.dispose());
const fit = fitterOf(() => data);

const optimizer = (model: Parameters<typeof weightDecayGroups>[0]): AdamW =>
  new AdamW(weightDecayGroups(model, { weightDecay: 0.05 }), { lr: 0.01 });
const source = (): ReturnType<DataSplits['train']['batches']> => data.train.batches({ batchSize: 16 });

type Average = 'ema' | 'swa';

/** Everything at once, but for one of the two averages. */
const all = (average: Average): Algorithm[] => [
  mixupOrCutmix(),
  labelSmoothing(),
  progressiveResizing({ sizeIncrement: 2 }),
  gradientClipping({ norm: 1 }),
  average === 'ema'
    ? ema({ decay: 0.5, warmup: true })
    : swa({ start: '3ba', every: '1ba', rate: 0.1, anneal: '2ba', source }),
  earlyStopping({ patience: 5 }),
];

/** A copy of the run after some batch. */
function copying(at: number, take: (snapshot: Snapshot) => void): Algorithm {
  return {
    name: 'copying',
    onBatchEnd(training) {
      if (training.progress.batch !== at) return;
      const { tensors, json } = training.state();
      const copies = Object.entries(tensors).map(([key, each]): [string, Tensor] => [key, each.detach().clone()]);
      take({ tensors: Object.fromEntries(copies), json: JSON.parse(JSON.stringify(json)) });
    },
  };
}

const options = { optimizer, schedule: cosineSchedule({ steps: 12 }), duration: '4ep' } as const;

describe.each<Average>(['ema', 'swa'])('all algorithms together, with %s', (average) => {
  test('train, and two runs are equal bit for bit', async () => {
    using first = await fit(resnet, { drop: 0.5 }, { ...options, algorithms: all(average) });
    using second = await fit(resnet, { drop: 0.5 }, { ...options, algorithms: all(average) });
    expect(first.result.reason).toBe('done');
    expect(bytesOf(second)).toBe(bytesOf(first));
    const losses = first.of('batch-end').map(({ loss }) => loss);
    expect(losses.filter((loss) => loss !== null).every(Number.isFinite)).toBe(true);
  });

  test.each([2, 7, 12])('resumed after batch %i they go on bit by bit', async (at) => {
    let taken: Snapshot | undefined;
    const algorithms = [...all(average), copying(at, (snapshot) => (taken = snapshot))];
    using whole = await fit(resnet, { drop: 0.5 }, { ...options, algorithms });
    using resumed = await fit(
      resnet,
      { drop: 0.5 },
      {
        ...options,
        algorithms: [...all(average), copying(-1, () => {})],
        before: (trainer) => {
          if (taken === undefined) throw new Error('no snapshot');
          trainer.load(taken);
        },
      },
    );
    expect(bytesOf(resumed)).toBe(bytesOf(whole));
  });
});

test.each([mixUp, cutMix, mixupOrCutmix])('%o is the same for any number of microbatches', async (mix) => {
  const run = (microbatches: number) => fit(transformer, null, { microbatches, algorithms: [mix(), labelSmoothing()] });
  using one = await run(1);
  using four = await run(4);
  using plain = await fit(transformer, null, {});
  expectClose(four, one);
  expect(bytesOf(plain)).not.toBe(bytesOf(one));
});

test('the model ends as its last evaluation measured it', async () => {
  for (const algorithm of [() => ema({ decay: 0.7 }), () => swa({ start: '2ba', every: '1ba', source })]) {
    const seen: (string | undefined)[] = [];
    const looking: Algorithm = {
      name: 'looking',
      onEvaluationEnd: ({ model }) => void seen.push(bytesOf({ model })),
    };
    using fitted = await fit(resnet, null, { algorithms: [algorithm(), looking] });
    expect(bytesOf(fitted)).toBe(seen.at(-1));
  }
});

test.each([
  [ema, swa],
  [swa, ema],
])('two averages are an error when the run starts: %o, %o', async (first, second) => {
  await expect(fit(transformer, null, { algorithms: [first(), second()] })).rejects.toThrow(
    'expected one average of weights in a run, got two - leave ema or swa out',
  );
});

test('early stopping ends a run that does not improve', async () => {
  using fitted = await fit(transformer, null, {
    lr: 0,
    duration: '9ep',
    algorithms: [earlyStopping({ patience: 2 })],
  });
  expect(fitted.result.reason).toBe('stopped');
  expect(fitted.of('epoch-end').length).toBeLessThan(5);
});

test('the norm before clipping is told with the batch', async () => {
  using fitted = await fit(transformer, null, { logEvery: 1, algorithms: [gradientClipping({ norm: 1e-3 })] });
  const norms = fitted.of('batch-end').map(({ gradNorm }) => gradNorm);
  expect(norms.every((norm) => norm !== null && norm > 1e-2)).toBe(true);
});
