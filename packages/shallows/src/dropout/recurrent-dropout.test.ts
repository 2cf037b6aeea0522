import { ones, randn, scope, setNumThreads, type Tensor, trace } from '@shallows/torch';
import { beforeAll, describe, expect, test } from 'vitest';
import { Embedding, GRU, LSTM, monteCarloPass, rowKeysSlot, trainingPass } from '../nn/index.js';
import { deriveKey, rootKey } from '../random/index.js';
import { Dropout, EmbeddingDropout, LockedDropout, lockedDropout, lockedDropouts, nameDropouts } from './index.js';

const key = rootKey(6);
const numbers = (x: Tensor): number[] => Array.from(x.toArray(), Number);
const training = (seed = 6) => trainingPass({ key: rootKey(seed) });

beforeAll(() => setNumThreads(1));

describe('locked dropout', () => {
  test('one mask over time, another for each row; time first too', () => {
    scope(() => {
      const y = lockedDropout(ones([3, 5, 40]), 0.5, training(), { name: 'a' });
      const rows = y.unbind(0).map((row) => row.unbind(0).map(numbers));
      for (const steps of rows) for (const step of steps) expect(step).toEqual(steps[0]);
      expect(new Set(rows.map(([first]) => String(first))).size).toBe(3);
      const first = lockedDropout(ones([5, 3, 40]), 0.5, training(), { name: 'a', batchFirst: false });
      const columns = first.unbind(1).map((row) => row.unbind(0).map(numbers));
      for (const steps of columns) for (const step of steps) expect(step).toEqual(steps[0]);
      expect(new Set(columns.map(([one]) => String(one))).size).toBe(3);
    });
  });

  test('rows that have keys have their masks in both orders', () => {
    scope(() => {
      const keys = [0, 1, 2].map((i) => deriveKey(key, i));
      const pass = () => training().with(rowKeysSlot, keys);
      const first = lockedDropout(ones([3, 5, 40]), 0.5, pass(), { name: 'a' });
      const second = lockedDropout(ones([5, 3, 40]), 0.5, pass(), { name: 'a', batchFirst: false });
      expect(numbers(second.transpose(0, 1))).toEqual(numbers(first));
    });
  });

  test('wrong arguments', () => {
    scope(() => {
      expect(() => lockedDropout(ones([3, 5]), 0.5, training(), { name: 'a' })).toThrow(
        'lockedDropout: expected [B, T, F], got [3, 5] - give a batch of sequences',
      );
      expect(() => new LockedDropout(0.5, { batchFirst: 'yes' as unknown as boolean })).toThrow(
        'LockedDropout: batchFirst: expected true or false, got "yes"',
      );
      expect(() => lockedDropouts({ hidden: -1 })).toThrow(
        'LockedDropout: rate: expected a drop rate in [0, 1], got -1',
      );
    });
  });
});

describe.each([LSTM, GRU])('%o', (Layer) => {
  const make = (rates: Parameters<typeof lockedDropouts>[0], more: object = {}): LSTM | GRU => {
    const layer: LSTM | GRU = new Layer(4, 8, { key, batchFirst: true, dropouts: lockedDropouts(rates), ...more });
    nameDropouts(layer);
    return layer;
  };
  const run = (layer: LSTM | GRU, x: Tensor, pass = training()): Tensor =>
    layer instanceof LSTM ? layer.forward(x, null, pass).output : layer.forward(x, null, pass).output;

  test('at rate 0 all is one fused operator; a dropped state takes steps', () => {
    scope(() => {
      const x = randn([3, 6, 4]);
      const plain = trace(() => run(make({}), x));
      const zero = trace(() => run(make({ input: 0, between: 0, hidden: 0, output: 0 }), x));
      expect(zero.calls).toEqual(plain.calls);
      expect(numbers(zero.result)).toEqual(numbers(plain.result));
      const { calls } = trace(() => run(make({ hidden: 0.5 }), x));
      expect(calls.filter(({ op }) => /aten::(lstm|gru)$/.test(op))).toHaveLength(0);
      const evaluated = trace(() => make({ hidden: 0.5 }).forward(x));
      expect(evaluated.calls.filter(({ op }) => /lstm_cell|sigmoid/.test(op))).toHaveLength(0);
    });
  });

  test('inputs and outputs lose whole features over time, of each row its own', () => {
    scope(() => {
      const x = randn([3, 6, 4]);
      const y = run(make({ output: 0.5 }), x);
      const gone = y.eq(0).to('float32').sum([1]);
      expect(numbers(gone).every((steps) => steps === 0 || steps === 6)).toBe(true);
      const input = make({ input: 0.5 });
      const changed = run(input, x);
      expect(changed).not.toBeAllclose(run(make({}), x), { rtol: 1e-3 });
    });
  });

  test('rows with keys are what they are alone, with every dropout on and both directions', () => {
    scope(() => {
      const rates = { input: 0.3, between: 0.3, hidden: 0.3, output: 0.3 };
      const layer = make(rates, { numLayers: 2, bidirectional: true });
      const x = randn([4, 5, 4]);
      const keys = [0, 1, 2, 3].map((i) => deriveKey(key, i));
      const of = (rows: Tensor, own: typeof keys): Tensor =>
        run(layer, rows, monteCarloPass({ key }).with(rowKeysSlot, own));
      const whole = of(x, keys);
      for (const row of [0, 3]) {
        const alone = of(x.narrow(0, row, 1), keys.slice(row, row + 1));
        expect(whole.narrow(0, row, 1)).toBeAllclose(alone, { rtol: 1e-5, atol: 1e-6 });
      }
      // A state that is dropped with the same mask at each step: the run of six steps begins as that of three.
      expect(of(x.narrow(1, 0, 3), keys).shape).toEqual([4, 3, 16]);
    });
  });

  test('PyTorch’s own dropout between layers is an unlocked one', () => {
    scope(() => {
      const between = new Dropout(0.5);
      const layer: LSTM | GRU = new Layer(4, 8, { key, batchFirst: true, numLayers: 2, dropouts: { between } });
      expect(nameDropouts(layer).map(({ name }) => name)).toEqual(['between_dropout']);
      const x = randn([3, 6, 4]);
      expect(numbers(run(layer, x))).toEqual(numbers(run(layer, x)));
      expect(numbers(run(layer, x))).not.toEqual(numbers(run(layer, x, training(7))));
    });
  });
});

describe('embedding dropout', () => {
  const tokens = (): Tensor => randn([4, 30]).abs().mul(10).clampMax(19).to('int64');

  test.each(['int64', 'int32'] as const)(
    'a word that is gone is gone everywhere in the batch, or in its row, %s',
    (dtype) => {
      scope(() => {
        using embedding = new Embedding(20, 3, { key });
        const x = tokens();
        const vectors = embedding.forward(x).abs().add(1);
        const flat = numbers(x);
        const goneOf = (y: Tensor): boolean[] => numbers(y.select(2, 0).eq(0).to('float32')).map(Boolean);
        const batch = new EmbeddingDropout(20, 0.5, { name: 'w' }).forward(vectors, x.to(dtype), training());
        const gone = goneOf(batch);
        for (const [i, token] of flat.entries()) expect(gone[i]).toBe(gone[flat.indexOf(token)]);
        expect(new Set(gone).size).toBe(2);
        const row = new EmbeddingDropout(20, 0.5, { name: 'w', sharing: 'row' }).forward(
          vectors,
          x.to(dtype),
          training(),
        );
        const own = goneOf(row);
        let differing = 0;
        for (const [i, token] of flat.entries()) {
          const start = 30 * Math.floor(i / 30);
          expect(own[i]).toBe(own[start + flat.slice(start, start + 30).indexOf(token)]);
          if (own[i] !== own[flat.indexOf(token)]) differing++;
        }
        expect(differing).toBeGreaterThan(0);
        expect(batch.div(vectors).amax()).toBeAllclose(2);
      });
    },
  );

  test('wrong arguments', () => {
    scope(() => {
      expect(() => new EmbeddingDropout(0, 0.1)).toThrow(
        'EmbeddingDropout: entries: expected a whole number from 1, got 0',
      );
      expect(() => new EmbeddingDropout(4, 0.1, { sharing: 'all' as 'row' })).toThrow('sharing: expected batch or row');
      const drop = new EmbeddingDropout(20, 0.1, { name: 'w' });
      expect(() => drop.forward(randn([4, 29, 3]), tokens(), training())).toThrow(
        'EmbeddingDropout: expected vectors [4, 30, F] of the tokens, got [4, 29, 3]',
      );
    });
  });
});
