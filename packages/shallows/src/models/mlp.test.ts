import { noGrad, randn, scope, setNumThreads, type Tensor } from '@shallows/torch';
import { beforeAll, describe, expect, test } from 'vitest';
import { nameDropouts } from '../dropout/index.js';
import { ShallowsError } from '../errors.js';
import { trainingPass } from '../nn/index.js';
import { generator, rootKey } from '../random/index.js';
import { createModel, mlp } from './index.js';

const key = rootKey(3);
const numbers = (x: Tensor): number[] => Array.from(x.toArray(), Number);

beforeAll(() => setNumThreads(1));

describe('mlp', () => {
  test('is its formula, on rows and on pictures', () => {
    scope(() => {
      const model = mlp({ inputs: 12, outputs: 3, hidden: [5, 4], key });
      expect(Object.keys(model.stateDict())).toEqual([
        'layers.0.weight',
        'layers.0.bias',
        'layers.3.weight',
        'layers.3.bias',
        'head.weight',
        'head.bias',
      ]);
      const x = randn([2, 3, 2, 2]);
      const state = model.stateDict();
      const layer = (y: Tensor, name: string): Tensor =>
        y.matmul(state[`${name}.weight`]?.t() as Tensor).add(state[`${name}.bias`] as Tensor);
      const rows = x.reshape([2, 12]);
      const wanted = layer(layer(layer(rows, 'layers.0').relu(), 'layers.3').relu(), 'head');
      expect(model.forward(x)).toBeAllclose(wanted, { rtol: 1e-5, atol: 1e-6 });
      expect(numbers(model.forward(rows))).toEqual(numbers(model.forward(x)));
    });
  });

  test('selu keeps mean 0 and variance 1 through twenty layers, also with its dropout', () => {
    scope(() => {
      const model = mlp({
        inputs: 256,
        outputs: 1,
        hidden: new Array<number>(20).fill(256),
        activation: 'selu',
        hiddenDrop: 0.1,
        key,
      });
      expect(nameDropouts(model).filter(({ kind }) => kind === 'alpha-dropout')).toHaveLength(21);
      const x = randn([512, 256], { generator: generator(key) });
      for (const pass of [undefined, trainingPass({ key })]) {
        const y = numbers(noGrad(() => model.layers.forward(x, pass)));
        const mean = y.reduce((sum, each) => sum + each, 0) / y.length;
        const variance = y.reduce((sum, each) => sum + each ** 2, 0) / y.length - mean ** 2;
        // Widths of 256 let both wander; relu's variance would be a millionth or gone.
        expect(Math.abs(mean)).toBeLessThan(0.3);
        expect(Math.abs(variance - 1)).toBeLessThan(0.5);
      }
    });
  });

  test('norms, activations and words', () => {
    using model = mlp({ inputs: 4, outputs: 2, hidden: [3], norm: true, activation: 'gelu', dropout: 'gaussian', key });
    expect(Object.keys(model.stateDict())).toContain('layers.1.weight');
    expect(nameDropouts(model).map(({ name, kind }) => `${name} ${kind}`)).toEqual([
      'input_drop gaussian-dropout',
      'layers.0.drop_connect drop-connect',
      'layers.3 gaussian-dropout',
    ]);
    using other = createModel('mlp', { inputs: 4, outputs: 2, key });
    expect(other.parameterCount).toBe(4 * 128 + 128 + 128 * 128 + 128 + 128 * 2 + 2);
  });

  test('wrong options, all at once', () => {
    const make = (): unknown =>
      mlp({
        inputs: 0,
        outputs: 2,
        hidden: [],
        activation: 'swish' as 'relu',
        dropout: 'some' as 'plain',
        hiddenDrop: Number.NaN,
        key,
      });
    expect(make).toThrow(ShallowsError);
    expect(make).toThrow(
      'mlp: hiddenDrop: expected a drop rate in [0, 1], got NaN; inputs: expected a whole number from 1, got 0; ' +
        'hidden: expected a list of whole numbers from 1, got []; activation: expected relu, gelu, silu, tanh or selu, got "swish"; ' +
        'dropout: expected plain, alpha or gaussian, got "some" - write mlp({',
    );
  });
});
