import { ones, randn, scope, type Tensor, trace } from '@shallows/torch';
import { describe, expect, test } from 'vitest';
import { ShallowsError } from '../errors.js';
import { Linear, Module, type Pass, rowKeysSlot, Sequential, trainingPass } from '../nn/index.js';
import { deriveKey, type Key, rootKey } from '../random/index.js';
import { LayerDrop, layerDrop, nameDropouts } from './index.js';

const key = rootKey(8);
const numbers = (x: Tensor): number[] => Array.from(x.toArray(), Number);

/** Adds a power of two: the sum says which layers ran. */
class Power extends Module {
  readonly #by: number;

  constructor(place: number) {
    super();
    this.#by = 2 ** place;
  }

  override forward(x: Tensor): Tensor {
    return x.add(this.#by);
  }
}
const stack = (depth: number): Power[] => Array.from({ length: depth }, (_, i) => new Power(i));
const pass = (seed: number, rows?: readonly Key[]): Pass => {
  const own = trainingPass({ key: rootKey(seed) });
  return rows === undefined ? own : own.with(rowKeysSlot, rows);
};

describe('layer drop', () => {
  test('evaluation and rate 0 run all layers, rate 1 none, without an operator', () => {
    scope(() => {
      const drop = new LayerDrop(stack(6), 0.5, { name: 'stack' });
      const x = ones([2, 1]);
      expect(numbers(drop.forward(x))).toEqual([64, 64]);
      drop.rate = 0;
      expect(numbers(drop.forward(x, pass(1)))).toEqual([64, 64]);
      drop.rate = 1;
      const { result, calls } = trace(() => drop.forward(x, pass(1)));
      expect(result).toBe(x);
      expect(calls).toEqual([]);
    });
  });

  test('each layer is dropped at its rate, by itself; 99.9 % bounds at each of 8 layers', () => {
    const [n, rate] = [2000, 0.3];
    const ran = Array.from({ length: n }, (_, seed) =>
      scope(
        () =>
          layerDrop(stack(8), ones([1]), rate, pass(seed), { name: 'a', run: (layer, x) => layer.forward(x) }).item() -
          1,
      ),
    );
    const bound = 3.2905 * Math.sqrt(n * rate * (1 - rate));
    for (let layer = 0; layer < 8; layer++) {
      const dropped = ran.filter((sum) => (sum & (2 ** layer)) === 0).length;
      expect(Math.abs(dropped - n * rate), `layer ${layer}`).toBeLessThan(bound);
      const equal = ran.filter((sum) => ((sum >> layer) & 1) === ((sum >> ((layer + 1) % 8)) & 1)).length;
      const agree = rate ** 2 + (1 - rate) ** 2;
      expect(Math.abs(equal - n * agree)).toBeLessThan(3.2905 * Math.sqrt(n * agree * (1 - agree)));
    }
  });

  test('with keys for rows each row drops by itself, whatever its batch, and gradients follow', () => {
    scope(() => {
      const drop = new LayerDrop(stack(8), 0.5, { name: 'stack' });
      const keys = Array.from({ length: 6 }, (_, i) => deriveKey(key, i));
      const whole = numbers(drop.forward(ones([6, 1]), pass(1, keys)));
      expect(new Set(whole).size).toBeGreaterThan(3);
      for (const row of [0, 3, 5]) {
        expect(numbers(drop.forward(ones([1, 1]), pass(1, keys.slice(row, row + 1))))).toEqual([whole[row]]);
      }
      using linear = new Linear(1, 1, { key });
      const learnt = new LayerDrop([linear], 0.5, { name: 'stack' });
      const x = ones([6, 1]);
      x.requiresGrad = true;
      learnt.forward(x, pass(1, keys)).sum().backward();
      const kept = numbers(learnt.forward(ones([6, 1]), pass(1, keys))).filter((each) => each !== 1).length;
      expect(linear.bias?.grad).toBeAllclose([kept]);
      expect(new Set(numbers(x.grad as Tensor)).size).toBe(2);
    });
  });

  test('keys are positions, and a dropped layer has no gradient', () => {
    scope(() => {
      const layers = [0, 1].map((i) => new Linear(2, 2, { key: deriveKey(key, i) }));
      using drop = new LayerDrop(layers, 1, { name: 'stack' });
      expect(Object.keys(drop.stateDict())).toEqual(Object.keys(new Sequential(...layers).stateDict()));
      expect(nameDropouts(new Sequential(drop)).map(({ name, kind }) => [name, kind])).toEqual([
        ['stack', 'layer-drop'],
      ]);
      const x = randn([3, 2]);
      x.requiresGrad = true;
      drop.forward(x, pass(1)).sum().backward();
      expect(layers.flatMap((each) => each.parameters()).every(({ grad }) => grad === null)).toBe(true);
    });
  });

  test('wrong arguments', () => {
    expect(() => new LayerDrop([{} as Module], 0.1)).toThrow('LayerDrop: expected modules, got an object');
    expect(() => new LayerDrop(stack(1), Number.NaN)).toThrow(ShallowsError);
    using x = ones([1]);
    const run = (layer: Power, y: Tensor): Tensor => layer.forward(y);
    expect(() => layerDrop(stack(1), x, 2, pass(1), { name: 'a', run })).toThrow('layerDrop: p: expected a drop rate');
    expect(() => layerDrop(stack(1), x, 0.1, trainingPass(), { name: 'a', run })).toThrow('expected a pass with a key');
  });
});
