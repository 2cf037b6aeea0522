import { randn, scope, setNumThreads, type Tensor } from '@shallows/torch';
import { beforeAll, describe, expect, test } from 'vitest';
import { applyPolicy, DropPath, findSites, Policy, StochasticDepth } from '../../depth/index.js';
import { vit } from '../../models/index.js';
import { evaluation, Module, monteCarloPass, type Pass } from '../../nn/index.js';
import { rootKey } from '../../random/index.js';
import { Dropout, GaussianDropout, inventory, nameDropouts, setRates, withoutDropout } from '../index.js';

const key = rootKey(4);
const numbers = (x: Tensor): number[] => Array.from(x.toArray(), Number);
const transformer = () => {
  const model = vit({
    ...{ size: 'ti', patch: 4, image: 8, dim: 8, heads: 2, depth: 2, classes: 3, key },
    ...{ attnDrop: 0.1, projDrop: 0.2, headDrop: 0.3 },
  });
  applyPolicy(model, Policy({ drop: 0.4, scale: 'paper', schedule: 'uniform' }));
  return model;
};
const rates = (model: Parameters<typeof inventory>[0]): Record<string, number> =>
  Object.fromEntries(inventory(model).sites.map(({ name, rate }) => [name, rate]));

class Paths extends Module {
  readonly path = new DropPath(0.3);
  readonly depth = new StochasticDepth(0.2, 'batch');
  readonly scheduled = new Dropout({ rate: 0.5, schedule: { kind: 'early', length: '1ep' } });
  readonly noise = new GaussianDropout(0.5);
  override forward(x: Tensor, pass: Pass = evaluation): Tensor {
    return this.noise.forward(this.depth.forward(this.path.forward(x, pass), pass), pass);
  }
}

beforeAll(() => setNumThreads(1));

describe('setRates', () => {
  test('sets what patterns name, the last that fits, and takes it back', () => {
    using model = transformer();
    const before = rates(model);
    const change = setRates(model, {
      'blocks.*.mlp': 0.05,
      'blocks.1': 0.6,
      'blocks.1.mlp.drop1': 0,
      '**.attn_drop': 0.1,
    });
    expect(rates(model)).toEqual({
      ...before,
      ...{
        'blocks.0.mlp.drop1': 0.05,
        'blocks.0.mlp.drop2': 0.05,
        'blocks.1.attention': 0.6,
        'blocks.1.feedforward': 0.6,
      },
      ...{ 'blocks.1.attn.proj_drop': 0.6, 'blocks.1.mlp.drop1': 0, 'blocks.1.mlp.drop2': 0.6 },
    });
    expect(change.changed).toContainEqual({ name: 'blocks.1.attention', before: 0.4, after: 0.6 });
    // What it was set to before too is not changed.
    expect(change.changed.map(({ name }) => name)).not.toContain('blocks.0.attn.attn_drop');
    expect(change.changed).toHaveLength(7);
    change.undo();
    expect(rates(model)).toEqual(before);
    setRates(model, { head_drop: 0.9 });
    change.undo();
    expect(rates(model).head_drop).toBe(0.9);
  });

  test('modules that drop paths are set too, and schedules stay', () => {
    using model = new Paths();
    setRates(model, { path: 0.1, depth: 0.15, scheduled: 0.2 });
    expect([model.path.dropProb, model.depth.p, model.scheduled.rate]).toEqual([0.1, 0.15, 0.2]);
    expect(model.scheduled.site.schedule).toEqual({ kind: 'early', length: '1ep' });
    expect(model.path.name).toBe('');
  });

  test.each<[Record<string, number>, string]>([
    [{ 'blocks.0.mpl': 0.1 }, 'setRates: expected the name of a random place, got "blocks.0.mpl"'],
    [{ haed_drop: 0.1 }, 'got "haed_drop", did you mean \'head_drop\'? - inventory(model) lists them: pos_drop, '],
    [{ head_drop: 1.5 }, 'setRates: "head_drop": expected a drop rate in [0, 1], got 1.5 - 0.1 drops a tenth'],
    [{ pos_drop: 0.1, head_drop: Number.NaN }, 'expected a drop rate in [0, 1], got NaN'],
  ])('%j is an error and sets nothing', (wanted, message) => {
    using model = transformer();
    const before = rates(model);
    expect(() => setRates(model, wanted)).toThrow(message);
    expect(rates(model)).toEqual(before);
  });

  test('a rate that one of the places refuses is set nowhere', () => {
    using model = new Paths();
    expect(() => setRates(model, { '*': 1 })).toThrow('GaussianDropout: rate: expected a drop rate in [0, 1), got 1');
    expect([model.path.dropProb, model.depth.p, model.noise.rate, model.scheduled.rate]).toEqual([0.3, 0.2, 0.5, 0.5]);
  });
});

describe('withoutDropout', () => {
  test('nothing is random in it, and evaluation is the same all along', () => {
    scope(() => {
      const model = transformer();
      nameDropouts(model);
      const x = randn([2, 3, 8, 8]);
      const before = rates(model);
      const evaluated = numbers(model.forward(x));
      {
        using none = withoutDropout(model);
        expect(none.changed).toHaveLength(Object.values(before).filter((rate) => rate > 0).length);
        expect(new Set(Object.values(rates(model)))).toEqual(new Set([0]));
        expect(numbers(model.forward(x))).toEqual(evaluated);
        expect(numbers(model.forward(x, monteCarloPass({ key })))).toEqual(evaluated);
      }
      expect(rates(model)).toEqual(before);
      expect(numbers(model.forward(x))).toEqual(evaluated);
      expect(findSites(model).map(({ drop }) => drop)).toEqual([0.4, 0.4, 0.4, 0.4]);
    });
  });
});
