import { noGrad, ops, randn, scope, setNumThreads, type Tensor } from '@shallows/torch';
import { beforeAll, describe, expect, test } from 'vitest';
import { applyPolicy, Policy } from '../../depth/index.js';
import { lstm, residualMlp, resnet, vit } from '../../models/index.js';
import {
  BatchNorm2d,
  Conv2d,
  evaluation,
  LayerNorm,
  Linear,
  Module,
  type Pass,
  ReLU,
  SELU,
  Sequential,
  trainingPass,
} from '../../nn/index.js';
import { deriveKey, rootKey } from '../../random/index.js';
import {
  AlphaDropout,
  advisePlacement,
  Dropout,
  Dropout2d,
  inventory,
  nameDropouts,
  placementCodes,
} from '../index.js';

const key = rootKey(6);
const codes = (model: Parameters<typeof inventory>[0], x: Tensor, facts = {}): string[] =>
  scope(() => advisePlacement(inventory(model, x), facts).map(({ code }) => code));
const stack = (...layers: readonly Module[]): Sequential => new Sequential(...layers);
const dense = (from: number, to: number): Linear => new Linear(from, to, { key });
const row = (): Tensor => randn([4, 64]);

class Softmax extends Module {
  override forward(x: Tensor): Tensor {
    return ops.aten.softmax(x, -1) as Tensor;
  }
}

beforeAll(() => setNumThreads(1));

test.each<[string, () => Module, string[]]>([
  ['a hidden layer, as it should be', () => stack(dense(64, 64), new ReLU(), new Dropout(0.5), dense(64, 3)), []],
  ['the logits', () => stack(dense(64, 40), new Dropout(0.1)), ['on-output']],
  ['scores before their softmax', () => stack(dense(64, 40), new Dropout(0.1), new Softmax()), ['before-softmax']],
  ['probabilities', () => stack(dense(64, 40), new Softmax(), new Dropout(0.1), dense(40, 3)), []],
  ['more than half', () => stack(dense(64, 128), new Dropout(0.6), dense(128, 3)), ['high-rate']],
  ['all of it', () => stack(dense(64, 64), new Dropout(1), dense(64, 3)), ['never-kept']],
  ['all but 31 units', () => stack(dense(64, 62), new Dropout(0.5), dense(62, 3)), ['few-units']],
  ['all but 32 units', () => stack(dense(64, 64), new Dropout(0.5), dense(64, 3)), []],
  ['what a SELU gives', () => stack(dense(64, 64), new SELU(), new Dropout(0.1), dense(64, 3)), ['selu-dropout']],
  ['the same by AlphaDropout', () => stack(dense(64, 64), new SELU(), new AlphaDropout(0.1), dense(64, 3)), []],
  [
    'twice in a row',
    () => stack(dense(64, 64), new Dropout(0.1), new ReLU(), new Dropout(0.1), dense(64, 3)),
    ['doubled-up'],
  ],
  [
    'twice with a layer between',
    () => stack(dense(64, 64), new Dropout(0.1), new LayerNorm(64), new Dropout(0.1), dense(64, 3)),
    [],
  ],
])('dropout of %s', (_, make, expected) => {
  using model = make();
  using x = row();
  expect(codes(model, x)).toEqual(expected);
});

describe('batch norm', () => {
  class Net extends Module {
    readonly conv1 = new Conv2d(3, 64, 3, { key });
    readonly drop: Dropout2d;
    readonly conv2 = new Conv2d(64, 64, 3, { key: deriveKey(key, 2) });
    readonly norm = new BatchNorm2d(64, { momentum: 0.5 });
    constructor(rate: number) {
      super();
      this.drop = new Dropout2d(rate);
      nameDropouts(this);
    }
    override forward(x: Tensor, pass: Pass = evaluation): Tensor {
      const y = this.drop.forward(this.conv1.forward(x, pass), pass);
      return this.norm.forward(this.conv2.forward(y, pass), pass).mean([2, 3]);
    }
  }

  test('behind dropout, untrained: said but not measured', () => {
    scope(() => {
      const found = inventory(new Net(0.3), randn([8, 3, 8, 8]));
      expect(found.shifts).toEqual([{ path: 'norm', ratio: null, values: 8 * 16 }]);
      expect(found.sites[0]?.batchNorms).toEqual(['norm']);
      const [advice, ...others] = advisePlacement(found, { batchSize: 32 });
      expect([advice?.code, others]).toEqual(['before-batch-norm', []]);
      expect(advice?.message).toContain('drop drops before batch norm (norm)');
      expect(advisePlacement(found, { batchSize: 16 }).map(({ code }) => code)).toEqual([
        'before-batch-norm',
        'small-batch',
      ]);
    });
  });

  test('the measured shift is that of the definition', () => {
    scope(() => {
      const model = new Net(0.5);
      const x = randn([16, 3, 10, 10]);
      for (let step = 0; step < 12; step++) {
        scope(() => noGrad(() => void model.forward(x, trainingPass({ key: deriveKey(key, step) }))));
      }
      const input = noGrad(() => model.conv2.forward(model.conv1.forward(x))).to('float64');
      const measured = Array.from(input.var([0, 2, 3]).toArray(), Number);
      const running = Array.from(model.norm.runningVar.toArray(), Number);
      const expected = Math.exp(running.reduce((sum, each, i) => sum + Math.log(each / (measured[i] ?? 1)), 0) / 64);
      const [shift] = inventory(model, x).shifts;
      expect(shift?.ratio).toBeCloseTo(expected, 9);
      // A rate of a half doubles what a square sees of kept channels: E[x² / (1 − p)] = 2 E[x²].
      expect(shift?.ratio).toBeGreaterThan(1.5);
      expect(codes(model, x)).toEqual(['variance-shift', 'before-batch-norm']);
      expect(inventory(model, x, { measure: false }).shifts).toEqual([{ path: 'norm', ratio: null, values: 0 }]);
    });
  });

  test('dropout behind all of it is fine', () => {
    scope(() => {
      const narrow = { depth: 18, stem: 'cifar', widths: [4, 4, 4, 64], blocks: [1, 1, 1, 1] } as const;
      expect(
        codes(resnet({ ...narrow, classes: 5, headDrop: 0.5, key }), randn([2, 3, 16, 16]), { batchSize: 2 }),
      ).toEqual([]);
    });
  });
});

describe('models', () => {
  test('a transformer with dropout in branches that are dropped often', () => {
    scope(() => {
      const options = { size: 'ti', patch: 4, image: 8, dim: 64, heads: 2, depth: 2, classes: 3, key } as const;
      const model = vit({ ...options, attnDrop: 0.1, projDrop: 0.1, posDrop: 0.1, headDrop: 0.1 });
      const x = randn([2, 3, 8, 8]);
      expect(codes(model, x)).toEqual([]);
      applyPolicy(model, Policy({ drop: 0.5, schedule: 'uniform' }));
      expect(codes(model, x)).toEqual(['depth-and-dropout']);
    });
  });

  test('a recurrent network that drops its output twice, and words by numbers', () => {
    scope(() => {
      class Text extends Module {
        readonly inner = lstm({ vocabulary: 9, outputs: 3, dim: 40, hidden: 80, key, outputDrop: 0.2, headDrop: 0.2 });
        override forward(x: Tensor, pass: Pass = evaluation): Tensor {
          return this.inner.forward(x, pass);
        }
      }
      expect(codes(new Text(), randn([2, 5]).abs().clampMax(8).to('int64'))).toEqual(['doubled-up']);
      expect(
        codes(
          lstm({ vocabulary: 9, outputs: 3, dim: 40, hidden: 80, key, inputDrop: 0.1 }),
          randn([2, 5]).abs().clampMax(8).to('int64'),
        ),
      ).toEqual([]);
    });
  });

  test('element-wise dropout of embeddings', () => {
    scope(() => {
      class Words extends Module {
        readonly table = lstm({ vocabulary: 9, outputs: 3, dim: 40, key }).embed;
        readonly drop = new Dropout(0.1);
        readonly head = dense(40, 3);
        override forward(x: Tensor, pass: Pass = evaluation): Tensor {
          return this.head.forward(this.drop.forward(this.table?.forward(x) ?? x, pass));
        }
      }
      expect(codes(new Words(), randn([2, 5]).abs().clampMax(8).to('int64'))).toEqual(['on-embeddings']);
    });
  });

  test('draws without keys, and rates that nothing comes to', () => {
    scope(() => {
      class Bare extends Module {
        readonly idle = new Dropout(0.3);
        readonly head = dense(64, 3);
        override forward(x: Tensor): Tensor {
          return this.head.forward(ops.aten.dropout(x, 0.5, true) as Tensor);
        }
      }
      const advice = advisePlacement(inventory(new Bare(), row()));
      expect(advice.map(({ code }) => code)).toEqual(['random-evaluation', 'hidden-draws', 'not-reached']);
      expect(advice[0]?.message).toBe(
        "aten::dropout at rate 0.5 in the model’s own forward draws in evaluation too: predictions are random. Draw only where pass.mode is not 'evaluation'.",
      );
    });
  });

  test('a network without dropout has nothing to be said', () => {
    scope(() => {
      expect(codes(residualMlp({ inputs: 64, outputs: 2, width: 8, blocks: 1, key }), row())).toEqual([]);
      expect(advisePlacement(inventory(stack(dense(64, 8))))).toEqual([]);
    });
  });
});

test('codes are known, each advice has its source, warnings come first', () => {
  expect(new Set(placementCodes).size).toBe(placementCodes.length);
  expect(placementCodes).toHaveLength(15);
  scope(() => {
    const model = stack(dense(64, 20), new Dropout(0.6), new ReLU(), new Dropout(0.7));
    const advice = advisePlacement(inventory(model, row()));
    expect(advice.map(({ code, severity }) => [code, severity])).toEqual([
      ['on-output', 'warning'],
      ['doubled-up', 'warning'],
      ['high-rate', 'note'],
      ['few-units', 'note'],
    ]);
    expect(
      advice.every(({ source, message }) => source !== '' && message.endsWith('.') && Object.isFrozen(source)),
    ).toBe(true);
  });
});
