import { cat, fromTypedArray, noGrad, randn, scope, setNumThreads, stats, type Tensor } from '@shallows/torch';
import { beforeAll, describe, expect, test } from 'vitest';
import { nameDropouts } from '../dropout/index.js';
import { ShallowsError } from '../errors.js';
import { Adam, crossEntropy, trainingPass } from '../nn/index.js';
import { deriveKey, generator, rootKey } from '../random/index.js';
import { createModel, type LstmOptions, lstm } from './index.js';

const key = rootKey(4);
const numbers = (x: Tensor): number[] => Array.from(x.toArray(), Number);
const tokens = (...rows: number[][]): Tensor =>
  fromTypedArray(BigInt64Array.from(rows.flat(), BigInt), [rows.length, rows[0]?.length ?? 0]);
const close = { rtol: 1e-5, atol: 1e-6 };

beforeAll(() => setNumThreads(1));

describe('lstm', () => {
  test('keys, and shapes of what is read', () => {
    scope(() => {
      const model = lstm({ vocabulary: 9, outputs: 3, dim: 4, hidden: 5, layers: 2, bidirectional: true, key });
      expect(Object.keys(model.stateDict()).slice(0, 6)).toEqual([
        'embed.weight',
        'rnn.weight_ih_l0',
        'rnn.weight_hh_l0',
        'rnn.bias_ih_l0',
        'rnn.bias_hh_l0',
        'rnn.weight_ih_l0_reverse',
      ]);
      expect(model.forward(tokens([1, 2, 3], [4, 5, 6])).shape).toEqual([2, 3]);
      const each = createModel('lstm', { inputs: 2, outputs: 1, read: 'each', cell: 'gru', key });
      expect(each.forward(randn([3, 7, 2])).shape).toEqual([3, 7, 1]);
    });
  });

  test.each([
    ['last', false],
    ['last', true],
    ['mean', false],
    ['mean', true],
  ] as const)('%s, both directions %s: what is read of the steps', (read, bidirectional) => {
    scope(() => {
      const model = lstm({ inputs: 2, outputs: 3, hidden: 4, bidirectional, read, key });
      const x = randn([3, 6, 2]);
      const { output } = noGrad(() => model.rnn.forward(x, null));
      const forwards = output.narrow(2, 0, 4).select(1, 5);
      const last = bidirectional ? cat([forwards, output.narrow(2, 4, 4).select(1, 0)], 1) : forwards;
      const wanted = model.head.forward(read === 'last' ? last : output.mean([1]));
      expect(model.forward(x)).toBeAllclose(wanted, close);
    });
  });

  test.each(['last', 'mean'] as const)('padding does not count, read %s', (read) => {
    scope(() => {
      const model = lstm({ vocabulary: 9, outputs: 3, dim: 4, hidden: 5, padding: 0, read, key });
      const short = model.forward(tokens([3, 7]));
      expect(model.forward(tokens([3, 7, 0, 0]))).toBeAllclose(short, close);
      const both = model.forward(tokens([3, 7, 0, 0], [1, 2, 3, 4]));
      expect(both.narrow(0, 0, 1)).toBeAllclose(short, close);
      expect(numbers(model.forward(tokens([0, 0]))).every(Number.isFinite)).toBe(true);
    });
  });

  test('names its dropouts, and draws each of them in training', () => {
    scope(() => {
      const rates = {
        wordDrop: 0.1,
        inputDrop: 0.2,
        betweenDrop: 0.3,
        hiddenDrop: 0.4,
        outputDrop: 0.5,
        weightDrop: 0.6,
        headDrop: 0.7,
      };
      const model = lstm({ vocabulary: 9, outputs: 3, layers: 2, key, ...rates });
      const sites = nameDropouts(model);
      expect(sites.map(({ name, kind, rate }) => [name, kind, rate])).toEqual([
        ['word_drop', 'embedding-dropout', 0.1],
        ['rnn.input_dropout', 'locked-dropout', 0.2],
        ['rnn.between_dropout', 'locked-dropout', 0.3],
        ['rnn.hidden_dropout', 'locked-dropout', 0.4],
        ['rnn.output_dropout', 'locked-dropout', 0.5],
        ['rnn.hidden_drop_connect', 'drop-connect', 0.6],
        ['head_drop', 'dropout', 0.7],
      ]);
      const x = tokens([1, 2, 3], [4, 5, 6]);
      const plain = numbers(model.forward(x));
      const out = (): number[] => numbers(model.forward(x, trainingPass({ key })));
      for (const site of sites) site.rate = 0;
      expect(out()).toEqual(plain);
      for (const site of sites) {
        site.rate = 0.5;
        expect(out(), site.name).not.toEqual(plain);
        expect(out(), site.name).toEqual(out());
        site.rate = 0;
      }
    });
  });

  test('learns which token came first, with all of its dropouts on', () => {
    const options: LstmOptions = {
      vocabulary: 4,
      outputs: 4,
      dim: 16,
      hidden: 32,
      key,
      inputDrop: 0.1,
      hiddenDrop: 0.1,
      outputDrop: 0.1,
      weightDrop: 0.1,
      wordDrop: 0.05,
      headDrop: 0.1,
    };
    using model = lstm(options);
    const adam = new Adam(model.parameters(), { lr: 0.01 });
    const batch = (step: number) => {
      const draw = generator(deriveKey(key, 'data', step));
      const x = randn([64, 4], { generator: draw }).abs().mul(2).clampMax(3).to('int64');
      return { x, y: x.select(1, 0) };
    };
    let live = 0;
    for (let step = 0; step < 120; step++) {
      scope(() => {
        const { x, y } = batch(step);
        adam.zeroGrad();
        crossEntropy(model.forward(x, trainingPass({ key: deriveKey(key, step) })), y).backward();
        adam.step();
      });
      if (step === 2) live = stats().liveTensors;
    }
    expect(stats().liveTensors).toBe(live);
    const accuracy = scope(() => {
      const { x, y } = batch(1000);
      return noGrad(() => model.forward(x).argmax(1).eq(y).to('float32').mean().item());
    });
    expect(accuracy).toBeGreaterThan(0.9);
    adam.dispose();
  });

  test('wrong options and inputs', () => {
    expect(() => lstm({ outputs: 2, key })).toThrow('lstm: inputs: expected either inputs or a vocabulary, got null');
    expect(() => lstm({ inputs: 2, vocabulary: 3, outputs: 2, key })).toThrow(ShallowsError);
    expect(() => lstm({ vocabulary: 3, outputs: 0, padding: 3, weightDrop: 2, cell: 'rnn' as 'gru', key })).toThrow(
      'lstm: weightDrop: expected a drop rate in [0, 1], got 2; outputs: expected a whole number from 1, got 0; ' +
        'cell: expected lstm or gru, got "rnn"; padding: expected null or a token, got 3 - write lstm(',
    );
    using model = lstm({ inputs: 2, outputs: 1, key });
    using x = randn([2, 4, 3]);
    using none = randn([2, 0, 2]);
    expect(() => model.forward(x)).toThrow('lstm: expected [B, T, 2] with T from 1, got [2, 4, 3] - ');
    expect(() => model.forward(none)).toThrow('got [2, 0, 2]');
  });
});
