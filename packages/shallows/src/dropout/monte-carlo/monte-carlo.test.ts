import { noGrad, Operator, ops, randn, scope, stats, type Tensor, tensor } from '@shallows/torch';
import { describe, expect, test } from 'vitest';
import { applyPolicy, Policy } from '../../depth/index.js';
import { createModel } from '../../models/index.js';
import { evaluation, Linear, Module, type Pass, Sequential } from '../../nn/index.js';
import { rootKey } from '../../random/index.js';
import {
  Dropout,
  GaussianDropout,
  monteCarlo,
  monteCarloPassAt,
  nameDropouts,
  type PredictiveModel,
} from '../index.js';

const key = rootKey(3);
const drop = new Operator('aten::dropout');

/** The samples of passes run one after the other, each whole. */
function loop(
  model: PredictiveModel,
  x: Tensor,
  passes: number,
  options: Parameters<typeof monteCarloPassAt>[2],
): Tensor {
  const one = (t: number): Tensor => model.forward(x, monteCarloPassAt(model, t, options));
  return noGrad(() => ops.aten.stack.default(Array.from({ length: passes }, (_, t) => one(t))) as Tensor);
}

interface Case {
  readonly model: () => PredictiveModel;
  readonly x: () => Tensor;
  /** Where the first random place is. */
  readonly split: RegExp;
}

const images = (): Tensor => randn([4, 3, 32, 32]);
const small = { key, classes: 5 };
const cases: Record<string, Case> = {
  'a dropout before the head of a ResNet': {
    model: () => createModel('resnet', { depth: 18, ...small, stem: 'cifar', headDrop: 0.3 }),
    x: images,
    split: /^dropout$/,
  },
  'dropouts in all blocks of a ViT': {
    model: () =>
      createModel('vit', { size: 'ti', depth: 3, patch: 8, image: 32, ...small, attnDrop: 0.1, projDrop: 0.2 }),
    x: images,
    split: /attn/,
  },
  'stochastic depth of a ResNet': {
    model: () => {
      const model = createModel('cifar-resnet', { depth: 14, ...small });
      applyPolicy(model, Policy({ drop: 0.5 }));
      return model;
    },
    x: images,
    split: /^layer1\.0$/,
  },
  'windows of a Swin': {
    model: () => createModel('swin', { size: 't', ...small, attnDrop: 0.2, projDrop: 0.1 }),
    x: images,
    split: /attn/i,
  },
  'a recurrent network': {
    model: () =>
      createModel('lstm', { inputs: 6, outputs: 5, hidden: 8, layers: 2, key, hiddenDrop: 0.2, betweenDrop: 0.3 }),
    x: () => randn([4, 9, 6]),
    split: /rnn/,
  },
  'dropped weights of a recurrent network': {
    model: () => createModel('lstm', { inputs: 6, outputs: 5, hidden: 8, key, weightDrop: 0.3, outputDrop: 0.2 }),
    x: () => randn([4, 9, 6]),
    split: /rnn/,
  },
};

describe.each(Object.entries(cases))('%s', (_, { model: make, x: input, split }) => {
  test('gives the samples of the plain loop, to the last bit', () => {
    scope(() => {
      const model = make();
      const x = input();
      using result = monteCarlo(model, x, { passes: 6, seed: 7, output: 'values' });
      expect(result.samples).toBeAllclose(loop(model, x, 6, { seed: 7, rows: 4 }), { rtol: 0, atol: 0 });
      expect(result.facts.split).toMatch(split);
      // Not all passes are alike.
      expect(result.regression?.epistemic.value.some((variance) => variance > 0)).toBe(true);
      using loose = monteCarlo(model, x, { passes: 6, seed: 7, output: 'values', exact: false, memoryBytes: 2 ** 40 });
      expect(loose.facts.why).toBeNull();
      expect(loose.facts.together).toBe(5);
      expect(loose.samples).toBeAllclose(result.samples, { rtol: 1e-4, atol: 1e-5 });
    });
  });
});

class Skip extends Module {
  readonly fc = new Linear(6, 6, { key });
  readonly head = new Linear(6, 3, { key });
  readonly dropout = new Dropout(0.5);

  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    // A sum of its own, which does not know of passes that run together.
    const y = this.fc.forward(x, pass).relu();
    return this.head.forward(y.add(this.dropout.forward(y, pass)), pass);
  }
}

class Bare extends Module {
  readonly fc = new Linear(6, 3, { key });

  override forward(x: Tensor): Tensor {
    return drop.call([this.fc.forward(x), 0.5, true]) as Tensor;
  }
}

function plain(...layers: Module[]): Sequential {
  const model = new Sequential(...layers);
  nameDropouts(model);
  return model;
}

describe('monteCarlo', () => {
  const head = (rate = 0.4) => plain(new Linear(6, 16, { key }), new Dropout(rate), new Linear(16, 3, { key }));
  const x = randn([8, 6]);

  test('computes what comes before the first random place once', () => {
    const model = head();
    using result = monteCarlo(model, x, { passes: 30, seed: 1 });
    const { operators, calls, together } = result.facts;
    expect(operators.before).toBe(1);
    expect(calls).toBeLessThanOrEqual(3);
    expect(together).toBe(29);
    expect(result.classification?.classes).toBe(3);
    expect(result.stopped).toBe('passes');
  });

  test('that passes together are passes alone is proved once for what runs, and again where something else runs', () => {
    const model = plain(new Linear(6, 16, { key }), new Dropout(0.4), new Linear(16, 3, { key }), new Dropout(0.4));
    nameDropouts(model);
    const calls = (given = x, sites?: readonly string[]): number => {
      using result = monteCarlo(model, given, { passes: 10, seed: 1, ...(sites === undefined ? {} : { sites }) });
      return result.facts.calls;
    };
    // Pass 0, nine together with pass 0 in the place of one, and that one; then pass 0 and nine together.
    expect([calls(), calls()]).toEqual([3, 2]);
    expect([calls(x, ['3']), calls(x, ['3'])]).toEqual([3, 2]);
    expect([calls(x.narrow(0, 0, 7)), calls()]).toEqual([3, 2]);
    model.to({ dtype: 'float64' });
    const wide = x.to('float64');
    expect([calls(wide), calls(wide)]).toEqual([3, 2]);
  });

  test('the answer to a request does not depend on the batch around it', () => {
    const model = head();
    const requests = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    using whole = monteCarlo(model, x, { passes: 5, seed: 1, requests });
    const rows = [6n, 1n, 3n, 0n];
    const some = x.indexSelect(0, tensor(rows));
    using part = monteCarlo(model, some, {
      passes: 5,
      seed: 1,
      requests: rows.map((row) => requests[Number(row)] as string),
    });
    expect(part.samples).toBeAllclose(whole.samples.indexSelect(1, tensor(rows)), { rtol: 1e-6, atol: 1e-7 });
    using other = monteCarlo(model, some, { passes: 5, seed: 2 });
    expect(other.samples.equal(part.samples)).toBe(false);
  });

  test('consistent masks are the same in all rows', () => {
    const model = plain(new Linear(6, 16, { key }), new Dropout(0.5));
    const same = x.narrow(0, 0, 1).expand([8, 6]).contiguous();
    using result = monteCarlo(model, same, { passes: 4, seed: 1, consistent: true, output: 'values' });
    expect(
      result.samples
        .sub(result.samples.narrow(1, 0, 1))
        .abs()
        .max()
        .item(),
    ).toBe(0);
    using free = monteCarlo(model, same, { passes: 4, seed: 1, output: 'values' });
    expect(
      free.samples
        .sub(free.samples.narrow(1, 0, 1))
        .abs()
        .max()
        .item(),
    ).toBeGreaterThan(0);
  });

  test('only the chosen sites are random', () => {
    const model = plain(new Dropout(0.5), new Linear(6, 16, { key }), new Dropout(0.5), new Linear(16, 3, { key }));
    using result = monteCarlo(model, x, { passes: 3, seed: 1, sites: ['2'] });
    expect(result.facts.split).toBe('2');
    expect(() => monteCarlo(model, x, { passes: 3, seed: 1, sites: ['3'] })).toThrow(
      "expected the name of a random place, got '3'",
    );
  });

  test('a sum that does not know of passes together runs them one by one', () => {
    const model = new Skip();
    nameDropouts(model);
    using result = monteCarlo(model, x, { passes: 5, seed: 1, output: 'values' });
    expect(result.facts.why).toMatch(/size of tensor|must match/);
    expect(result.facts.operators.before).toBeGreaterThan(0);
    expect(result.samples).toBeAllclose(loop(model, x, 5, { seed: 1, rows: 8 }), { rtol: 0, atol: 0 });
  });

  test('an operator that draws without a key is seeded for each pass', () => {
    const model = new Bare();
    using first = monteCarlo(model, x, { passes: 4, seed: 1 });
    using again = monteCarlo(model, x, { passes: 4, seed: 1 });
    using other = monteCarlo(model, x, { passes: 4, seed: 2 });
    expect(first.facts.why).toMatch(/aten::dropout draws without a key/);
    expect(again.samples.equal(first.samples)).toBe(true);
    expect(other.samples.equal(first.samples)).toBe(false);
    expect(first.samples.select(0, 0).equal(first.samples.select(0, 1))).toBe(false);
  });

  test('passes come in as many calls as memory wants', () => {
    const model = head();
    using whole = monteCarlo(model, x, { passes: 20, seed: 1 });
    using parts = monteCarlo(model, x, { passes: 20, seed: 1, memoryBytes: 6000 });
    expect(parts.facts.together).toBeLessThan(19);
    expect(parts.samples.equal(whole.samples)).toBe(true);
  });

  test('stops when the numbers are known well enough, or the time is over', () => {
    const model = plain(new Linear(6, 16, { key }), new GaussianDropout(0.01), new Linear(16, 3, { key }));
    using few = monteCarlo(model, x, { passes: 200, seed: 1, adaptive: true });
    expect([few.stopped, few.passes]).toEqual(['tolerance', 8]);
    using late = monteCarlo(model, x, { passes: 200, seed: 1, deadlineMs: 1e-3 });
    expect([late.stopped, late.passes]).toEqual(['deadline', 2]);
    using values = monteCarlo(model, x, {
      passes: 200,
      seed: 1,
      output: 'values',
      adaptive: { tolerance: 1e-9, step: 50 },
    });
    expect([values.stopped, values.passes]).toEqual(['passes', 200]);
    expect(() => monteCarlo(model, x, { seed: 1, output: 'values', adaptive: true })).toThrow(
      'expected adaptive.tolerance',
    );
  });

  test('frees all but the samples', () => {
    const model = head();
    const before = stats();
    for (const options of [{}, { exact: false }, { memoryBytes: 1 }]) {
      using result = monteCarlo(model, x, { passes: 5, seed: 1, ...options });
      expect(stats().liveTensors).toBe(before.liveTensors + 1);
      expect(result.passes).toBe(5);
    }
    expect(stats()).toEqual(before);
  });

  test.each<[string, () => unknown, string]>([
    [
      'nothing random',
      () => monteCarlo(plain(new Linear(6, 3, { key })), x, { seed: 1 }),
      'expected a model with something random in it',
    ],
    ['rates of 0', () => monteCarlo(head(0), x, { seed: 1 }), 'expected a model with something random in it'],
    ['one pass', () => monteCarlo(head(), x, { seed: 1, passes: 1 }), 'expected 2 passes or more, got 1'],
    [
      'requests of another number',
      () => monteCarlo(head(), x, { seed: 1, requests: ['a'] }),
      'expected a request for each of 8 rows, got 1',
    ],
    [
      'outputs that are no classes',
      () => monteCarlo(plain(new Dropout(0.5)), randn([2, 3, 4]), { seed: 1 }),
      'expected logits [2, C]',
    ],
    [
      'a deadline that is none',
      () => monteCarlo(head(), x, { seed: 1, deadlineMs: 0 }),
      'expected a deadline above 0 ms',
    ],
  ])('%s is an error', (_, run, message) => {
    expect(run).toThrow(message);
  });
});
